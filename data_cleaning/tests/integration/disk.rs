//! A disk that is full: a small one in memory, where mounting is allowed. Else `files` has a limit
//! on the length of files.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::harness::Folder;

struct Disk(PathBuf);

impl Disk {
    fn of(path: PathBuf, size: &str) -> Option<Self> {
        fs::create_dir(&path).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"]);
        let mounted = mount
            .arg(&path)
            .status()
            .is_ok_and(|status| status.success());
        mounted.then_some(Self(path))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let status = Command::new("umount").arg("--lazy").arg(&self.0).status();
        assert!(status.unwrap().success());
    }
}

#[test]
fn a_full_disk_is_a_clear_error_and_no_target() {
    // What compresses badly, so that Parquet does not fit either.
    let rows =
        (0_u64..40_000).map(|row| format!("{},2\n", row.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
    let folder = Folder::with(format!("a,b\n{}", rows.collect::<String>()));
    let Some(_disk) = Disk::of(folder.path("disk"), "64k") else {
        eprintln!("not allowed to mount a file system: nothing tested here");
        return;
    };
    for output in [
        "disk/x.csv",
        "disk/x.parquet",
        "disk/x.arrow",
        "disk/x.ndjson",
    ] {
        for older in [false, true] {
            if older {
                folder.write(output, "old");
            }
            folder.run(&["--output", output]).assert_failure(&format!(
                "cannot write `{output}`: No space left on device (os error 28)"
            ));
            assert_eq!(folder.path(output).exists(), older);
            let names = fs::read_dir(folder.path("disk")).unwrap().count();
            assert_eq!(names, usize::from(older), "nothing is left beside it");
        }
        assert_eq!(folder.read(output), "old");
        fs::remove_file(folder.path(output)).unwrap();
    }
}
