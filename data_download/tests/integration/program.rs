//! The program under test in a folder of its own, and what must be true after it ended.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use sha2::{Digest, Sha256};
use tempfile::TempDir;

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_data_download");

/// An empty working folder, removed at the end of the test.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Folder(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, content).unwrap();
        path
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    pub(crate) fn names(&self) -> BTreeSet<String> {
        let entries = fs::read_dir(self.0.path()).unwrap();
        entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    }

    /// Prepares `program` to run here. The environment is empty: a proxy of the machine must not
    /// come between a test and its server.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = heeding(program);
        command.env_clear().current_dir(self.0.path());
        command
    }

    #[must_use]
    pub(crate) fn download(&self, arguments: &[&str]) -> Ended {
        Ended::of(self.command(PROGRAM).args(arguments))
    }

    /// Expects that a download of `url` to an existing `raw_data.csv` fails with exactly `stderr`
    /// and changes nothing.
    #[track_caller]
    pub(crate) fn assert_refused(&self, url: &str, stderr: &str) {
        self.write("raw_data.csv", "old");
        let before = self.names();
        self.download(&["--data_url", url, "--retries", "0"])
            .failed(stderr);
        assert_eq!(self.read("raw_data.csv"), b"old");
        assert_eq!(self.names(), before);
    }
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

/// Bytes of which no part looks like another.
pub(crate) fn bytes(count: usize) -> Vec<u8> {
    let mut state = 1u32;
    let next = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    (0..count).map(next).collect()
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    let digits: Vec<_> = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    digits.concat()
}

/// A program that has ended.
pub(crate) struct Ended {
    stdout: String,
    stderr: String,
    code: Option<i32>,
}

impl Ended {
    pub(crate) fn of(command: &mut Command) -> Self {
        Self::of_output(command.stdout(Stdio::piped()))
    }

    /// The same with the standard output that the command has.
    pub(crate) fn of_output(command: &mut Command) -> Self {
        eprintln!("running {command:?}");
        let child = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn();
        let Output {
            status,
            stdout,
            stderr,
        } = child.unwrap().wait_with_output().unwrap();
        Ended {
            stdout: String::from_utf8(stdout).unwrap(),
            stderr: String::from_utf8(stderr).unwrap(),
            code: status.code(),
        }
    }

    /// Expects success and the summary for `bytes` bytes written to `output`.
    #[track_caller]
    pub(crate) fn succeeded(&self, bytes: usize, output: &str) {
        let seconds = self
            .stderr
            .strip_prefix(&format!("data_download: {bytes} bytes in "))
            .and_then(|rest| rest.strip_suffix(&format!(" s -> {output}\n")));
        let seconds = seconds.unwrap_or_else(|| panic!("unexpected stderr: {}", self.stderr));
        seconds.parse::<f64>().unwrap();
        assert_eq!((self.stdout.as_str(), self.code), ("", Some(0)));
    }

    /// Expects success and this summary, but for the seconds; also the lines before it.
    #[track_caller]
    pub(crate) fn said(&self, expected: &str) {
        let words = self.stderr.split(' ').collect::<Vec<_>>();
        let mut shown = Vec::new();
        for pair in words.windows(2) {
            let is_time = matches!(pair[1].trim_end_matches(','), "s" | "s\n");
            let is_time = is_time && pair[0].parse::<f64>().is_ok();
            shown.push(if is_time { "X" } else { pair[0] });
        }
        shown.extend(words.last());
        assert_eq!(shown.join(" ").trim_end(), expected, "{}", self.stderr);
        assert_eq!((self.stdout.as_str(), self.code), ("", Some(0)));
    }

    pub(crate) fn stderr(&self) -> &str {
        &self.stderr
    }

    pub(crate) fn code(&self) -> Option<i32> {
        self.code
    }

    /// Expects exit code 1 and exactly this on stderr.
    #[track_caller]
    pub(crate) fn failed(&self, stderr: &str) {
        assert_eq!(self.stderr.trim_end(), stderr);
        assert_eq!((self.stdout.as_str(), self.code), ("", Some(1)));
    }

    /// Expects this exit code and a text on stderr that depends in part on the machine.
    #[track_caller]
    pub(crate) fn failed_with(&self, code: i32, part_of_stderr: &str) {
        assert!(self.stderr.contains(part_of_stderr), "{}", self.stderr);
        assert_eq!((self.stdout.as_str(), self.code), ("", Some(code)));
    }
}
