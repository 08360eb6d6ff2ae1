//! A disk that is full: a small one in memory. In `output.rs` there is a limit on the length of
//! files instead, which needs no rights.

use std::io::Write;

use crate::program::{Ended, Folder, PROGRAM, bytes};
use crate::server::{Server, file, range};

const BODY: usize = 200_000;

/// In a mount namespace of its own, which ends with the commands that run there.
#[test]
#[ignore = "mounts a tmpfs"]
fn a_full_disk_is_a_clear_error_and_no_target() {
    let folder = Folder::new();
    let body = bytes(BODY);
    let sent = body.clone();
    let server = Server::talking(move |head, stream| {
        stream.write_all(&file(head, &sent, "\"v1\"")).ok();
    });
    let url = server.url("/x.csv");
    let script = r#"
        set -e
        mkdir disk && mount -t tmpfs -o size=64k tmpfs disk
        code=0; "$0" "$@" || code=$?
        echo "exit code $code" >&2
        ls -A disk > names
        mount -o remount,size=1m disk
        "$0" "$@"
        cp disk/raw.csv whole
        ls -A disk > names_at_the_end"#;
    let ended = Ended::of(folder.command("unshare").args([
        "--map-root-user",
        "--mount",
        "bash",
        "-c",
        script,
        PROGRAM,
        "--data_url",
        &url,
        "--output",
        "disk/raw.csv",
    ]));

    let [first, second] = server.requests().try_into().unwrap();
    assert_eq!(range(&first), None);
    let kept = range(&second).unwrap();
    assert!(kept > 0);
    ended.said(&format!(
        "error: cannot download `{url}`: cannot write `disk/raw.csv`: \
 No space left on device (os error 28)\n\
         data_download: {kept} of {BODY} bytes are kept in `disk/raw.csv.partial`, \
         and the same command continues there\n\
         exit code 1\n\
         data_download: {BODY} bytes in X s, {kept} of them from an earlier run -> disk/raw.csv"
    ));
    assert_eq!(
        folder.read("names"),
        b"raw.csv.partial\nraw.csv.partial.source\n"
    );
    assert_eq!(folder.read("names_at_the_end"), b"raw.csv\n");
    assert_eq!(folder.read("whole"), body);
    eprintln!("a full disk: a clear error, no target, and continued when there was room");
}
