//! SIGKILL at random moments: the target is absent, the old file or the whole new one, and the
//! next run finishes it.

use std::fs;
use std::io::Write;
use std::process::Stdio;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::program::{Folder, PROGRAM, bytes, sha256};
use crate::server::{Server, file, range};

const BODY: usize = 4_000_000;

#[derive(Debug, Default)]
struct Figures {
    kills: u32,
    during_the_run: u32,
    absent: u32,
    old: u32,
    new: u32,
    continued: u32,
}

fn kill_often(times: u32) -> Figures {
    let content = Arc::new(bytes(BODY));
    let sent = Arc::clone(&content);
    let server = Server::talking(move |head, stream| {
        stream.write_all(&file(head, &sent, "\"v1\"")).ok();
    });
    let (url, hash) = (server.url("/x.csv"), sha256(&content));
    let arguments = ["--data_url", &url, "--sha256", &hash];

    let download = |_| {
        let started = Instant::now();
        let ended = Folder::new().download(&arguments);
        assert_eq!(ended.code(), Some(0), "{}", ended.stderr());
        started.elapsed()
    };
    // The shortest, else most kills would come when all is over.
    let whole = (0..5).map(download).min().unwrap();

    let mut figures = Figures::default();
    let mut state = 7u32;
    for kill in 0..times {
        let folder = Folder::new();
        if kill % 2 == 0 {
            folder.write("raw_data.csv", "old");
        }
        let mut command = folder.command(PROGRAM);
        command.args(arguments).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        // The moment is what is random here; nothing waits for anything.
        let moment = whole.as_secs_f64() * 1.2 * f64::from(state) / f64::from(u32::MAX);
        thread::sleep(Duration::from_secs_f64(moment));
        child.kill().unwrap();
        let status = child.wait().unwrap();

        figures.kills += 1;
        figures.during_the_run += u32::from(!status.success());
        match fs::read(folder.path("raw_data.csv")) {
            Err(_) => figures.absent += 1,
            Ok(bytes) if bytes == b"old" => figures.old += 1,
            Ok(bytes) => {
                assert!(
                    bytes == *content,
                    "kill {kill}: a target of {} bytes",
                    bytes.len()
                );
                figures.new += 1;
            }
        }
        let before = server.requests().len();
        let ended = folder.download(&arguments);
        assert_eq!(ended.code(), Some(0), "kill {kill}: {}", ended.stderr());
        assert!(folder.read("raw_data.csv") == *content, "kill {kill}");
        assert_eq!(
            folder.names(),
            ["raw_data.csv".to_owned()].into(),
            "kill {kill}"
        );
        let requests = server.requests();
        figures.continued += u32::from(range(&requests[before]).is_some());
    }
    figures
}

#[test]
fn survives_being_killed() {
    let figures = kill_often(20);
    assert_eq!(figures.absent + figures.old + figures.new, 20);
}

#[test]
#[ignore = "takes half a minute; prints the figures of the README"]
fn survives_being_killed_300_times() {
    // With the variable SHORT a tenth.
    let figures = kill_often(if std::env::var_os("SHORT").is_some() {
        30
    } else {
        300
    });
    eprintln!("{figures:?}");
}
