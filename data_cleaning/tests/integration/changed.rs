//! Files that are cut while they are read: always an error, never a signal.

use std::fs::{self, OpenOptions};
use std::process::{Child, Command};

use crate::harness::{Folder, Outcome, writable};

/// How often a run may be over before it could be stopped.
const PATIENCE: usize = 200;

/// Stops a run before it has read the whole file, unless it was faster.
fn stopped_while_reading(child: &mut Child, size: u64) -> bool {
    let read = |child: &Child| -> Option<u64> {
        let figures = fs::read_to_string(format!("/proc/{}/io", child.id())).ok()?;
        let read = figures.lines().next()?.strip_prefix("rchar: ")?;
        read.parse().ok()
    };
    while child.try_wait().unwrap().is_none() {
        if read(child).is_some_and(|read| read > size / 4) {
            let mut stop = Command::new("kill");
            stop.args(["-STOP", &child.id().to_string()]);
            assert!(stop.status().unwrap().success());
            return child.try_wait().unwrap().is_none()
                && read(child).is_some_and(|read| read < size);
        }
    }
    false
}

fn resume(child: Child) -> Outcome {
    let mut resume = Command::new("kill");
    let resumed = resume.args(["-CONT", &child.id().to_string()]).output();
    assert!(resumed.is_ok());
    Outcome::from(child.wait_with_output().unwrap())
}

#[test]
fn a_file_that_is_cut_while_it_is_read_is_an_error() {
    // What hardly can be compressed.
    let rows = (0_u64..1_500_000).map(|row| {
        let random = row.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        format!("{random},{}\n", random.rotate_left(20))
    });
    let folder = Folder::with(format!("a,b\n{}", rows.collect::<String>()));
    let inputs = writable(&["x.csv", "x.parquet", "x.arrow", "x.ndjson"]);
    for input in inputs {
        let made = folder.run(&["--output", input]);
        assert_eq!(made.code, Some(0), "{}", made.stderr);
        let whole = fs::read(folder.path(input)).unwrap();
        let size = whole.len() as u64;
        let names = folder.names();
        let mut cuts = vec![size / 2, 0, size - 1];
        for _ in 0..PATIENCE {
            let Some(left) = cuts.last() else {
                break;
            };
            let mut child = folder.start("", &["--input", input, "--output", "out.csv"]);
            if !stopped_while_reading(&mut child, size) {
                resume(child);
                fs::remove_file(folder.path("out.csv")).ok();
                continue;
            }
            let file = OpenOptions::new().write(true).open(folder.path(input));
            file.unwrap().set_len(*left).unwrap();
            let outcome = resume(child);
            outcome.assert_failure(&format!(
                "cannot read `{input}`: it changed while it was read"
            ));
            assert_eq!(folder.names(), names);
            folder.write(input, &whole);
            cuts.pop();
        }
        assert!(cuts.is_empty(), "{input}: all runs were too fast");
    }
}
