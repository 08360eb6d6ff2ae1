//! Who may read and write what replaces a file.

use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::process::Command;

use crate::harness::{BINARY, Folder, Outcome, writable};

const RAW: &str = "a,b\n1,2\n3,\n";

fn mode(folder: &Folder, name: &str) -> u32 {
    fs::metadata(folder.path(name)).unwrap().mode() & 0o7777
}

fn set_mode(folder: &Folder, name: &str, mode: u32) {
    fs::set_permissions(folder.path(name), Permissions::from_mode(mode)).unwrap();
}

#[test]
fn what_replaces_a_file_has_its_mode() {
    for output in writable(&["raw_data.csv", "clean.csv", "clean.parquet"]) {
        for bits in [0o600, 0o640, 0o444, 0o664, 0o755, 0o2640] {
            let folder = Folder::with(RAW);
            folder.write(output, RAW);
            folder.write("report.json", "older");
            set_mode(&folder, output, bits);
            set_mode(&folder, "report.json", 0o600);
            let outcome = folder.run(&["--output", output, "--report", "report.json"]);
            assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
            assert_eq!(mode(&folder, output), bits, "{output} {bits:o}");
            assert_eq!(mode(&folder, "report.json"), 0o600);
        }
    }
}

#[test]
fn what_replaces_a_file_has_its_group_and_owner() {
    let groups = Command::new("id").arg("-G").output().unwrap();
    let groups = String::from_utf8(groups.stdout).unwrap();
    let folder = Folder::with(RAW);
    let is_root = fs::metadata(folder.path("")).unwrap().uid() == 0;
    let others = groups
        .split_whitespace()
        .map(|group| group.parse().unwrap());
    // Root may give files to everybody, others to their own groups only.
    let others: Vec<u32> = if is_root {
        vec![65_534]
    } else {
        others.collect()
    };
    for group in others {
        folder.write("clean_data.csv", "older");
        let owner = is_root.then_some(65_534);
        chown(folder.path("clean_data.csv"), owner, Some(group)).unwrap();
        set_mode(&folder, "clean_data.csv", 0o640);
        let older = fs::metadata(folder.path("clean_data.csv")).unwrap();
        assert_eq!(folder.run(&[]).code, Some(0));
        let newer = fs::metadata(folder.path("clean_data.csv")).unwrap();
        assert_ne!(newer.ino(), older.ino());
        assert_eq!(
            (newer.uid(), newer.gid(), newer.mode() & 0o7777),
            (older.uid(), group, 0o640)
        );
    }
}

/// Only root can become somebody else.
#[cfg(target_os = "linux")]
#[test]
fn who_may_not_give_a_file_away_gives_nobody_more() {
    let folder = Folder::with(RAW);
    if fs::metadata(folder.path("")).unwrap().uid() != 0 {
        return;
    }
    set_mode(&folder, "", 0o777);
    for (bits, expected) in [
        (0o660, 0o600),
        (0o664, 0o604),
        (0o604, 0o600),
        (0o2660, 0o600),
    ] {
        folder.write("clean_data.csv", "older");
        set_mode(&folder, "clean_data.csv", bits);
        let mut command = Command::new("/usr/bin/setpriv");
        command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]);
        let outcome = folder.run_command(command.arg(copy_for_all(&folder)));
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
        let newer = fs::metadata(folder.path("clean_data.csv")).unwrap();
        assert_eq!((newer.uid(), newer.gid()), (65_534, 65_534));
        assert_eq!(mode(&folder, "clean_data.csv"), expected, "{bits:o}");
        fs::remove_file(folder.path("clean_data.csv")).unwrap();
    }
}

/// The binary where everybody may run it, as the build folder may lie in a home.
#[cfg(target_os = "linux")]
fn copy_for_all(folder: &Folder) -> &'static str {
    if !folder.path("program").exists() {
        fs::copy(BINARY, folder.path("program")).unwrap();
        set_mode(folder, "program", 0o755);
    }
    "./program"
}

/// Looks at the file while it has no name yet.
#[cfg(target_os = "linux")]
#[test]
fn nobody_may_read_it_sooner() {
    for (older, expected) in [(true, 0o600), (false, 0o644)] {
        let folder = Folder::empty();
        folder.make_pipe("pipe");
        if older {
            folder.write("clean_data.csv", "older");
            set_mode(&folder, "clean_data.csv", 0o604);
        }
        let child = folder.start("umask 022;", &["--input", "pipe"]);
        // Opening waits for the reader, who goes on only after the first bytes.
        let mut pipe = fs::OpenOptions::new()
            .write(true)
            .open(folder.path("pipe"))
            .unwrap();
        pipe.write_all(RAW.as_bytes()).unwrap();
        let descriptors = format!("/proc/{}/fd", child.id());
        let unnamed = std::iter::repeat_with(|| fs::read_dir(&descriptors).unwrap())
            .flatten()
            .find_map(|entry| {
                let path = entry.unwrap().path();
                let metadata = fs::metadata(&path).ok()?;
                let target = fs::read_link(&path).ok()?;
                let ours = target.starts_with(fs::canonicalize(folder.path("")).unwrap());
                (ours && metadata.is_file()).then_some(metadata)
            });
        let bits = unnamed.unwrap().mode() & 0o7777;
        assert_eq!(bits, expected, "{bits:o}");
        drop(pipe);
        let outcome = Outcome::from(child.wait_with_output().unwrap());
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
        let whole = if older { 0o604 } else { 0o644 };
        assert_eq!(mode(&folder, "clean_data.csv"), whole);
    }
}
