//! Signals, of which those stay ignored that are at the start.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;

use crate::harness::{Folder, Outcome, writable};

const RAW: &str = "a,b\n1,2\n3,\n";

#[test]
fn an_ignored_signal_stays_ignored() {
    for (signal, number) in [("HUP", 1), ("INT", 2), ("QUIT", 3), ("TERM", 15)] {
        for ignored in [true, false] {
            let folder = Folder::empty();
            folder.make_pipe("pipe");
            let ignore = if ignored {
                format!("trap '' {signal};")
            } else {
                String::new()
            };
            let child = folder.start(&ignore, &["--input", "pipe"]);
            // Opening waits for the reader.
            let mut pipe = OpenOptions::new()
                .write(true)
                .open(folder.path("pipe"))
                .unwrap();
            pipe.write_all(RAW.as_bytes()).unwrap();
            let mut kill = Command::new("kill");
            let sent = kill.args([&format!("-{signal}"), &child.id().to_string()]);
            assert!(sent.status().unwrap().success());
            drop(pipe);
            let output = child.wait_with_output().unwrap();
            if ignored {
                let outcome = Outcome::from(output);
                assert_eq!(outcome.code, Some(0), "{signal}: {}", outcome.stderr);
                assert_eq!(folder.read("clean_data.csv"), "a,b\n1,2\n");
            } else {
                assert_eq!(output.status.signal(), Some(number));
                assert_eq!(folder.names(), ["pipe"]);
            }
        }
    }
}

#[test]
fn a_limit_on_the_size_of_files_is_an_error() {
    let rows = (0_u64..5_000).map(|row| format!("{},2\n", row.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
    let folder = Folder::with(format!("a,b\n{}", rows.collect::<String>()));
    for output in writable(&["x.csv", "x.parquet", "x.arrow", "x.ndjson"]) {
        for setup in ["ulimit -f 1;", "trap '' XFSZ; ulimit -f 1;"] {
            folder.write(output, "older");
            let child = folder.start(setup, &["--output", output]);
            let outcome = Outcome::from(child.wait_with_output().unwrap());
            outcome.assert_failure(&format!(
                "cannot write `{output}`: File too large (os error 27)"
            ));
            assert_eq!(folder.read(output), "older");
            fs::remove_file(folder.path(output)).unwrap();
            assert_eq!(folder.names(), ["raw_data.csv"]);
        }
    }
    let arguments = ["--min_valid", "9", "--report", "report.json"];
    let child = folder.start("ulimit -f 0;", &arguments);
    let outcome = Outcome::from(child.wait_with_output().unwrap());
    assert_eq!(outcome.code, Some(1));
    let error = "error: cannot write `clean_data.csv`: File too large (os error 27)\n";
    assert_eq!(outcome.stderr, error);
}
