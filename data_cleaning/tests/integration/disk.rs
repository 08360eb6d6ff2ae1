//! A disk that is full: a small one in memory. In `files` there is a limit on the length of files
//! instead, which needs no rights.

use std::process::Command;

use crate::harness::{BINARY, Folder, writable};

/// In a mount namespace of its own, which ends with the commands that run there.
#[cfg(target_os = "linux")]
#[test]
#[ignore = "mounts a tmpfs"]
fn a_full_disk_is_a_clear_error_and_no_target() {
    // What compresses badly, so that Parquet does not fit either.
    let rows =
        (0_u64..40_000).map(|row| format!("{},2\n", row.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
    let folder = Folder::with(format!("a,b\n{}", rows.collect::<String>()));
    let script = r#"
        set -e
        mkdir disk && mount -t tmpfs -o size=64k tmpfs disk
        for output in "$@"; do
            for older in '' old; do
                [ -z "$older" ] || printf %s "$older" > $output
                code=0; "$0" --output $output || code=$?
                echo "exit code $code, in the folder: $(grep -r . disk)" >&2
            done
            rm $output
        done"#;
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--mount", "bash", "-c", script]);
    let outputs = writable(&[
        "disk/x.ndjson",
        "disk/x.arrow",
        "disk/x.parquet",
        "disk/x.csv",
    ]);
    let ended = folder.run_command(command.arg(BINARY).args(&outputs));
    let expected = outputs.iter().map(|output| {
        let error = format!(
            "error: cannot write `{output}`: No space left on device (os error 28)\n\
             exit code 1, in the folder: "
        );
        format!("{error}\n{error}{output}:old\n")
    });
    assert_eq!(ended.stderr, expected.collect::<String>());
    eprintln!("a full disk: a clear error, an older file still stands, and nothing else is left");
}
