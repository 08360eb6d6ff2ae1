//! Lists of requirements, as pip reads them, moved away from the folder that they are written in.

use std::path::{Path, PathBuf};

use super::{EnvironmentError, files};
use mlproject::paths::absolute;

/// What to install, in a form that means the same from every folder.
#[derive(Debug, Default, Clone)]
pub(crate) struct Requirements {
    /// The lines of a requirements file.
    pub lines: Vec<String>,
    /// Arguments for pip: other files and editable projects, by their absolute path.
    pub arguments: Vec<String>,
    /// All of it, with the text of the files named; environments of the same content are the same.
    pub content: String,
}

/// How many files of requirements there may be; each is read only once.
const MAX_FILES: usize = 100;

/// Options that name another file of requirements.
const FILES: [[&str; 2]; 2] = [["-r", "--requirement"], ["-c", "--constraint"]];

impl Requirements {
    /// Reads the items of `origin`, a file in `folder`.
    pub(crate) fn read(
        items: &[String],
        folder: &Path,
        origin: &Path,
    ) -> Result<Requirements, EnvironmentError> {
        let (mut requirements, mut read) = (Requirements::default(), Vec::new());
        for line in items.iter().flat_map(|item| item.lines()).map(str::trim) {
            requirements.add(line, folder, origin, &mut read)?;
        }
        Ok(requirements)
    }

    /// Reads a lock file.
    pub(crate) fn locked(lock: &Path) -> Result<Requirements, EnvironmentError> {
        let mut requirements = Requirements::default();
        let content = text_of(lock, lock, files::LOCK_LIMIT, &mut Vec::new())?;
        requirements.name("-r", lock, &content);
        Ok(requirements)
    }

    /// Has pip read a file, by its absolute path, which is not taken for an option.
    fn name(&mut self, option: &str, file: &Path, content: &str) {
        self.content += content;
        self.arguments
            .extend([option.to_owned(), file.display().to_string()]);
    }

    fn add(
        &mut self,
        line: &str,
        folder: &Path,
        origin: &Path,
        read: &mut Vec<PathBuf>,
    ) -> Result<(), EnvironmentError> {
        for [short, long] in FILES {
            if let Some(file) = option(line, short, long).filter(|file| !file.contains("://")) {
                let file = absolute(folder, file);
                let content = text_of(&file, origin, files::LIMIT, read)?;
                self.name(short, &file, &content);
                return Ok(());
            }
        }
        let editable = option(line, "-e", "--editable").filter(|path| !path.contains("://"));
        if let Some(path) = editable {
            let path = folder.join(path).display().to_string();
            self.content.extend(["-e ", &path, "\n"]);
            self.arguments.extend(["-e".to_owned(), path]);
            return Ok(());
        }
        let line = if line.starts_with('.') {
            folder.join(line).display().to_string()
        } else {
            line.to_owned()
        };
        self.content.extend([&line, "\n"]);
        self.lines.push(line);
        Ok(())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.arguments.is_empty()
    }

    /// Whether a hash is given for some package; then pip wants one for each.
    pub(crate) fn has_hashes(&self) -> bool {
        self.content.contains("--hash=") || self.content.contains("--hash ")
    }
}

/// The value of an option in one of its spellings: `-r x`, `-rx`, `--requirement x`, `--requirement=x`.
fn option<'a>(line: &'a str, short: &str, long: &str) -> Option<&'a str> {
    let value = match line.strip_prefix(long) {
        Some(value) if value.starts_with(['=', ' ']) => &value[1..],
        Some(_) => return None,
        None if line.starts_with("--") => return None,
        None => line.strip_prefix(short)?,
    };
    let value = value.split(" #").next().unwrap_or_default();
    Some(value.trim().trim_matches(['"', '\'']))
}

/// The text of a requirements file and of those it names, without those that were read before.
fn text_of(
    file: &Path,
    origin: &Path,
    limit: u64,
    read: &mut Vec<PathBuf>,
) -> Result<String, EnvironmentError> {
    // Files that name each other are pip's to complain about.
    if read.iter().any(|known| known == file) {
        return Ok(String::new());
    }
    if read.len() == MAX_FILES {
        return Err(EnvironmentError::ManyRequirements {
            file: origin.to_owned(),
            limit: MAX_FILES,
        });
    }
    read.push(file.to_owned());
    let bytes = files::read_if_there(file, limit)?;
    let bytes = bytes.ok_or_else(|| EnvironmentError::NoRequirements {
        file: origin.to_owned(),
        missing: file.to_owned(),
    })?;
    let mut text = String::from_utf8_lossy(&bytes).into_owned();
    let folder: PathBuf = file.parent().unwrap_or(file).to_owned();
    // A project on disk is not the same one for a file elsewhere.
    let is_local = |line: &str| {
        ["-e", "--editable", "."]
            .iter()
            .any(|start| line.starts_with(start))
    };
    if text.lines().any(|line| is_local(line.trim())) {
        text.extend(["\nin ", &folder.display().to_string(), "\n"]);
    }
    let mut below = String::new();
    for line in text.lines().map(str::trim) {
        let mut named = FILES
            .iter()
            .filter_map(|[short, long]| option(line, short, long));
        if let Some(next) = named.next().filter(|next| !next.contains("://")) {
            below += &text_of(&absolute(&folder, next), file, files::LIMIT, read)?;
        }
    }
    Ok(text + &below + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(items: &[&str], folder: &Path) -> Result<Requirements, EnvironmentError> {
        let items: Vec<String> = items.iter().map(|&item| item.to_owned()).collect();
        Requirements::read(&items, folder, Path::new("/p/python_env.yaml"))
    }

    #[test]
    fn lines_mean_the_same_elsewhere() {
        let folder = Path::new("/p");
        let read = read(
            &[
                "numpy==1.26",
                "-e .",
                "./lib",
                ".[dev]",
                "-e git+https://h/x",
            ],
            folder,
        );
        let read = read.unwrap();
        assert_eq!(
            read.lines,
            ["numpy==1.26", "/p/./lib", "/p/.[dev]", "-e git+https://h/x"]
        );
        assert_eq!(read.arguments, ["-e", "/p/."]);
        assert!(!read.has_hashes() && !read.is_empty());
    }

    #[test]
    fn the_files_named_count_with_their_text() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        std::fs::write(path.join("a b.txt"), "-r more.txt\nsix --hash=sha256:00\n").unwrap();
        std::fs::write(path.join("more.txt"), "attrs\n").unwrap();
        let file = path.join("a b.txt").display().to_string();
        for spelling in [
            "-r a b.txt",
            "-ra b.txt",
            "--requirement=a b.txt",
            "--requirement a b.txt",
        ] {
            let read = read(&[spelling], path).unwrap();
            assert_eq!(read.arguments, ["-r", &file], "{spelling}");
            assert!(read.content.contains("attrs") && read.has_hashes());
        }
        std::fs::write(path.join("more.txt"), "-r gone.txt\n").unwrap();
        let error = read(&["-r a b.txt"], path).unwrap_err().to_string();
        assert!(error.contains("gone.txt"), "{error}");
        std::fs::write(path.join("more.txt"), "-r more.txt\n").unwrap();
        read(&["-r a b.txt"], path).unwrap();
    }
}
