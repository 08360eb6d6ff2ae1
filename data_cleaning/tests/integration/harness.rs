//! A folder of its own for each test, and the binary run in it.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_data_cleaning");

/// Those of the files that the binary can write: it may be built for CSV alone.
pub(crate) fn writable(names: &[&'static str]) -> Vec<&'static str> {
    let mut names = names.to_vec();
    names.retain(|name| cfg!(feature = "tables") || name.ends_with("csv"));
    names
}

/// A temporary folder; the binary runs in it, so that messages hold relative paths only.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn empty() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// A folder with an input file under the name that is the default.
    pub(crate) fn with(raw_data: impl AsRef<[u8]>) -> Self {
        let folder = Self::empty();
        folder.write("raw_data.csv", raw_data);
        folder
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.path(name), bytes).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// The names of all files in the folder, hidden ones too.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Outcome {
        self.run_command(Command::new(BINARY).args(arguments))
    }

    /// Starts the binary in a shell, after `setup`, with what it says to be read.
    pub(crate) fn start(&self, setup: &str, arguments: &[&str]) -> Child {
        let mut command = heeding("bash");
        command.args(["-c", &format!("{setup} exec \"$0\" \"$@\""), BINARY]);
        command
            .args(arguments)
            .current_dir(self.0.path())
            .env_clear();
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        command.stderr(Stdio::piped()).spawn().unwrap()
    }

    pub(crate) fn make_pipe(&self, name: &str) {
        self.run_command(Command::new("/usr/bin/mkfifo").arg(name));
    }

    pub(crate) fn run_command(&self, command: &mut Command) -> Outcome {
        command.current_dir(self.0.path()).env_clear();
        eprintln!("*** {command:?}");
        Outcome::from(command.output().unwrap())
    }
}

/// How a run ended and all that it said.
pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl From<Output> for Outcome {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Outcome {
    #[track_caller]
    pub(crate) fn assert_success(&self, stderr: &str) {
        let actual = (self.code, self.stdout.as_str(), self.stderr.as_str());
        assert_eq!(actual, (Some(0), "", format!("{stderr}\n").as_str()));
    }

    #[track_caller]
    pub(crate) fn assert_failure(&self, error: &str) {
        let actual = (self.code, self.stdout.as_str(), self.stderr.as_str());
        assert_eq!(actual, (Some(1), "", format!("error: {error}\n").as_str()));
    }
}

/// The cleaned file and the summary, after checking that there is nothing else to see.
#[track_caller]
pub(crate) fn clean(raw: impl AsRef<[u8]>, arguments: &[&str]) -> (String, String) {
    let folder = Folder::with(raw.as_ref());
    let outcome = folder.run(arguments);
    assert_eq!(
        (outcome.code, outcome.stdout.as_str()),
        (Some(0), ""),
        "{}",
        outcome.stderr
    );
    assert_eq!(folder.names(), ["clean_data.csv", "raw_data.csv"]);
    assert_eq!(fs::read(folder.path("raw_data.csv")).unwrap(), raw.as_ref());
    (folder.read("clean_data.csv"), outcome.stderr)
}

/// Checks that every row of `raw` is kept and that the file comes out as `expected`.
#[track_caller]
pub(crate) fn assert_cleaned(raw: impl AsRef<[u8]>, expected: &str) {
    assert_eq!(clean(raw, &[]).0, expected);
}

/// A program that heeds signals, also where the tests themselves were started to ignore some, as by
/// `nohup` or in the background of a script: what we run would go on to ignore them.
fn heeding(program: &str) -> Command {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    // SIGHUP, SIGINT, SIGQUIT and SIGTERM.
    let is_any = ignored.is_some_and(|mask| mask & 0b100_0000_0000_0111 != 0);
    if !is_any {
        return Command::new(program);
    }
    let mut command = Command::new("/usr/bin/env");
    command.args(["--default-signal=HUP,INT,QUIT,TERM", program]);
    command
}
