//! SIGKILL at random moments: the target is absent, the old file or the whole new one, nothing else
//! is left, and the next run finishes it.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Instant;

use crate::harness::{BINARY, Folder, writable};

#[derive(Debug, Default)]
struct Figures {
    kills: u32,
    during_the_run: u32,
    absent: u32,
    old: u32,
    new: u32,
    files_left: usize,
}

/// Kills runs at moments spread over the time that a whole one takes.
fn kill_often(times: u32, output: &str) -> Figures {
    let rows = 400_000;
    let folder = Folder::with(format!("a,b\n{}", "1,2\n3,\n".repeat(rows)));
    let start = || -> Child {
        let mut command = Command::new(BINARY);
        command
            .args(["--output", output])
            .current_dir(folder.path(""));
        command.stderr(Stdio::null()).spawn().unwrap()
    };
    let begun = Instant::now();
    assert!(start().wait().unwrap().success());
    let whole = begun.elapsed();
    let new = fs::read(folder.path(output)).unwrap();

    let mut figures = Figures::default();
    let mut state = 7_u32;
    for kill in 0..times {
        fs::remove_file(folder.path(output)).ok();
        if kill % 2 == 0 {
            folder.write(output, "old");
        }
        let mut child = start();
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        // The moment is what is random here; nothing waits for anything.
        thread::sleep(whole.mul_f64(1.1 * f64::from(state) / f64::from(u32::MAX)));
        child.kill().unwrap();
        let status = child.wait().unwrap();

        figures.kills += 1;
        figures.during_the_run += u32::from(!status.success());
        match fs::read(folder.path(output)) {
            Err(_) if kill % 2 == 1 => figures.absent += 1,
            Ok(found) if kill % 2 == 0 && found == b"old" => figures.old += 1,
            Ok(found) if found == new => figures.new += 1,
            found => panic!(
                "neither old nor whole: {:?}",
                found.map(|found| found.len())
            ),
        }
        let left = folder.names().len() - 1 - usize::from(folder.path(output).exists());
        figures.files_left += left;
        // Whatever is left, the next run has the whole file and removes the rest.
        if kill % 10 == 0 || left > 0 {
            assert!(start().wait().unwrap().success());
            assert_eq!(fs::read(folder.path(output)).unwrap(), new);
            assert_eq!(folder.names(), [output, "raw_data.csv"]);
        }
    }
    figures
}

#[test]
fn a_killed_run_leaves_the_old_file_or_the_whole_new_one() {
    for output in writable(&["clean.csv", "clean.parquet"]) {
        let figures = kill_often(20, output);
        assert_eq!(figures.kills, figures.absent + figures.old + figures.new);
    }
}

#[test]
#[ignore = "takes a minute; prints the figures of the README"]
fn survives_being_killed_300_times() {
    // With the variable SHORT a tenth.
    let count = if std::env::var_os("SHORT").is_some() {
        30
    } else {
        300
    };
    for output in writable(&["clean.csv", "clean.parquet"]) {
        eprintln!("{output}: {:?}", kill_often(count, output));
    }
}
