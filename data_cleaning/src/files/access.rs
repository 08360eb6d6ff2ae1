//! Who may read and write a file that takes the place of another one.

use std::fs::{File, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};

/// Gives a file that only its owner may read the owner, the group and the mode of the older one.
///
/// Not everybody may give a file away; then nobody else may do with it what the older one's mode did
/// not allow.
pub fn take_over(file: &File, older: &Metadata) -> io::Result<()> {
    let (owner, group) = (older.uid(), older.gid());
    let now = file.metadata()?;
    if (now.uid(), now.gid()) != (owner, group) && fchown(file, Some(owner), Some(group)).is_err() {
        // One's own groups are allowed to everybody.
        fchown(file, None, Some(group)).ok();
    }
    let now = file.metadata()?;
    let mode = allowed(older.mode(), now.uid() == owner, now.gid() == group);
    file.set_permissions(Permissions::from_mode(mode))
}

/// The part of a mode that means the same, or less, for another owner or group.
fn allowed(mode: u32, same_owner: bool, same_group: bool) -> u32 {
    let bits = |shift: u32| mode >> shift & 0o7;
    let (user, mut group, mut other) = (bits(6), bits(3), bits(0));
    if !same_owner {
        // Who owned the older one is among the others now.
        (group, other) = (group & user, other & user);
    }
    if !same_group {
        (group, other) = (0, other & bits(3));
    }
    let special = if same_owner && same_group {
        mode & 0o7000
    } else {
        0
    };
    special | user << 6 | group << 3 | other
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_gains_what_the_mode_did_not_allow() {
        for (mode, same_owner, same_group, expected) in [
            (0o644, true, true, 0o644),
            (0o100_600, true, true, 0o600),
            (0o2_664, true, true, 0o2_664),
            (0o640, true, false, 0o600),
            (0o664, true, false, 0o604),
            (0o604, true, false, 0o600),
            (0o4_755, false, true, 0o755),
            (0o066, false, true, 0o000),
            (0o2_664, false, false, 0o604),
        ] {
            let found = allowed(mode, same_owner, same_group);
            assert_eq!(found, expected, "{mode:o} {same_owner} {same_group}");
        }
    }
}
