//! A user's terminal: what is written to it becomes a screen, and keys can be pressed.

use std::fs::File;
use std::io::{Read, Write};
use std::num::NonZero;
use std::os::fd::OwnedFd;
use std::process::Child;
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::harness::{Folder, normal};

/// A program that runs on a terminal; it is killed if the test fails before its end.
pub(crate) struct Terminal {
    child: Option<Child>,
    keyboard: File,
    seen: Arc<(Mutex<Seen>, Condvar)>,
    reader: Option<JoinHandle<()>>,
}

pub(crate) struct Seen {
    parser: vt100::Parser,
    /// All that was written, byte for byte.
    pub(crate) bytes: Vec<u8>,
}

impl Seen {
    pub(crate) fn screen(&self) -> &vt100::Screen {
        self.parser.screen()
    }

    /// What is on the screen, without blanks at the ends of lines, and empty lines at its end.
    pub(crate) fn text(&self) -> String {
        normal(&self.parser.screen().contents())
    }
}

impl Terminal {
    /// Runs a command line in bash in a folder, on a terminal that is that of its session, with some
    /// variables.
    pub(crate) fn start(
        folder: &Folder,
        line: &str,
        (rows, columns): (u16, u16),
        variables: &[(&str, &str)],
    ) -> Terminal {
        let mut run = folder.program_in_path("setsid", &["--ctty", "bash", "-c", line]);
        run = run.env("TERM", "xterm-256color");
        for (name, value) in variables {
            run = run.env(name, value);
        }
        eprintln!("in {}: {line}", folder.path().display());
        let mut command = run.command;
        let (keyboard, screen) = open(rows, columns);
        command
            .stdin(screen.try_clone().unwrap())
            .stdout(screen.try_clone().unwrap())
            .stderr(screen);
        let child = command.spawn().unwrap();
        // It holds the last of our ends of the terminal.
        drop(command);
        let parser = vt100::Parser::new(some(rows), some(columns), 0);
        let bytes = Vec::new();
        let seen = Arc::new((Mutex::new(Seen { parser, bytes }), Condvar::new()));
        let (mut output, written) = (keyboard.try_clone().unwrap(), Arc::clone(&seen));
        let reader = std::thread::spawn(move || {
            let mut buffer = vec![0; 64 * 1024];
            // It fails when nobody has the terminal open any more.
            while let Ok(length @ 1..) = output.read(&mut buffer) {
                let mut seen = written.0.lock().unwrap();
                seen.parser.process(&buffer[..length]);
                seen.bytes.extend_from_slice(&buffer[..length]);
                written.1.notify_all();
            }
        });
        Terminal {
            child: Some(child),
            keyboard,
            seen,
            reader: Some(reader),
        }
    }

    /// Waits until the screen shows this text, half a minute at most. Times in whole seconds are `N s`.
    #[track_caller]
    pub(crate) fn shows(&self, expected: &str) {
        if let Err(shown) = self.wait(|text| text == expected) {
            assert_eq!(shown, expected);
        }
    }

    /// Waits until something is so of the text on the screen, and gives that.
    #[track_caller]
    pub(crate) fn until(&self, is_so: impl Fn(&str) -> bool) -> String {
        let waited = self.wait(is_so);
        waited.unwrap_or_else(|shown| panic!("waited in vain; there is:\n{shown}"))
    }

    fn wait(&self, is_so: impl Fn(&str) -> bool) -> Result<String, String> {
        let deadline = Instant::now() + Duration::from_secs(30);
        let mut seen = self.seen.0.lock().unwrap();
        loop {
            let text = without_times(&seen.text());
            if is_so(&text) {
                return Ok(text);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(text);
            }
            seen = self.seen.1.wait_timeout(seen, left).unwrap().0;
        }
    }

    pub(crate) fn press(&self, keys: &str) {
        (&self.keyboard).write_all(keys.as_bytes()).unwrap();
    }

    /// Gives the window another size.
    pub(crate) fn resize(&self, rows: u16, columns: u16) {
        let mut seen = self.seen.0.lock().unwrap();
        seen.parser.screen_mut().set_size(some(rows), some(columns));
        tcsetwinsize(&self.keyboard, size(rows, columns)).unwrap();
    }

    /// Waits for the end, and asserts how it ended.
    #[track_caller]
    pub(crate) fn ends(mut self, code: i32) -> Seen {
        let status = self.child.take().unwrap().wait().unwrap();
        self.reader.take().unwrap().join().unwrap();
        let seen = std::mem::replace(
            &mut *self.seen.0.lock().unwrap(),
            Seen {
                parser: vt100::Parser::default(),
                bytes: Vec::new(),
            },
        );
        assert_eq!(status.code(), Some(code), "{}", seen.text());
        seen
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().ok();
            child.wait().ok();
        }
    }
}

/// A text with `N s` for each number of whole seconds.
pub(crate) fn without_times(text: &str) -> String {
    let words: Vec<&str> = text.split(' ').collect();
    let is_number = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
    let shown = words.iter().enumerate().map(|(position, word)| {
        let is_unit = words
            .get(position + 1)
            .is_some_and(|next| *next == "s" || next.starts_with("s,") || next.starts_with("s\n"));
        if is_unit && is_number(word) {
            "N"
        } else {
            word
        }
    });
    shown.collect::<Vec<_>>().join(" ")
}

fn some(number: u16) -> NonZero<u16> {
    NonZero::new(number).unwrap()
}

fn size(rows: u16, columns: u16) -> Winsize {
    Winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    }
}

/// Both ends of a new one.
fn open(rows: u16, columns: u16) -> (File, OwnedFd) {
    let keyboard = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    rustix::io::fcntl_setfd(&keyboard, rustix::io::FdFlags::CLOEXEC).unwrap();
    grantpt(&keyboard).unwrap();
    unlockpt(&keyboard).unwrap();
    let name = ptsname(&keyboard, Vec::new()).unwrap();
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let screen = rustix::fs::open(name, flags, Mode::empty()).unwrap();
    tcsetwinsize(&keyboard, size(rows, columns)).unwrap();
    (File::from(keyboard), screen)
}
