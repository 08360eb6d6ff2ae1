//! Paths as they are recorded and shown. Pure, but for the look for a work tree.

use std::ffi::OsString;
use std::fmt::Write;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};

/// What marks a name that is no UTF-8; no path holds this character.
const BYTES: char = '\0';

/// What paths are recorded in relation to.
#[derive(Debug)]
pub(crate) struct Base {
    root: PathBuf,
    /// The work tree of the pipeline, else its folder: what lies in it moves with it.
    top: PathBuf,
}

impl Base {
    pub(crate) fn new(root: &Path) -> Base {
        Base {
            root: root.to_owned(),
            top: work_tree(root).unwrap_or(root).to_owned(),
        }
    }

    /// The name under which a path is recorded.
    pub(crate) fn name(&self, path: &Path) -> String {
        if path.starts_with(&self.top) {
            return text(&relative(&self.root, path));
        }
        text(path)
    }

    /// A recorded name as the user of a step would type it. Nothing is ever opened by it.
    pub(crate) fn shown(&self, name: &str, folder: &Path) -> String {
        let path = mlproject::paths::absolute(&self.root, path(name));
        self.shown_path(&path, folder)
    }

    /// A path as the user of a step would type it.
    pub(crate) fn shown_path(&self, path: &Path, folder: &Path) -> String {
        if path.starts_with(&self.top) && folder.starts_with(&self.top) {
            return relative(folder, path).to_string_lossy().into_owned();
        }
        path.to_string_lossy().into_owned()
    }
}

/// The nearest folder around with a `.git`.
pub(crate) fn work_tree(folder: &Path) -> Option<&Path> {
    folder
        .ancestors()
        .find(|above| above.join(".git").symlink_metadata().is_ok())
}

/// The way from a folder to a path, both absolute.
pub(crate) fn relative(from: &Path, to: &Path) -> PathBuf {
    let shared = from
        .components()
        .zip(to.components())
        .take_while(|(left, right)| left == right)
        .count();
    let up = from.components().skip(shared).map(|_| Component::ParentDir);
    let way: PathBuf = up.chain(to.components().skip(shared)).collect();
    if way.as_os_str().is_empty() {
        return ".".into();
    }
    way
}

/// A path as text that leads back to it, also if it is no UTF-8.
pub(crate) fn text(path: &Path) -> String {
    match path.to_str() {
        Some(text) => text.to_owned(),
        None => path
            .as_os_str()
            .as_bytes()
            .iter()
            .fold(BYTES.to_string(), |mut text, byte| {
                write!(text, "{byte:02x}").expect("writing to a String cannot fail");
                text
            }),
    }
}

/// The path that [`text`] was made of.
fn path(text: &str) -> PathBuf {
    let Some(digits) = text.strip_prefix(BYTES) else {
        return text.into();
    };
    let digits: Vec<u8> = digits
        .chars()
        .filter_map(|digit| u8::try_from(digit.to_digit(16)?).ok())
        .collect();
    let bytes = digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]);
    OsString::from_vec(bytes.collect()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_leads_from_a_folder_to_a_path() {
        let cases = [
            ("/a/b", "/a/b/c", "c"),
            ("/a/b", "/a/c", "../c"),
            ("/a/b", "/a/b", "."),
            ("/a/b", "/", "../.."),
            ("/a/bc", "/a/b", "../b"),
        ];
        for (from, to, way) in cases {
            assert_eq!(relative(Path::new(from), Path::new(to)), Path::new(way));
        }
    }

    #[test]
    fn every_path_has_a_text_of_its_own() {
        for bytes in [&b"a/b"[..], b"a\xff", b"\xc3\xa9", b"~\x80/x"] {
            let of_bytes = PathBuf::from(OsString::from_vec(bytes.to_vec()));
            assert_eq!(path(&text(&of_bytes)), of_bytes);
        }
        assert_eq!(text(Path::new("é")), "é");
        // What a stranger wrote is a path, too.
        assert_eq!(path("\0zz6"), Path::new(""));
    }

    #[test]
    fn what_moves_with_the_pipeline_is_named_by_the_way_to_it() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir_all(at("tree/.git")).unwrap();
        std::fs::create_dir_all(at("tree/pipe")).unwrap();
        let base = Base::new(&at("tree/pipe"));
        assert_eq!(base.name(&at("tree/pipe/x")), "x");
        assert_eq!(base.name(&at("tree/common/x")), "../common/x");
        assert_eq!(Path::new(&base.name(&at("data"))), at("data"));
        assert_eq!(base.shown("out.csv", &at("tree/pipe/step")), "../out.csv");
    }
}
