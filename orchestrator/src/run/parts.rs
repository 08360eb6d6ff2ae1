//! The parts of the config that a step gets as files: in `mlruns/.values`, and among the artifacts of its run.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use process::files::{make_folder_in, open_folder, open_in, remove_in};
use rustix::fs::OFlags;

use super::error::RunError;
use plan::{Part, PlannedStep};

/// Writes the files of a step, and copies of them into the folder of its run; gives these.
pub(super) fn write(
    step: &PlannedStep,
    root: &Path,
    folder: &Path,
) -> Result<Vec<PathBuf>, RunError> {
    let mut copies = Vec::new();
    for (name, part) in &step.parts {
        let failed = |source| RunError::Part {
            step: step.name.clone(),
            name: name.clone(),
            path: part.path.clone(),
            source,
        };
        put(root, part).map_err(failed)?;
        let extension = part.path.extension().unwrap_or_default();
        let copy = folder
            .join(name.replace('/', "_"))
            .with_added_extension(extension);
        fs::write(&copy, &part.text).map_err(failed)?;
        copies.push(copy);
    }
    Ok(copies)
}

/// Puts a file in its place whatever is there: what has come with a folder from elsewhere may be a link, or
/// hold something else than its name says.
fn put(root: &Path, part: &Part) -> io::Result<()> {
    let runs = root.join("mlruns");
    fs::create_dir_all(&runs)?;
    // It may be a link to another disk.
    let runs = open_folder(&runs)?;
    let folder = make_folder_in(&runs, ".values")?;
    let name = part.path.file_name().unwrap_or_default();
    let draft = format!("{}.{}", name.to_string_lossy(), tracking::new_key());
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
    let mut file = open_in(&folder, Path::new(&draft), flags)?;
    let written = file
        .write_all(part.text.as_bytes())
        .and_then(|()| file.set_permissions(fs::Permissions::from_mode(0o644)))
        .and_then(|()| Ok(rustix::fs::renameat(&folder, &draft, &folder, name)?));
    if written.is_err() {
        remove_in(&folder, &draft).ok();
    }
    written
}
