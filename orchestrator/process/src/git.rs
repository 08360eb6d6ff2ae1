//! Git, started so that nothing but git runs: no hook, no monitor, no prompt, and not the repository
//! around us.

use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::process::Output;
use std::time::Duration;

use crate::command::{LONGEST_ANSWER, Question, ask, ask_server as ask_supervised};

/// What git answered, or what it complained of on standard error; both without blanks at the ends.
pub type Answer = Result<String, String>;

/// Settings that win over those of every file. A folder's own `.git/config` may name programs by the
/// first two, and git runs them when it only looks.
const SETTINGS: [&str; 9] = [
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
    "credential.interactive=never",
    // Transports that start other programs, such as `ext::`, are for those who type them.
    "protocol.allow=never",
    "protocol.https.allow=always",
    "protocol.http.allow=always",
    "protocol.ssh.allow=always",
    "protocol.git.allow=always",
    "protocol.file.allow=user",
];

/// For servers that take the connection and say nothing.
const SLOWEST: [&str; 2] = ["http.lowSpeedLimit=100", "http.lowSpeedTime=30"];

/// What tells git where the repository is, and what a repository is to be made of. Git sets these for
/// its hooks; `git rev-parse --local-env-vars` lists most of them.
const LOCATION: [&str; 14] = [
    "GIT_ALLOW_PROTOCOL",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_CONFIG",
    "GIT_DIR",
    "GIT_GRAFT_FILE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_SHALLOW_FILE",
    "GIT_TEMPLATE_DIR",
    "GIT_WORK_TREE",
];

/// How long git may take to look at a folder of this machine.
const LOOKING: Duration = Duration::from_secs(10);

/// Asks about the work tree in which a folder is, for ten seconds at most. Reaches no server. Errs when
/// there is no git on PATH or it is too slow.
pub fn ask_tree(folder: &Path, arguments: &[&str]) -> io::Result<Answer> {
    Ok(answer(&git(folder, &words(arguments), Reach::Tree)?))
}

/// As [`ask_tree`], for names of files: all bytes of the answer, or an error if they are too many.
pub fn list_tree(folder: &Path, arguments: &[&OsStr]) -> io::Result<Result<Vec<u8>, String>> {
    let output = git(folder, arguments, Reach::Tree)?;
    // A cut list would hide files.
    if output.stdout.len() as u64 >= LONGEST_ANSWER {
        return Err(io::Error::other("`git` lists too many files"));
    }
    Ok(answer(&output).map(|_| output.stdout))
}

/// Asks what may need a server, in a folder that holds nothing of the user's. No longer than the limit,
/// and ended with us. Errs as [`ask_tree`] does.
pub fn ask_server(folder: &Path, arguments: &[&str], limit: Duration) -> io::Result<Answer> {
    let output = git(folder, &words(arguments), Reach::Server(limit))?;
    Ok(answer(&output))
}

/// How far git goes for an answer.
#[derive(Clone, Copy)]
enum Reach {
    Tree,
    /// For so long.
    Server(Duration),
}

fn words<'a>(arguments: &[&'a str]) -> Vec<&'a OsStr> {
    arguments.iter().copied().map(OsStr::new).collect()
}

fn git(folder: &Path, arguments: &[&OsStr], reach: Reach) -> io::Result<Output> {
    let settings = SETTINGS.iter().chain(&SLOWEST);
    let mut words: Vec<&OsStr> = settings.flat_map(|it| ["-c", it]).map(OsStr::new).collect();
    words.extend(arguments);
    let mut variables: Vec<(&str, Option<&str>)> =
        LOCATION.iter().map(|name| (*name, None)).collect();
    variables.extend([
        ("GIT_TERMINAL_PROMPT", Some("0")),
        // Set and empty, it keeps git from every other program that asks.
        ("GIT_ASKPASS", Some("")),
        ("SSH_ASKPASS_REQUIRE", Some("never")),
        // Its messages are looked at by people only, but they should not change with the machine.
        ("LC_MESSAGES", Some("C")),
    ]);
    let question = |limit| Question {
        program: "git",
        arguments: &words,
        folder,
        variables: &variables,
        limit,
    };
    match reach {
        Reach::Tree => ask(&question(LOOKING)),
        Reach::Server(limit) => ask_supervised(&question(limit)),
    }
}

fn answer(output: &Output) -> Answer {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() {
        Ok(text(&output.stdout))
    } else {
        Err(text(&output.stderr))
    }
}
