//! Who may read the output, and what lies beside it meanwhile.

use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::channel;

use rustix::process::geteuid;

use crate::program::{Folder, PROGRAM, bytes};
use crate::server::{Server, answer, cut, file, range};

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o7777
}

#[test]
fn a_replaced_file_keeps_its_mode() {
    for kept in [0o600, 0o640, 0o664, 0o604, 0o400, 0o444, 0o755, 0o666] {
        let folder = Folder::new();
        folder.write("x.csv", "a,b\n");
        let output = folder.write("raw_data.csv", "old");
        set_mode(&output, kept);
        folder
            .download(&["--data_url", "x.csv"])
            .succeeded(4, "raw_data.csv");
        assert_eq!(mode(&output), kept, "{kept:o}");
        assert_eq!(folder.read("raw_data.csv"), b"a,b\n");
    }
}

/// Data from a server must not run as another user.
#[test]
fn the_bits_that_change_the_user_are_not_kept() {
    let folder = Folder::new();
    folder.write("x.csv", "a,b\n");
    let output = folder.write("raw_data.csv", "old");
    set_mode(&output, 0o6755);
    folder
        .download(&["--data_url", "x.csv"])
        .succeeded(4, "raw_data.csv");
    assert_eq!(mode(&output), 0o755);
}

#[test]
fn an_unpacked_file_and_one_behind_a_link_keep_their_mode() {
    let folder = Folder::new();
    folder.write("x.zst", zstd::encode_all(&b"a,b\n"[..], 1).unwrap());
    let output = folder.write("real.csv", "old");
    set_mode(&output, 0o600);
    std::os::unix::fs::symlink("real.csv", folder.path("raw_data.csv")).unwrap();
    let ended = folder.download(&["--data_url", "x.zst", "--decompress", "--if_changed"]);
    assert_eq!(ended.code(), Some(0), "{}", ended.stderr());
    assert_eq!(
        (mode(&output), fs::read(&output).unwrap()),
        (0o600, b"a,b\n".to_vec())
    );
    assert!(folder.path("raw_data.csv").is_symlink());
}

/// What is under way is never more open than what it becomes.
#[test]
fn the_file_under_construction_is_for_its_owner_alone() {
    for (before, expected) in [(Some(0o600), 0o600), (Some(0o664), 0o600), (None, 0o644)] {
        let folder = Folder::new();
        if let Some(before) = before {
            set_mode(&folder.write("raw_data.csv", "old"), before);
        }
        let (halfway, at_half) = channel();
        let (go_on, told) = channel::<()>();
        let told = Mutex::new(told);
        let server = Server::serving(move |_, stream| {
            let whole = answer("200 OK", "1234567890");
            stream.write_all(&cut(&whole, 5)).unwrap();
            halfway.send(()).unwrap();
            told.lock().unwrap().recv().ok();
            stream.write_all(b"67890").ok();
        });
        let mut bash = folder.command("/bin/bash");
        let script = r#"umask 022; exec "$0" "$@""#;
        bash.args(["-c", script, PROGRAM, "--data_url", &server.url("/")]);
        let child = bash.stderr(Stdio::piped()).spawn().unwrap();
        at_half.recv().unwrap();
        assert_eq!(mode(&folder.path("raw_data.csv.partial")), expected);
        go_on.send(()).unwrap();
        assert!(child.wait_with_output().unwrap().status.success());
        assert_eq!(mode(&folder.path("raw_data.csv")), before.unwrap_or(0o644));
    }
}

/// An output that was made private meanwhile: bytes that others may still have open are not gone
/// on from.
#[test]
fn an_open_partial_file_does_not_become_a_private_one() {
    let folder = Folder::new();
    let server = Server::talking(|head, stream| {
        let whole = file(head, &bytes(10_000), "\"v1\"");
        let is_first = range(head).is_none() && !head.contains("x-whole");
        let sent = if is_first { cut(&whole, 1000) } else { whole };
        stream.write_all(&sent).ok();
    });
    let url = server.url("/");
    let cut_off = || folder.download(&["--data_url", &url, "--retries=0"]).code();
    let partial = folder.path("raw_data.csv.partial");
    assert_eq!(cut_off(), Some(1));
    set_mode(&partial, 0o644);
    let output = folder.write("raw_data.csv", "old");
    set_mode(&output, 0o600);
    // Somebody has it open.
    let held = fs::File::open(&partial).unwrap();
    assert_eq!(cut_off(), Some(1));
    assert!(server.requests().iter().all(|head| range(head).is_none()));
    assert_ne!(
        fs::metadata(&partial).unwrap().ino(),
        held.metadata().unwrap().ino()
    );
    assert_eq!(mode(&partial), 0o600);

    // Those of the private one are.
    assert_eq!(cut_off(), Some(0));
    assert_eq!(range(server.requests().last().unwrap()), Some(1000));
    assert_eq!(mode(&output), 0o600);
    assert_eq!(folder.read("raw_data.csv"), bytes(10_000));
}

/// Another group than that of new files, if the user is in one.
fn another_group(than: u32) -> Option<u32> {
    if geteuid().is_root() {
        return Some(54321);
    }
    let ids = Command::new("id").arg("-G").output().unwrap().stdout;
    let ids = String::from_utf8(ids).unwrap();
    let mut ids = ids.split_whitespace().map(|id| id.parse().unwrap());
    ids.find(|id| *id != than)
}

#[test]
fn a_replaced_file_keeps_its_group_and_for_root_its_owner() {
    let folder = Folder::new();
    folder.write("x.csv", "a,b\n");
    let output = folder.write("raw_data.csv", "old");
    let Some(group) = another_group(fs::metadata(&output).unwrap().gid()) else {
        eprintln!("not tried: the user has only one group");
        return;
    };
    let owner = geteuid().is_root().then_some(54320);
    chown(&output, owner, Some(group)).unwrap();
    set_mode(&output, 0o640);
    folder
        .download(&["--data_url", "x.csv"])
        .succeeded(4, "raw_data.csv");
    let now = fs::metadata(&output).unwrap();
    assert_eq!((now.gid(), now.mode() & 0o777), (group, 0o640));
    assert_eq!(now.uid(), owner.unwrap_or(geteuid().as_raw()));
    assert_eq!(folder.read("raw_data.csv"), b"a,b\n");
}

/// A file of a group that the user is not in, in a folder where anybody may replace it: nobody
/// gains access.
#[test]
#[cfg(target_os = "linux")]
fn a_group_that_cannot_be_kept_loses_its_bits() {
    use crate::program::Ended;
    if !geteuid().is_root() {
        eprintln!("not tried: only root can become another user");
        return;
    }
    for (before, expected) in [(0o640, 0o600), (0o664, 0o604), (0o604, 0o600)] {
        let folder = Folder::new();
        set_mode(&folder.path(""), 0o777);
        set_mode(&folder.write("x.csv", "a,b\n"), 0o644);
        // A folder of cargo's need not be open to others. Copied by a process of its own, as a
        // program that this one writes may be busy: another test's child can hold it for a moment.
        let program = folder.path("program");
        let copied = Command::new("cp").arg(PROGRAM).arg(&program).status();
        assert!(copied.unwrap().success());
        let output = folder.write("raw_data.csv", "old");
        chown(&output, Some(54320), Some(54321)).unwrap();
        set_mode(&output, before);
        let mut command = folder.command("/usr/bin/setpriv");
        command.args(["--reuid=54322", "--regid=54322", "--clear-groups", "--"]);
        command.arg(&program).args(["--data_url", "x.csv"]);
        Ended::of(&mut command).succeeded(4, "raw_data.csv");
        let now = fs::metadata(&output).unwrap();
        assert_eq!((now.uid(), now.gid()), (54322, 54322));
        assert_eq!(now.mode() & 0o7777, expected, "{before:o}");
    }
}

/// The list of acl(5) that lets user 54321 read, in the kernel's form: a version, then tag, bits
/// and id of each entry.
#[cfg(target_os = "linux")]
fn list_for_54321() -> Vec<u8> {
    let entries: [(u16, u16, u32); 5] = [
        (0x01, 6, u32::MAX),
        (0x02, 4, 54321),
        (0x04, 0, u32::MAX),
        (0x10, 4, u32::MAX),
        (0x20, 0, u32::MAX),
    ];
    let mut list = 2u32.to_le_bytes().to_vec();
    for (tag, bits, id) in entries {
        list.extend(tag.to_le_bytes());
        list.extend(bits.to_le_bytes());
        list.extend(id.to_le_bytes());
    }
    list
}

/// The mode of such a file shows what its list allows at most; without the list, that would be
/// what the group gets.
#[test]
#[cfg(target_os = "linux")]
fn the_list_of_users_is_kept() {
    use rustix::fs::{XattrFlags, getxattr, setxattr};
    const LIST: &str = "system.posix_acl_access";
    let folder = Folder::new();
    folder.write("x.csv", "a,b\n");
    let output = folder.write("raw_data.csv", "old");
    let list = list_for_54321();
    if setxattr(&output, LIST, &list, XattrFlags::empty()).is_err() {
        eprintln!("not tried: no such lists on this file system");
        return;
    }
    assert_eq!(mode(&output), 0o640);
    folder
        .download(&["--data_url", "x.csv"])
        .succeeded(4, "raw_data.csv");
    let mut kept = [0; 256];
    let length = getxattr(&output, LIST, &mut kept[..]).unwrap();
    assert_eq!((&kept[..length], mode(&output)), (&list[..], 0o640));
    assert_eq!(folder.read("raw_data.csv"), b"a,b\n");
}

/// A folder may give each new file a list; a file that had none does not get it.
#[test]
#[cfg(target_os = "linux")]
fn the_folders_list_opens_no_private_file() {
    use rustix::fs::{XattrFlags, getxattr, setxattr};
    let folder = Folder::new();
    folder.write("x.csv", "a,b\n");
    let output = folder.write("raw_data.csv", "old");
    set_mode(&output, 0o640);
    let of_new_files = "system.posix_acl_default";
    let set = setxattr(
        folder.path(""),
        of_new_files,
        &list_for_54321(),
        XattrFlags::empty(),
    );
    if set.is_err() {
        eprintln!("not tried: no such lists on this file system");
        return;
    }
    folder
        .download(&["--data_url", "x.csv"])
        .succeeded(4, "raw_data.csv");
    let mut list = [0; 256];
    assert!(getxattr(&output, "system.posix_acl_access", &mut list[..]).is_err());
    assert_eq!(mode(&output), 0o640);
}
