//! Steps in containers, by docker or podman.
//!
//! MLflow mounts nothing but its tracking store, and the host's shell runs what follows a `|` or `&&`
//! in the command. Here the project's and the pipeline's folder are in the container under the same
//! paths, so that steps can hand files on, and the whole command runs inside.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use environment::Container;
use mlproject::paths::absolute;
use mlproject::shell::quote;
use process::{Bracket, Launch};

use super::Job;

/// What a program that logs to MLflow needs to know, taken along if it is set.
const TRACKING: [&str; 8] = [
    "MLFLOW_ALLOW_FILE_STORE",
    "MLFLOW_EXPERIMENT_ID",
    "MLFLOW_RUN_ID",
    "MLFLOW_TRACKING_INSECURE_TLS",
    "MLFLOW_TRACKING_PASSWORD",
    "MLFLOW_TRACKING_TOKEN",
    "MLFLOW_TRACKING_URI",
    "MLFLOW_TRACKING_USERNAME",
];

/// What a shell does itself, so that no program of that name can be executed instead.
const SHELL_WORDS: [&str; 27] = [
    ".", ":", "case", "cd", "command", "eval", "exec", "exit", "export", "for", "function", "if",
    "read", "readonly", "return", "select", "set", "shift", "source", "time", "trap", "ulimit",
    "umask", "unset", "until", "wait", "while",
];

/// What `docker run` does, in two commands and with a name that we know, so that whatever happens
/// the container can be removed.
pub(super) fn launch(container: &Container, job: &Job) -> Launch {
    let name = container_name(job.step);
    let mut words: Vec<String> = vec![container.engine.clone()];
    words.extend(["create", "--rm", "--init", "--name"].map(str::to_owned));
    words.push(name.clone());
    let (user, group) = (rustix::process::getuid(), rustix::process::getgid());
    words.extend([
        "--user".to_owned(),
        format!("{}:{}", user.as_raw(), group.as_raw()),
    ]);
    if container.engine == "podman" && !user.is_root() {
        words.push("--userns=keep-id".to_owned());
    }
    let folder = match container.code() {
        Some(folder) => folder.to_owned(),
        None => job.folder.to_string_lossy().into_owned(),
    };
    words.extend(["--workdir".to_owned(), folder]);
    for path in mounts(job) {
        words.extend(["--mount".to_owned(), mount(&path)]);
    }
    for volume in &container.environment.volumes {
        words.extend(["--volume".to_owned(), volume.clone()]);
    }
    for variable in variables(container, job) {
        words.extend(["--env".to_owned(), variable]);
    }
    // Last, so that they count before ours.
    for (argument, value) in &container.arguments {
        let dashes = if argument.chars().count() == 1 {
            "-"
        } else {
            "--"
        };
        words.push(format!("{dashes}{argument}"));
        words.extend(value.clone());
    }
    words.push(container.image.clone());
    words.extend(inside(job.command));
    let words: Vec<String> = words.iter().map(|word| quote(word)).collect();
    let engine = &container.engine;
    Launch {
        command: start(engine, &name),
        variables: Vec::new(),
        bracket: Some(Bracket {
            set_up: format!("exec {}", words.join(" ")),
            ask: None,
            clean_up: format!("exec {engine} rm --force {name}"),
        }),
    }
}

/// For `--env`: a name alone takes the value along without showing it.
fn variables(container: &Container, job: &Job) -> Vec<String> {
    let changed = job.variables.iter();
    let ours = changed.filter_map(|(name, value)| value.as_ref().and(Some(*name)));
    let is_changed = |name: &str| job.variables.iter().any(|(changed, _)| *changed == name);
    let inherited = TRACKING
        .into_iter()
        .filter(|name| !is_changed(name) && std::env::var_os(name).is_some());
    let defined = job.defined.iter().map(|(name, _)| name.as_str());
    let mut names: Vec<&str> = ours.chain(inherited).chain(defined).collect();
    names.sort_unstable();
    names.dedup();
    // The last one counts, and the definition of the pipeline is stronger than that of the project.
    let is_defined = |name: &str| job.defined.iter().any(|(defined, _)| defined == name);
    let of_project = container.environment.variables.iter();
    let of_project = of_project
        .filter(|(name, _)| !is_defined(name))
        .map(|(name, value)| match value {
            Some(value) => format!("{name}={value}"),
            None => name.clone(),
        });
    names
        .into_iter()
        .map(str::to_owned)
        .chain(of_project)
        .collect()
}

/// Starts a container and ends as it does. For a program that is not there `docker run` ends with 127,
/// but `docker start` with 1; the container knows better.
fn start(engine: &str, name: &str) -> String {
    format!(
        "{engine} start --attach {name}; code=$?; [ $code != 1 ] || \
         code=$({engine} inspect --format '{{{{.State.ExitCode}}}}' {name} 2>/dev/null) || code=1; \
         exit $code"
    )
}

fn container_name(step: &str) -> String {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let instant = since.unwrap_or_default().as_nanos();
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
    let step: String = step
        .chars()
        .map(|c| if allowed(c) { c } else { '-' })
        .collect();
    format!("orchestrator-{step}-{}-{instant:x}", std::process::id())
}

/// The folders and files that a step needs, without those that lie in another.
fn mounts(job: &Job) -> Vec<PathBuf> {
    let above = |path: &Path| path.parent().map(Path::to_owned);
    let read = job.reads.iter().filter_map(|path| {
        if path.exists() {
            Some(path.clone())
        } else {
            above(path)
        }
    });
    // A file that is written is put into its folder, possibly by another name at first.
    let written = job.writes.iter().filter_map(|(_, path)| {
        if path.is_dir() {
            Some(path.clone())
        } else {
            above(path)
        }
    });
    let mut found = vec![job.root.to_owned(), job.folder.to_owned()];
    found.extend(read.chain(written).chain(tracking_store(job)));
    found.extend(variable(job, "PIPELINE_METRICS").map(PathBuf::from));
    // The container has a root of its own.
    found.retain(|path| path.parent().is_some());
    found.sort();
    found.dedup();
    let outermost = |path: &&PathBuf| {
        let mut others = found.iter();
        !others.any(|other| path.starts_with(other) && *path != other)
    };
    found.iter().filter(outermost).cloned().collect()
}

/// What a variable is for the command.
fn variable(job: &Job, name: &str) -> Option<OsString> {
    let mut changed = job.variables.iter();
    match changed.find(|(changed, _)| *changed == name) {
        Some((_, value)) => value.clone(),
        None => std::env::var_os(name),
    }
}

/// The folder of the tracking store, if it is on this machine.
fn tracking_store(job: &Job) -> Option<PathBuf> {
    let uri = variable(job, "MLFLOW_TRACKING_URI")?.into_string().ok()?;
    let path = if let Some(path) = uri.strip_prefix("sqlite:///") {
        absolute(job.folder, path).parent()?.to_owned()
    } else if let Some(path) = uri.strip_prefix("file://") {
        PathBuf::from(path)
    } else if uri.contains(':') || uri == "databricks" || uri.is_empty() {
        return None;
    } else {
        absolute(job.folder, uri)
    };
    path.is_dir().then_some(path)
}

/// A folder under the same path, for `--mount`, which reads its value as a line of CSV.
fn mount(path: &Path) -> String {
    let path = path.display().to_string();
    let field = |name: &str| {
        let field = format!("{name}={path}");
        if field.contains([',', '"']) {
            format!("\"{}\"", field.replace('"', "\"\""))
        } else {
            field
        }
    };
    format!("type=bind,{},{}", field("source"), field("target"))
}

/// The words after the image: a plain command as it is, for images with an entry point of their own or
/// without a shell, as MLflow; else a shell's, and bash if the image has it.
fn inside(command: &str) -> Vec<String> {
    const SCRIPT: &str =
        "command -v bash >/dev/null 2>&1 && exec bash -c \"$0\"; exec sh -c \"$0\"";
    plain_words(command).unwrap_or_else(|| {
        let words = ["sh", "-c", SCRIPT, command];
        words.map(str::to_owned).into()
    })
}

/// The words of a command that means the same to every shell and to none; quotes are allowed.
fn plain_words(command: &str) -> Option<Vec<String>> {
    let mut words: Vec<String> = Vec::new();
    let mut word: Option<String> = None;
    let mut characters = command.trim().chars();
    while let Some(character) = characters.next() {
        match character {
            ' ' | '\t' => words.extend(word.take()),
            '\'' | '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match characters.next()? {
                        end if end == character => break,
                        '$' | '`' | '\\' | '!' if character == '"' => return None,
                        inner => word.push(inner),
                    }
                }
            }
            plain if plain.is_ascii_alphanumeric() || "_@%+=:,./-".contains(plain) => {
                word.get_or_insert_default().push(plain);
            }
            _ => return None,
        }
    }
    words.extend(word);
    let first = words.first()?;
    let is_program = !first.contains('=') && !SHELL_WORDS.contains(&first.as_str());
    is_program.then_some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_command_needs_no_shell() {
        for (command, expected) in [
            (
                "python a.py --x 'a b' ",
                Some(vec!["python", "a.py", "--x", "a b"]),
            ),
            ("echo ''", Some(vec!["echo", ""])),
            ("echo 'it'\"'\"'s'", Some(vec!["echo", "it's"])),
            ("echo \"a b\"c", Some(vec!["echo", "a bc"])),
            ("echo \"$HOME\"", None),
            ("a && b", None),
            ("a | b", None),
            ("A=1 b", None),
            ("exit 3", None),
            ("cd x", None),
            ("a\nb", None),
            ("echo *", None),
            ("echo 'open", None),
            ("", None),
        ] {
            let words = expected.map(|words| words.into_iter().map(str::to_owned).collect());
            assert_eq!(plain_words(command), words, "{command}");
        }
    }

    #[test]
    fn a_mount_is_one_line_of_csv() {
        assert_eq!(
            mount(Path::new("/a b")),
            "type=bind,source=/a b,target=/a b"
        );
        assert_eq!(
            mount(Path::new("/a,\"b")),
            "type=bind,\"source=/a,\"\"b\",\"target=/a,\"\"b\""
        );
    }

    #[test]
    fn a_mount_in_another_is_left_out() {
        let reads = ["/r/x".into(), "/usr/bin".into()];
        let writes = [("model".to_owned(), "/usr/lib/new".into())];
        let job = Job {
            step: "s",
            command: "true",
            root: Path::new("/r"),
            folder: Path::new("/r/s"),
            reads: &reads,
            writes: &writes,
            variables: &[(
                "MLFLOW_TRACKING_URI",
                Some("sqlite:////etc/mlflow.db".into()),
            )],
            defined: &[],
            submission: None,
        };
        let expected: Vec<PathBuf> = ["/etc", "/r", "/usr/bin", "/usr/lib"]
            .map(Into::into)
            .into();
        assert_eq!(mounts(&job), expected);
    }
}
