//! Steps as jobs of Slurm: the options of `srun`, and lines of shell around the command.
//!
//! An attempt is one attached `srun`, so that output, exit code and order are as they are here. Its word
//! that all is well is not enough: it ends with 0 also when the node has died, or when the job was
//! cancelled because it did not heed SIGTERM. So a shell on the node writes down how the command ended, in a
//! folder that all machines share, and the step is well only if that file says so, too. And `srun` hands no
//! SIGTERM on: a step is asked to stop by `scancel`, which finds its job by a name that nobody else has.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mlproject::Resources;
use mlproject::shell::quote;
use process::{Bracket, Launch};
use serde::{Serialize, Serializer};

use crate::backend::Config;

/// What a step asks of Slurm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobRequest {
    /// The folder of `srun` and its like.
    pub bin: PathBuf,
    /// Options of `srun`.
    pub options: Vec<String>,
    /// Variables for the step.
    pub variables: Vec<(String, String)>,
    modules: Vec<String>,
    /// The time that the step has to end after it was asked to.
    grace: Duration,
    /// Whether it is a step of the job that we are in, instead of a job of its own.
    pub is_in_allocation: bool,
}

/// The options alone: the rest is the same for all steps.
impl Serialize for JobRequest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.options.serialize(serializer)
    }
}

/// An attempt at a step as a job.
#[derive(Debug, Clone, Copy)]
pub struct Submission<'a> {
    /// What it asks for.
    pub request: &'a JobRequest,
    /// The name of the job, of letters, digits, `-` and `_`, which nobody else has.
    pub name: &'a str,
    /// The beginning of the name of the files in which the tasks of the job tell their end.
    pub witness: &'a Path,
}

impl JobRequest {
    /// What a step asks for: what the config says of all steps, then what is said of this one.
    pub fn new(
        bin: &Path,
        config: &Config,
        resources: Resources,
        timeout: Option<Duration>,
        grace: Duration,
    ) -> JobRequest {
        const MIB: u64 = 1 << 20;
        let mut options = Vec::new();
        if !config.has_tasks {
            options.extend(["--nodes=1", "--ntasks=1"].map(str::to_owned));
        }
        // A step of a job takes all of it otherwise, and the next one waits.
        options.extend(config.is_allocation.then(|| "--exact".to_owned()));
        let is_stronger =
            |option: &&String| resources.gpus == 0 || !option.starts_with("--gpus-per-node=");
        options.extend(config.options.iter().filter(is_stronger).cloned());
        let mut add = |name: &str, value: u64, unit: &str| {
            // The last one counts. Nothing is no amount that could be asked for.
            options.extend((value > 0).then(|| format!("--{name}={value}{unit}")));
        };
        add("cpus-per-task", resources.cpus, "");
        add("mem", resources.memory.div_ceil(MIB), "M");
        add("gpus", resources.gpus, "");
        let minutes = timeout.map(|timeout| timeout.as_secs().div_ceil(60).max(1));
        add("time", minutes.unwrap_or(0), "");
        JobRequest {
            bin: bin.to_owned(),
            options,
            variables: config.variables.clone(),
            modules: config.modules.clone(),
            grace,
            is_in_allocation: config.is_allocation,
        }
    }

    /// Changes to the variables of a caller of Slurm's tools: inside of a job its variables would choose other
    /// options for ours, and make them steps of it.
    pub fn cleared(&self, caller: impl Iterator<Item = OsString>) -> Vec<OsString> {
        let of_slurm = |name: &OsString| {
            name.to_str()
                .is_some_and(|name| name.starts_with("SLURM_") && name != "SLURM_CONF")
        };
        let names = caller.filter(|name| !self.is_in_allocation && of_slurm(name));
        names.collect()
    }

    fn tool(&self, name: &str) -> String {
        quote(&self.bin.join(name).to_string_lossy())
    }
}

/// Has what would run on this machine run as a job.
pub(super) fn launch(
    local: Launch,
    folder: &Path,
    submission: &Submission,
    caller: impl Iterator<Item = OsString>,
) -> Launch {
    let Submission { request, name, .. } = *submission;
    let mut words = vec![request.tool("srun")];
    words.extend(["--quiet", "--input=none", "--export=ALL"].map(str::to_owned));
    words.push(format!("--job-name={name}"));
    words.push(quote(&format!("--chdir={}", folder.display())));
    words.extend(request.options.iter().map(|option| quote(option)));
    let script = script(&request.modules);
    let (witness, folder) = (submission.witness.display(), folder.display());
    let texts = [
        script,
        name.to_owned(),
        witness.to_string(),
        folder.to_string(),
        command(local.command, local.bracket.as_ref(), request.grace),
    ];
    words.extend(["bash", "-c"].map(str::to_owned));
    words.extend(texts.iter().map(|text| quote(text)));
    let own = request.variables.iter();
    let own = own.map(|(name, value)| (OsString::from(name), Some(OsString::from(value))));
    let cleared = request.cleared(caller).into_iter().map(|name| (name, None));
    let mut variables = local.variables;
    // What the definition and the environment say is stronger.
    let is_set = |name: &OsString| variables.iter().any(|(set, _)| set == name);
    let mut weaker: Vec<_> = own
        .chain(cleared)
        .filter(|(name, _)| !is_set(name))
        .collect();
    variables.append(&mut weaker);
    Launch {
        command: format!("exec {}", words.join(" ")),
        variables,
        bracket: Some(bracket(request, name)),
    }
}

/// What runs on the node in place of the command and what it needs around it here: what is made there is removed
/// there, when it has ended, or before Slurm would kill what could remove it.
fn command(command: String, bracket: Option<&Bracket>, grace: Duration) -> String {
    let Some(bracket) = bracket else {
        return command;
    };
    let [set_up, command, clean_up] =
        [&bracket.set_up, &command, &bracket.clean_up].map(|it| quote(it));
    let time = (grace * 3 / 4).as_secs_f64();
    // A handler runs at once only while the shell waits for what runs beside it.
    format!(
        "end() {{ bash -c {clean_up} >/dev/null 2>&1; }}\n\
         trap '{{ sleep {time}; end; }} & ' TERM INT HUP\n\
         trap end EXIT\n\
         bash -c {set_up} >/dev/null || exit\n\
         bash -c {command} & command=$!\n\
         until wait $command; code=$?; ! kill -0 $command 2>/dev/null; do :; done\n\
         exit $code"
    )
}

/// What a node runs: `$0` is the name of the job, `$1` the file for the end, `$2` the folder and `$3` the
/// command.
fn script(modules: &[String]) -> String {
    // A handler, since what is ignored stays so in the command: without one the shell would not live to
    // tell the command's own end.
    let mut lines = vec![
        "trap : TERM INT HUP".to_owned(),
        "start=${EPOCHREALTIME:-$(date +%s)}".to_owned(),
    ];
    lines.push(
        "cd -- \"$2\" || { echo \"error: $SLURMD_NODENAME does not see the folder $2; \
         it has to be on a file system that all nodes share\" >&2; exit 1; }"
            .to_owned(),
    );
    if !modules.is_empty() {
        let words: Vec<String> = modules.iter().map(|module| quote(module)).collect();
        lines.push(
            "type module >/dev/null 2>&1 || for file in /etc/profile.d/*modules.sh /etc/profile.d/*lmod.sh; \
             do [ ! -r \"$file\" ] || . \"$file\"; done"
                .to_owned(),
        );
        lines.push(format!("module load {} || exit", words.join(" ")));
        // The environment comes before what the modules have put into its place.
        lines.push(
            "for prefix in \"$VIRTUAL_ENV\" \"$CONDA_PREFIX\"; do [ -z \"$prefix\" ] || PATH=$prefix/bin:$PATH; done"
                .to_owned(),
        );
    }
    lines.push("bash -c \"$3\"".to_owned());
    lines.push("code=$? file=$1.$SLURM_PROCID".to_owned());
    // As a whole or not at all.
    lines.push(
        "echo \"$code $SLURM_NTASKS $SLURM_JOB_ID $start\" >\"$file.new\" && mv \"$file.new\" \"$file\""
            .to_owned(),
    );
    lines.push("exit $code".to_owned());
    lines.join("\n")
}

/// How the job is stopped. What waits has nothing to tidy up.
fn bracket(request: &JobRequest, name: &str) -> Bracket {
    let (scancel, squeue) = (request.tool("scancel"), request.tool("squeue"));
    let [ask, clean_up] = if request.is_in_allocation {
        // Names are those of jobs.
        let all = |options: &str| {
            format!(
                "for id in $({squeue} --noheader --steps --jobs=\"$SLURM_JOB_ID\" --format='%i %j' | \
                 sed -n 's/ {name}$//p'); do {scancel} --quiet {options} \"$id\"; done"
            )
        };
        [all("--signal=TERM"), all("")]
    } else {
        let user = rustix::process::getuid().as_raw();
        let all = format!("{scancel} --quiet --user={user} --name={name}");
        [
            format!("{all} --state=PENDING; exec {all} --signal=TERM"),
            format!("exec {all}"),
        ]
    };
    Bracket {
        set_up: String::new(),
        ask: Some(ask),
        clean_up,
    }
}

/// A name for the job of an attempt, with something that nobody else has at its end.
pub fn job_name(step: &str, unique: &str) -> String {
    const LONGEST: usize = 60;
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
    let step = step.chars().take(LONGEST);
    let step: String = step.map(|c| if allowed(c) { c } else { '-' }).collect();
    format!("{}-{unique}", step.trim_start_matches('-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_secs(1);

    fn config(options: &[&str]) -> Config {
        Config {
            options: options.iter().map(|&it| it.to_owned()).collect(),
            ..Config::default()
        }
    }

    fn resources(cpus: u64, memory: u64, gpus: u64) -> Resources {
        Resources { cpus, memory, gpus }
    }

    #[test]
    fn what_is_said_of_a_step_comes_after_what_is_said_of_all() {
        const ONE: &str = "--nodes=1 --ntasks=1";
        for (config, resources, timeout, expected) in [
            (config(&[]), resources(0, 0, 0), None, ONE.to_owned()),
            (
                config(&["--mem=1G", "--gpus-per-node=8", "--time=5"]),
                resources(4, (16 << 30) + 1, 1),
                Some(61),
                format!("{ONE} --mem=1G --time=5 --cpus-per-task=4 --mem=16385M --gpus=1 --time=2"),
            ),
            (
                config(&["--gpus-per-node=8"]),
                resources(1, 0, 0),
                Some(0),
                format!("{ONE} --gpus-per-node=8 --cpus-per-task=1 --time=1"),
            ),
            (
                Config {
                    has_tasks: true,
                    is_allocation: true,
                    ..config(&["--ntasks=4"])
                },
                resources(0, 0, 0),
                Some(3600),
                "--exact --ntasks=4 --time=60".to_owned(),
            ),
        ] {
            let timeout = timeout.map(Duration::from_secs);
            let request = JobRequest::new(Path::new("/bin"), &config, resources, timeout, GRACE);
            assert_eq!(request.options.join(" "), expected);
        }
    }

    fn launched(config: &Config) -> Launch {
        let request = JobRequest::new(
            Path::new("/opt/s l/bin"),
            config,
            resources(0, 0, 0),
            None,
            GRACE,
        );
        let submission = Submission {
            request: &request,
            name: "s-1",
            witness: Path::new("/p/mlruns/w"),
        };
        let caller = ["SLURM_NNODES", "SLURM_CONF", "HOME", "SLURMX"].map(OsString::from);
        let local = Launch::plain("echo 'it'; exit 3");
        launch(local, Path::new("/p/a b"), &submission, caller.into_iter())
    }

    #[test]
    fn a_job_of_its_own_knows_nothing_of_the_one_around_it() {
        let mut config = config(&["--constraint=a|b"]);
        config.variables.push(("A".into(), "1".into()));
        let launch = launched(&config);
        let begin = "exec '/opt/s l/bin/srun' --quiet --input=none --export=ALL --job-name=s-1 \
                     '--chdir=/p/a b' --nodes=1 --ntasks=1 '--constraint=a|b' bash -c '";
        assert!(launch.command.starts_with(begin), "{}", launch.command);
        let end = " s-1 /p/mlruns/w '/p/a b' 'echo '\"'\"'it'\"'\"'; exit 3'";
        assert!(launch.command.ends_with(end), "{}", launch.command);
        let set = ("A".into(), Some("1".into()));
        assert_eq!(launch.variables, [set, ("SLURM_NNODES".into(), None)]);
        let bracket = launch.bracket.unwrap();
        let ask = bracket.ask.unwrap();
        assert!(
            ask.contains("--name=s-1 --state=PENDING; exec ")
                && ask.ends_with("--name=s-1 --signal=TERM"),
            "{ask}"
        );
        assert!(bracket.clean_up.contains("--user=") && bracket.clean_up.ends_with("--name=s-1"));
    }

    #[test]
    fn a_step_of_the_job_that_we_are_in_keeps_its_variables_and_is_found_by_its_number() {
        let launch = launched(&Config {
            is_allocation: true,
            ..config(&[])
        });
        assert!(launch.variables.is_empty());
        assert!(launch.command.contains(" --exact "), "{}", launch.command);
        let bracket = launch.bracket.unwrap();
        for line in [bracket.ask.unwrap(), bracket.clean_up] {
            assert!(
                line.contains("'s/ s-1$//p'") && !line.contains("--name"),
                "{line}"
            );
        }
    }

    /// The lines for the node, run here, with what Slurm would set; and what was told of the end.
    fn on_node(modules: &[&str], command: &str) -> (std::process::Output, String) {
        let folder = tempfile::tempdir().unwrap();
        let witness = folder.path().join("w");
        let modules: Vec<String> = modules.iter().map(|&it| it.to_owned()).collect();
        let output = std::process::Command::new("bash")
            .args(["-c", &script(&modules), "name"])
            .args([&witness, folder.path()])
            .arg(command)
            .envs([
                ("SLURM_PROCID", "0"),
                ("SLURM_NTASKS", "1"),
                ("SLURM_JOB_ID", "7"),
            ])
            .output()
            .unwrap();
        let told = std::fs::read_to_string(folder.path().join("w.0"));
        (output, told.unwrap_or_default())
    }

    #[test]
    fn a_node_tells_the_end_of_the_command() {
        for (command, code) in [
            ("true", 0),
            ("exit 7", 7),
            ("kill -KILL $$", 137),
            ("kill -SEGV $$", 139),
            // The shell around it hears of it, too, and lives on.
            (
                "trap 'exit 3' TERM; kill -TERM $PPID $$; sleep 60 & wait $!",
                3,
            ),
            ("kill -TERM $PPID $$", 143),
            ("nothing-of-that-name", 127),
        ] {
            let (output, told) = on_node(&[], command);
            assert_eq!(output.status.code(), Some(code), "{command}");
            let begin = format!("{code} 1 7 ");
            assert!(told.starts_with(&begin), "{command}: {told}");
        }
    }

    #[test]
    fn what_is_made_on_a_node_is_removed_there() {
        let folder = tempfile::tempdir().unwrap();
        let made = folder.path().join("made").display().to_string();
        let bracket = Bracket {
            set_up: format!("echo shown; echo made >{made}"),
            clean_up: format!("echo removed >>{made}"),
            ask: None,
        };
        // The second one does not heed, and is ended from outside.
        let waits =
            format!("kill -TERM $PPID; until grep -q removed {made}; do sleep 0.01; done; exit 5");
        for (line, code, times) in [("exit 4", 4, 1), (&waits, 5, 2)] {
            let line = command(line.to_owned(), Some(&bracket), Duration::from_millis(40));
            let (output, told) = on_node(&[], &line);
            assert_eq!(output.status.code(), Some(code), "{output:?}");
            assert!(
                told.starts_with(&format!("{code} ")) && output.stdout.is_empty(),
                "{told}"
            );
            let removed = "removed\n".repeat(times);
            assert_eq!(
                std::fs::read_to_string(&made).unwrap(),
                format!("made\n{removed}")
            );
        }
        let set_up = "exit 9".to_owned();
        let broken = Bracket { set_up, ..bracket };
        let line = command("echo ran".to_owned(), Some(&broken), Duration::ZERO);
        let (output, _) = on_node(&[], &line);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(9), 0));
    }

    #[test]
    fn modules_are_loaded_before_the_command() {
        let module = "module() { echo \"$@\"; };";
        let exported = format!("{module} export -f module; exec bash -c \"$0\" \"$@\"");
        let folder = tempfile::tempdir().unwrap();
        let output = std::process::Command::new("bash")
            .args([
                "-c",
                &exported,
                &script(&["a b".into(), "c".into()]),
                "name",
            ])
            .args([&folder.path().join("w"), folder.path()])
            .arg("echo $PATH")
            .envs([("VIRTUAL_ENV", "/venv"), ("SLURM_PROCID", "0")])
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.starts_with("load a b c\n/venv/bin:"), "{text}");
        // Without such a command nothing runs.
        let (output, told) = on_node(&["x"], "echo ran");
        assert!(output.stdout.is_empty() && told.is_empty());
        assert_eq!(output.status.code(), Some(127));
    }

    #[test]
    fn a_folder_that_the_node_does_not_have_is_told() {
        let output = std::process::Command::new("bash")
            .args([
                "-c",
                &script(&[]),
                "name",
                "/nowhere/w",
                "/nowhere/at all",
                "echo ran",
            ])
            .env("SLURMD_NODENAME", "node7")
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1));
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(
            text.contains("node7 does not see the folder /nowhere/at all"),
            "{text}"
        );
        assert!(output.stdout.is_empty());
    }

    #[test]
    fn a_job_has_a_name_that_needs_no_quotes() {
        for (step, expected) in [
            ("train", "train-0a"),
            ("../a b,c", "a-b-c-0a"),
            ("ü", "-0a"),
            (&"x".repeat(100), &format!("{}-0a", "x".repeat(60))),
        ] {
            assert_eq!(
                job_name(step, "0a").trim_start_matches('-'),
                expected.trim_start_matches('-')
            );
        }
        assert!(!job_name("../a", "0a").starts_with('-'));
    }
}
