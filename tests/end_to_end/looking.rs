//! To look at a repository runs nothing of it: whatever its files hold, no process is started, no file
//! changes, nothing is waited for, and no character that a terminal would obey is printed.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::harness::{Ended, Folder, orchestrator};

/// Commands that only look.
const LOOKS: [&[&str]; 13] = [
    &["--list"],
    &["--list", "--format", "json"],
    &["--help"],
    &["--history"],
    &["--history=all", "--format", "json"],
    &["--show", "0"],
    &["--diff", "0", "1"],
    &["--logs"],
    &["--logs", "s", "--follow"],
    &["--completions", "bash"],
    &["--man"],
    &["--complete", "--steps", ""],
    &["--complete", "--"],
];

/// Commands that plan and run nothing.
const PLANS: [&[&str]; 3] = [
    &["--check"],
    &["--dry-run"],
    &["--dry-run", "--format", "json"],
];

/// Tools that the plan may have to ask.
const TOOLS: [&str; 12] = [
    "git",
    "docker",
    "podman",
    "conda",
    "mamba",
    "micromamba",
    "uv",
    "python",
    "python3",
    "ssh",
    "sh",
    "env",
];

/// What a file of a stranger may hold where a text is expected.
const TEXTS: [&str; 20] = [
    "--upload-pack=touch pwned; a://b",
    "--upload-pack=touch pwned;",
    "-oProxyCommand=touch pwned",
    "--output=pwned",
    "--exec-path=.",
    "ext::sh -c touch% pwned",
    "ssh://-oProxyCommand=touch%20pwned/x",
    "https://user:hidden@127.0.0.1:1/x.git",
    "file:///dev/zero",
    "../../../../dev/zero",
    "~/.ssh/id_rsa",
    "pipe.zip",
    "$(touch pwned)",
    "`touch pwned`",
    "a; touch pwned #",
    "x\"))\n;;\nesac\n}\ntouch pwned\n#",
    "\u{1b}]52;c;cHduZWQ=\u{7}\u{1b}[2J",
    "\u{9b}31m\r\u{8}\u{7f}",
    "\u{202e}txt.exe\u{2066}\u{2028}",
    "two\nlines (not part of `all`)\n    entry point main",
];

/// Places for a text in an MLproject; `TEXT` stands for it, as a quoted string.
const FIELDS: [&str; 22] = [
    "name: TEXT",
    "TEXT: 1",
    "env_manager: TEXT",
    "conda_env: TEXT",
    "python_env: TEXT",
    "docker_env: {image: TEXT}",
    "docker_env: {image: busybox, volumes: [TEXT]}",
    "docker_env: {image: busybox, environment: [TEXT]}",
    "docker_env: {image: busybox, environment: [[A, TEXT]]}",
    "steps: {TEXT: }",
    "steps: {s: {project: TEXT}}",
    "steps: {s: {project: s, version: TEXT}}",
    "steps: {s: {project: 'git://127.0.0.1:1/x', version: TEXT}}",
    "steps: {s: {entry_point: TEXT}}",
    "steps: {s: {parameters: {TEXT: 1}}}",
    "steps: {s: {parameters: {p: TEXT}}}",
    "steps: {s: {TEXT: 1}}",
    "entry_points: {TEXT: {command: 'true'}}",
    "entry_points: {s: {description: TEXT, command: TEXT}}",
    "entry_points: {s: {parameters: {TEXT: {type: TEXT, default: TEXT, description: TEXT}}, command: x}}",
    "entry_points: {s: {parameters: {p: {type: path, default: TEXT}, q: {type: uri, default: TEXT}}, command: x}}",
    "entry_points: {s: {inputs: [TEXT], outputs: [TEXT], command: x}}",
];

/// A pipeline's folder, and beside it a PATH of stand-ins that write down how they were called.
struct Observed {
    folder: Folder,
    /// Keeps the stand-ins.
    beside: Folder,
}

impl Observed {
    fn new() -> Observed {
        let (folder, beside) = (Folder::new(), Folder::new());
        let log = beside.path().join("calls");
        for tool in TOOLS {
            let name = format!("bin/{tool}");
            let script = format!(
                "#!/bin/sh\nfor word in {tool} \"$@\"; do printf '%s\\0' \"$word\"; done >> '{0}'; echo >> '{0}'\nexit 1\n",
                log.display()
            );
            beside.file(&name, script);
            let mode = std::fs::Permissions::from_mode(0o755);
            std::fs::set_permissions(beside.path().join(name), mode).unwrap();
        }
        // Tools that may start others are started by it.
        let bash = beside.path().join("bin/bash");
        std::os::unix::fs::symlink("/bin/bash", bash).unwrap();
        Observed { folder, beside }
    }

    fn run(&self, arguments: &[&str]) -> Ended {
        let start = Instant::now();
        let program = orchestrator();
        let ended = self
            .folder
            .program_in_path(program.to_str().unwrap(), arguments)
            .env("PATH", self.beside.path().join("bin"))
            .env("XDG_CACHE_HOME", self.beside.path().join("cache"))
            .env("HOME", self.beside.path().join("home"))
            .run();
        let took = start.elapsed();
        assert!(took < Duration::from_secs(5), "{arguments:?} took {took:?}");
        ended
    }

    /// The calls of the stand-ins since the last time.
    fn calls(&self) -> Vec<Vec<String>> {
        let log = self.beside.path().join("calls");
        let text = std::fs::read(&log).unwrap_or_default();
        std::fs::remove_file(log).ok();
        let text = String::from_utf8_lossy(&text).into_owned();
        let calls = text.split_terminator("\0\n");
        calls
            .map(|call| call.split('\0').map(str::to_owned).collect())
            .collect()
    }
}

/// All files below a folder, with their content where they are regular files.
fn snapshot(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            let kind = path.symlink_metadata().unwrap().file_type();
            if kind.is_dir() {
                folders.push(path.clone());
            }
            let content = if kind.is_file() {
                std::fs::read(&path).unwrap()
            } else {
                Vec::new()
            };
            found.insert(path, content);
        }
    }
    found
}

#[track_caller]
fn assert_printable(ended: &Ended, what: &str) {
    for text in [ended.stdout(), ended.stderr()] {
        let is_obeyed = |character: char| {
            (character.is_control() && !matches!(character, '\n' | '\t'))
                || matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        };
        assert!(!text.contains(is_obeyed), "{what}: {text:?}");
        assert!(!text.contains("hidden"), "{what}: {text}");
    }
}

fn mkfifo(path: &Path) {
    let status = std::process::Command::new("mkfifo").arg(path).status();
    assert!(status.unwrap().success());
}

#[test]
fn no_text_of_a_file_runs_anything_or_reaches_the_terminal_as_it_is() {
    let observed = Observed::new();
    let folder = &observed.folder;
    folder.step("s", "parameters: {p: {default: 1}}\ncommand: echo {p}");
    mkfifo(&folder.path().join("pipe.zip"));
    for field in FIELDS {
        for text in TEXTS {
            let quoted = serde_json::to_string(text).unwrap();
            folder.file("MLproject", field.replace("TEXT", &quoted));
            let before = snapshot(&folder.path());
            let what = |arguments: &[&str]| format!("{field} {text:?} {arguments:?}");
            for arguments in LOOKS {
                let ended = observed.run(arguments);
                assert_printable(&ended, &what(arguments));
            }
            let calls = observed.calls();
            assert!(calls.is_empty(), "{field} {text:?}: {calls:?}");
            for arguments in PLANS {
                let ended = observed.run(&[arguments, &["--steps", "s"]].concat());
                assert_printable(&ended, &what(arguments));
            }
            for call in observed.calls() {
                assert_separated(&call, text);
            }
            assert_eq!(before, snapshot(&folder.path()), "{field} {text:?}");
        }
    }
    assert!(!Path::new("/pwned").exists());
}

/// A foreign text is an argument of a tool only behind what ends its options, or as a part of a word
/// that is no option.
#[track_caller]
fn assert_separated(call: &[String], text: &str) {
    let end = call
        .iter()
        .position(|word| word == "--end-of-options" || word == "--");
    for (position, word) in call.iter().enumerate() {
        let is_behind = end.is_some_and(|end| end < position);
        assert!(
            is_behind || !word.contains(text) || !word.starts_with('-'),
            "{call:?}"
        );
    }
}

#[test]
fn a_repository_is_listed_without_its_remote_projects() {
    let observed = Observed::new();
    let folder = &observed.folder;
    folder.file(
        "MLproject",
        "env_manager: local\nsteps:\n  x: {project: 'https://127.0.0.1:1/x.git', version: v1}\n  \
         y: {project: 'http://127.0.0.1:1/x.zip'}\n  z: {project: z.zip}\n",
    );
    folder.file("z.zip", "no zip file");
    let listed = observed.run(&["--list"]);
    listed.ends(0);
    assert_eq!(
        listed.stdout(),
        "x\n    not fetched: `https://127.0.0.1:1/x.git`\ny\n    not fetched: `http://127.0.0.1:1/x.zip`\n\
         z\n    not fetched: `z.zip`\n"
    );
    assert_eq!(observed.calls(), [[""; 0]; 0]);
    assert!(!observed.beside.exists("cache"));
}

#[test]
fn what_is_no_regular_file_is_refused_without_waiting() {
    for make in [
        "mkfifo FILE",
        "ln -s /dev/zero FILE",
        "mkdir FILE",
        "truncate -s 600M FILE",
    ] {
        for place in ["MLproject", "s/MLproject", "other/MLproject", "a.zip"] {
            let observed = Observed::new();
            let folder = &observed.folder;
            folder.file(
                "MLproject",
                "env_manager: local\nsteps: {s: {}, z: {project: a.zip}}\n",
            );
            folder.step("s", "command: x");
            std::fs::create_dir(folder.path().join("other")).unwrap();
            std::fs::remove_file(folder.path().join(place)).ok();
            let script = make.replace("FILE", place);
            folder
                .program_in_path("bash", &["-c", &script])
                .run()
                .ends(0);
            for arguments in [
                &["--list"][..],
                &["--help"],
                &["--check", "--steps", "s,z"],
                &["--complete", "--"],
            ] {
                let ended = observed.run(arguments);
                let said = ended.stdout() + &ended.stderr();
                if arguments == ["--list"] {
                    let reasons = [
                        "no folder or zip file",
                        "no MLproject file",
                        "regular file",
                        "bytes",
                        "too many",
                        "not fetched",
                        "no zip file",
                    ];
                    assert!(
                        reasons.iter().any(|reason| said.contains(reason)),
                        "{make} {place}: {said}"
                    );
                }
            }
            assert_eq!(observed.calls(), [[""; 0]; 0]);
        }
    }
}

#[test]
fn a_newline_in_a_text_makes_no_line_of_ours() {
    let folder = Folder::new();
    folder.file(
        "MLproject",
        "name: \"a\\nb\"\nenv_manager: local\nsteps: {\"s\\nfake: fake\": {project: s}}",
    );
    folder.step(
        "s",
        "description: \"one\\nfake: a step\"\nparameters: {p: {default: \"1\\nfake = 2\", description: \"x\\n    --fake (str)\"}}\ncommand: test -n {p} && false",
    );
    folder.orchestrator(&["--list"]).run().succeeds(
        "s\\nfake: fake: one fake: a step\n    entry point main, environment local\n    \
         --p (string, default: '1\\nfake = 2')  x --fake (str)\ns: one fake: a step (not part of `all`)\n    \
         entry point main, environment local\n    --p (string, default: '1\\nfake = 2')  x --fake (str)\n",
    );
    let plan = folder.orchestrator(&["--dry-run", "--steps", "s"]).run();
    assert!(
        plan.stdout().contains("   p = 1\\nfake = 2\n"),
        "{}",
        plan.stdout()
    );
    let ended = folder.orchestrator(&["--no-tracking"]).run();
    assert!(
        ended.stderr().lines().all(|line| !line.starts_with("fake")),
        "{}",
        ended.stderr()
    );
}
