//! Who may read and write the output.
//!
//! A file that replaces another one is as accessible as that, and never more: while it is made, it
//! is for its owner alone.

use std::fs::{self, File, Metadata, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::Path;

use crate::files::is_own;

/// Who may read and write a file.
#[derive(Clone)]
pub struct Access {
    mode: u32,
    owner: u32,
    group: u32,
    list: Option<AccessList>,
}

/// Mode of a file under construction that is to have `access`; without one it is made as any new
/// file is, and the umask decides.
pub fn draft_mode(access: Option<&Access>) -> u32 {
    if access.is_some() { 0o600 } else { 0o666 }
}

impl Access {
    /// Reads that of the file at `path`, if there is one.
    pub fn of(path: &Path) -> Option<Access> {
        let metadata = fs::metadata(path).ok()?;
        Some(Access {
            // Not the bits by which a program runs as another user.
            mode: metadata.mode() & 0o777,
            owner: metadata.uid(),
            group: metadata.gid(),
            list: AccessList::of(path),
        })
    }

    /// Whether a draft with this metadata can be read or written by nobody but its owner and
    /// those who have this access.
    pub fn covers(&self, draft: &Metadata) -> bool {
        let open_to = draft.mode() & 0o077;
        open_to == 0 || self.group == draft.gid() && open_to & !self.mode == 0
    }

    /// Gives a finished file this access, as far as the user may. Where not, it gets less.
    pub fn give_to(&self, file: &File) {
        let mut mode = self.mode;
        if !self.give_group_to(file) {
            mode = without_group(mode);
        } else if !AccessList::give_to(self.list.as_ref(), file) {
            mode &= 0o700;
        }
        // Fails on file systems that have no modes of their own.
        file.set_permissions(Permissions::from_mode(mode)).ok();
    }

    /// Whether the file has the group; the owner, too, if that is allowed.
    fn give_group_to(&self, file: &File) -> bool {
        let Ok(metadata) = file.metadata() else {
            return false;
        };
        let is_owned = metadata.uid() == self.owner;
        if is_owned && metadata.gid() == self.group {
            return true;
        }
        fchown(file, Some(self.owner), Some(self.group)).is_ok()
            || metadata.gid() == self.group
            || fchown(file, None, Some(self.group)).is_ok()
    }
}

/// The mode for a file of another group: its members get nothing, and those of the old one, who
/// now count as others, no more than they had.
fn without_group(mode: u32) -> u32 {
    mode & 0o700 | mode & (mode >> 3) & 0o007
}

/// Whether the link at `path` may be followed: not one of another user's in a folder that
/// everybody can write to, unless the folder is that user's. The kernel's own rule
/// (`protected_symlinks`, proc(5)), which holds for opening a link, not for replacing what
/// it points to.
pub fn may_follow(path: &Path, folder: &Path) -> bool {
    let (Ok(link), Ok(folder)) = (fs::symlink_metadata(path), fs::metadata(folder)) else {
        return true;
    };
    is_own(&link) || link.uid() == folder.uid() || folder.mode() & 0o002 == 0
}

#[cfg(target_os = "linux")]
use linux::AccessList;
#[cfg(not(target_os = "linux"))]
use none::AccessList;

#[cfg(target_os = "linux")]
mod linux {
    use std::fs::File;
    use std::path::Path;

    use rustix::fs::{XattrFlags, fremovexattr, fsetxattr, getxattr};
    use rustix::io::Errno;

    /// Where Linux keeps the list of acl(5).
    const NAME: &str = "system.posix_acl_access";

    /// More than a file system takes.
    const MOST: usize = 1 << 16;

    /// The users and groups that a file is open to besides its own.
    #[derive(Clone)]
    pub(super) struct AccessList(Vec<u8>);

    impl AccessList {
        pub(super) fn of(path: &Path) -> Option<AccessList> {
            let mut list = vec![0; MOST];
            let length = getxattr(path, NAME, &mut list[..]).ok()?;
            list.truncate(length);
            Some(AccessList(list))
        }

        /// Whether the file has this list now, or none. It may have got one from its folder.
        pub(super) fn give_to(list: Option<&AccessList>, file: &File) -> bool {
            match list {
                Some(list) => fsetxattr(file, NAME, &list.0, XattrFlags::empty()).is_ok(),
                None => matches!(
                    fremovexattr(file, NAME),
                    Ok(()) | Err(Errno::NODATA | Errno::OPNOTSUPP)
                ),
            }
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod none {
    use std::fs::File;
    use std::path::Path;

    /// Lists are not taken over here.
    #[derive(Clone)]
    pub(super) struct AccessList;

    impl AccessList {
        pub(super) fn of(_: &Path) -> Option<AccessList> {
            None
        }

        pub(super) fn give_to(_: Option<&AccessList>, _: &File) -> bool {
            true
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_group_gets_nothing_and_nobody_more() {
        let cases = [
            (0o644, 0o604),
            (0o640, 0o600),
            (0o660, 0o600),
            (0o664, 0o604),
            (0o604, 0o600),
            (0o777, 0o707),
            (0o600, 0o600),
        ];
        for (mode, expected) in cases {
            assert_eq!(without_group(mode), expected, "{mode:o}");
        }
    }
}
