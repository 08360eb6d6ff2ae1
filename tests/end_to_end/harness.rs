//! Real binaries in temporary folders: build once, run, compare everything that was said.

use std::ffi::OsStr;
use std::fmt::Write;
use std::io::{Read, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant};

/// The repository.
pub(crate) fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the crate lies in the repository")
}

/// The folder of the orchestrator, built as it is now.
///
/// Cargo gives a test the binaries of its own package only, and a file found in `target/` may be
/// yesterday's, so cargo is asked.
static BINARIES: LazyLock<PathBuf> = LazyLock::new(|| build("orchestrator"));

/// The path of the orchestrator.
pub(crate) fn orchestrator() -> PathBuf {
    BINARIES.join("orchestrator")
}

/// The steps, in the same folder; polars makes this the longest part of a build.
static STEPS: LazyLock<()> = LazyLock::new(|| {
    // One by one, as the README's commands do: together the packages could select other features.
    build("data_download");
    build("data_cleaning");
});

/// Has the steps built, for tests that run them.
pub(crate) fn with_steps() {
    LazyLock::force(&STEPS);
}

fn build(package: &str) -> PathBuf {
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .current_dir(repository())
        .args(["build", "--message-format=json", "-p", package]);
    // What cargo says of the package `tests` would change the environment that build scripts look
    // at, and so make it compile polars again.
    for (name, _) in std::env::vars_os() {
        if is_of_package(&name.to_string_lossy()) {
            cargo.env_remove(name);
        }
    }
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    let output = cargo.stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "{package} does not build");
    let messages = String::from_utf8(output.stdout).unwrap();
    let executable = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .find_map(|message| Some(PathBuf::from(message.get("executable")?.as_str()?)))
        .expect("cargo names the executable");
    executable.parent().unwrap().to_owned()
}

fn is_of_package(variable: &str) -> bool {
    variable.starts_with("CARGO_PKG_") || variable.starts_with("CARGO_MANIFEST_")
}

/// A temporary folder, and what is run in it.
pub(crate) struct Folder {
    temporary: tempfile::TempDir,
}

impl Folder {
    pub(crate) fn new() -> Folder {
        Folder {
            temporary: tempfile::tempdir().unwrap(),
        }
    }

    /// One in a folder that is no temporary one.
    pub(crate) fn new_in(folder: &Path) -> Folder {
        Folder {
            temporary: tempfile::tempdir_in(folder).unwrap(),
        }
    }

    pub(crate) fn path(&self) -> PathBuf {
        // On some systems the temporary folder is reached through a link; children report the real one.
        self.temporary.path().canonicalize().unwrap()
    }

    /// Writes a file, and the folders above it.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> &Folder {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
        self
    }

    /// Writes a step `name` whose entry point `main` has the given body, indented by four.
    pub(crate) fn step(&self, name: &str, main: &str) -> &Folder {
        let body = format!("    {}\n", main.replace('\n', "\n    "));
        self.file(
            &format!("{name}/MLproject"),
            format!("name: {name}\nentry_points:\n  main:\n{body}"),
        )
    }

    #[track_caller]
    pub(crate) fn read(&self, name: &str) -> String {
        let path = self.path().join(name);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// The log of the only attempt at a step that was made in this folder.
    #[track_caller]
    pub(crate) fn log(&self, step: &str) -> String {
        let [log] = self.logs(step).try_into().unwrap();
        log
    }

    /// The logs of all attempts at a step, in no order.
    pub(crate) fn logs(&self, step: &str) -> Vec<String> {
        let name = format!("/artifacts/{step}.log");
        let files = self.all_files();
        let logs = files.iter().filter(|file| file.ends_with(&name));
        logs.map(|log| self.read(log)).collect()
    }

    pub(crate) fn exists(&self, name: &str) -> bool {
        self.path().join(name).exists()
    }

    /// The names of all files below, sorted, but for those that every run leaves: its logs and record.
    pub(crate) fn files(&self) -> Vec<String> {
        let mut files = self.all_files();
        files.retain(|name| !name.starts_with("mlruns/") && name != "mlflow.db");
        files
    }

    fn all_files(&self) -> Vec<String> {
        fn walk(folder: &Path, root: &Path, found: &mut Vec<String>) {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    walk(&path, root, found);
                    continue;
                }
                let name = path.strip_prefix(root).unwrap();
                found.push(name.to_string_lossy().into_owned());
            }
        }
        let mut found = Vec::new();
        walk(&self.path(), &self.path(), &mut found);
        found.sort();
        found
    }

    /// The orchestrator, in this folder.
    pub(crate) fn orchestrator(&self, arguments: &[&str]) -> Run<'_> {
        self.program_in_path("orchestrator", arguments)
    }

    /// Any program, in this folder, with our binaries first on PATH and few variables else.
    pub(crate) fn program_in_path(&self, program: &str, arguments: &[&str]) -> Run<'_> {
        let outside = std::env::var_os("PATH").unwrap_or_default();
        let path = std::iter::once(BINARIES.clone()).chain(std::env::split_paths(&outside));
        let path = std::env::join_paths(path).unwrap();
        let mut command = heeding(program);
        command
            .args(arguments)
            .current_dir(self.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
            .env_clear()
            .env("PATH", path)
            .env("HOME", self.path())
            .env("LC_ALL", "C.UTF-8");
        for kept in ["RUSTUP_TOOLCHAIN", "CARGO_TARGET_DIR", "TMPDIR"] {
            if let Some(value) = std::env::var_os(kept) {
                command.env(kept, value);
            }
        }
        // A cargo that a step starts should find what is downloaded and installed already.
        for (kept, folder) in [("CARGO_HOME", ".cargo"), ("RUSTUP_HOME", ".rustup")] {
            let home = std::env::home_dir().map(|home| home.join(folder).into_os_string());
            if let Some(value) = std::env::var_os(kept).or(home) {
                command.env(kept, value);
            }
        }
        Run {
            folder: self,
            command,
        }
    }
}

/// A program that heeds signals, also where the tests themselves were started to ignore some, as by
/// `nohup` or in the background of a script: what we run would go on to ignore them.
fn heeding(program: &str) -> Command {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    // SIGHUP, SIGINT, SIGQUIT and SIGTERM.
    let is_any = ignored.is_some_and(|mask| mask & 0b100_0000_0000_0111 != 0);
    if !is_any {
        return Command::new(program);
    }
    // Not by PATH, which a test may have replaced.
    let mut command = Command::new("/usr/bin/env");
    command.args(["--default-signal=HUP,INT,QUIT,TERM", program]);
    command
}

/// A program about to be run.
#[must_use]
pub(crate) struct Run<'a> {
    folder: &'a Folder,
    pub(crate) command: Command,
}

impl Run<'_> {
    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Runs in a folder below.
    pub(crate) fn inside(mut self, folder: &str) -> Self {
        self.command.current_dir(self.folder.path().join(folder));
        self
    }

    pub(crate) fn stdin(mut self, stdin: impl Into<Stdio>) -> Self {
        self.command.stdin(stdin);
        self
    }

    /// Writes its stdout elsewhere than to the end's.
    pub(crate) fn stdout(mut self, stdout: impl Into<Stdio>) -> Self {
        self.command.stdout(stdout);
        self
    }

    /// Writes its stderr elsewhere than to the end's.
    pub(crate) fn stderr(mut self, stderr: impl Into<Stdio>) -> Self {
        self.command.stderr(stderr);
        self
    }

    /// Starts, with its output kept for the end.
    pub(crate) fn start(mut self) -> Started {
        eprintln!("in {}: {:?}", self.folder.path().display(), self.command);
        Started {
            child: Some(self.command.spawn().unwrap()),
            folder: self.folder.path(),
        }
    }

    /// Runs to the end; says on our own stderr what is run, so that a failure can be repeated by hand.
    pub(crate) fn run(mut self) -> Ended {
        eprintln!("in {}: {:?}", self.folder.path().display(), self.command);
        let output = self.command.output().unwrap();
        Ended {
            output,
            folder: self.folder.path(),
        }
    }
}

/// A program that is running; it is killed if the test fails before its end.
pub(crate) struct Started {
    child: Option<Child>,
    folder: PathBuf,
}

impl Started {
    /// Sends a signal by its name, such as `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.pid().to_string();
        let status = Command::new("kill").args(["-s", name, &pid]).status();
        assert!(status.unwrap().success());
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    /// Waits for the end.
    pub(crate) fn end(mut self) -> Ended {
        let output = self.child.take().unwrap().wait_with_output().unwrap();
        Ended {
            output,
            folder: self.folder.clone(),
        }
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().ok();
            child.wait().ok();
        }
    }
}

/// How many rounds a long test makes: all, or with the variable `SHORT` a tenth.
pub(crate) fn rounds(all: u64) -> u64 {
    match std::env::var_os("SHORT") {
        Some(_) => all.div_ceil(10),
        None => all,
    }
}

/// Waits until something is the case, half a minute at most.
#[track_caller]
pub(crate) fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !is_so() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Whether a process has not ended yet; one that only waits for its parent to notice has.
pub(crate) fn is_alive(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ")
        .is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

/// A text without what differs from run to run: `[TIME]` for `0.1 s`, `[RUN]` for the name of a run.
pub(crate) fn normal(text: &str) -> String {
    let is_run = |part: &str| part.len() == 32 && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    let parts = text.split('/');
    let parts: Vec<&str> = parts
        .map(|part| if is_run(part) { "[RUN]" } else { part })
        .collect();
    let (mut shown, text) = (String::new(), parts.join("/"));
    let mut rest = text.as_str();
    while let Some(end) = rest.find(" s") {
        let number = rest[..end]
            .trim_end_matches(|c: char| c.is_ascii_digit() || c == '.')
            .len();
        let parts = rest[number..end].split_once('.');
        let is_time = parts.is_some_and(|(whole, part)| !whole.is_empty() && !part.is_empty());
        shown += &rest[..if is_time { number } else { end }];
        shown += if is_time { "[TIME]" } else { " s" };
        rest = &rest[end + 2..];
    }
    shown + rest
}

/// A program that has ended. The temporary folder is written as `[DIR]` in what it said.
#[derive(Debug)]
pub(crate) struct Ended {
    output: Output,
    folder: PathBuf,
}

impl Ended {
    pub(crate) fn stdout(&self) -> String {
        self.normal(&self.output.stdout)
    }

    pub(crate) fn stderr(&self) -> String {
        self.normal(&self.output.stderr)
    }

    fn normal(&self, bytes: &[u8]) -> String {
        normal(&String::from_utf8_lossy(bytes)).replace(&*self.folder.to_string_lossy(), "[DIR]")
    }

    /// Asserts exit code 0, and what was printed on stdout.
    #[track_caller]
    pub(crate) fn succeeds(self, stdout: &str) -> Ended {
        self.ends(0);
        assert_eq!(
            self.stdout(),
            stdout,
            "stdout; stderr was:\n{}",
            self.stderr()
        );
        self
    }

    /// Asserts the exit code, nothing on stdout, and all of stderr.
    #[track_caller]
    pub(crate) fn fails(self, code: i32, stderr: &str) -> Ended {
        self.ends(code);
        assert_eq!(self.stdout(), "");
        assert_eq!(self.stderr(), stderr);
        self
    }

    #[track_caller]
    pub(crate) fn ends(&self, code: i32) {
        assert_eq!(
            self.output.status.code(),
            Some(code),
            "stderr:\n{}",
            self.stderr()
        );
    }

    /// Asserts that a signal has ended the program.
    #[track_caller]
    pub(crate) fn dies_of(&self, signal: i32) {
        assert_eq!(
            self.output.status.signal(),
            Some(signal),
            "{}",
            self.stderr()
        );
    }

    /// Asserts that a signal ended the program, or that it says so by its exit code.
    #[track_caller]
    pub(crate) fn was_stopped_by(&self, signal: i32) {
        let status = self.output.status;
        let is_so = status.signal() == Some(signal) || status.code() == Some(128 + signal);
        assert!(is_so, "{status}: {}", self.stderr());
    }

    /// Asserts that stderr holds a text.
    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Ended {
        assert!(
            self.stderr().contains(text),
            "{text:?} is not in stderr:\n{}",
            self.stderr()
        );
        self
    }

    /// Asserts that stdout holds a text.
    #[track_caller]
    pub(crate) fn prints(self, text: &str) -> Ended {
        assert!(
            self.stdout().contains(text),
            "{text:?} is not in stdout:\n{}",
            self.stdout()
        );
        self
    }

    /// stdout as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.output.stdout)
            .unwrap_or_else(|error| panic!("{error}:\n{}", self.stdout()))
    }
}

/// A web server on loopback that serves one body at every path, until it is dropped.
pub(crate) struct Server {
    port: u16,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub(crate) fn new(body: impl Into<Vec<u8>>) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (seen, body) = (Arc::clone(&requests), body.into());
        // The thread ends with the test process.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let request = answer(stream.unwrap(), &body);
                seen.lock().unwrap().push(request);
            }
        });
        Server { port, requests }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}/{path}", self.port)
    }

    /// The first lines of the requests so far.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

fn answer(mut stream: TcpStream, body: &[u8]) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if stream.read(&mut byte).unwrap() == 0 {
            break;
        }
        head.push(byte[0]);
    }
    let mut answer = String::new();
    write!(
        answer,
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    )
    .unwrap();
    stream.write_all(answer.as_bytes()).unwrap();
    stream.write_all(body).unwrap();
    String::from_utf8_lossy(&head)
        .lines()
        .next()
        .unwrap_or_default()
        .to_owned()
}
