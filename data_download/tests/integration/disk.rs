//! A disk that is full: a small one in memory, where mounting is allowed. Else `output.rs` has a
//! limit on the length of files.

use std::path::PathBuf;

use nix::mount::{MntFlags, MsFlags, mount, umount2};

use crate::program::{Folder, bytes};
use crate::server::{Server, file};

struct Disk(PathBuf);

impl Disk {
    fn of(path: PathBuf, size: &str) -> Option<Disk> {
        std::fs::create_dir(&path).unwrap();
        let data = format!("size={size}");
        let mounted = mount(
            Some("tmpfs"),
            &path,
            Some("tmpfs"),
            MsFlags::empty(),
            Some(data.as_str()),
        );
        mounted.ok().map(|()| Disk(path))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        umount2(&self.0, MntFlags::MNT_DETACH).unwrap();
    }
}

#[test]
fn a_full_disk_is_a_clear_error_and_no_target() {
    use std::io::Write;
    let folder = Folder::new();
    let Some(_disk) = Disk::of(folder.path("disk"), "64k") else {
        eprintln!("not allowed to mount a file system: nothing tested here");
        return;
    };
    let server = Server::talking(|head, stream| {
        stream
            .write_all(&file(head, &bytes(200_000), "\"v1\""))
            .ok();
    });
    let url = server.url("/x.csv");
    let ended = folder.download(&["--data_url", &url, "--output", "disk/raw.csv"]);
    let expected = format!(
        "error: cannot download `{url}`\n  caused by: cannot write `disk/raw.csv`\n  \
         caused by: No space left on device (os error 28)\n"
    );
    assert!(ended.stderr().starts_with(&expected), "{}", ended.stderr());
    assert_eq!(ended.code(), Some(1));
    assert!(!folder.path("disk/raw.csv").exists());
    assert_eq!(server.requests().len(), 1);
    // The bytes that fitted are kept, for when there is room again.
    assert!(
        ended
            .stderr()
            .contains(" of 200000 bytes are kept in `disk/raw.csv.partial`")
    );
}
