//! What is elsewhere and has to come here: the project of a step, from a folder, a git repository or a zip
//! file; and, by [`download`], one small file over http(s).
//!
//! What has to be fetched goes into a cache folder, under a name made of where it came from and of
//! its commit (or, for a zip file, of its content). It is prepared beside its place and renamed, so
//! that two runs may fetch the same thing at once, and it is reused by the next run. A work tree of
//! the user is never touched.

#![warn(missing_docs)]

mod cache;
pub mod download;
mod git;
mod zip;

use std::path::{Component, Path, PathBuf};

use mlproject::paths::absolute;

pub use git::commit;

/// Whether what is not in the cache may be fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Only what is here counts, and no process is started.
    Look,
    /// What is not here is fetched; servers are asked also which commit a branch or tag is by now.
    Fetch,
}

/// Why a project cannot be used. Addresses in it may hold credentials, which are hidden when it is
/// printed.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// There is nothing: what the pipeline says, or the path made of it.
    #[error("no folder or zip file `{0}`")]
    Missing(String),
    /// It is only looked at, or its step is not going to run: the address.
    #[error("not fetched: `{0}`")]
    NotFetched(String),
    /// A program that is given it could take it for an option.
    #[error("`{0}` begins with `-`; expected a folder, a URL or a zip file")]
    Option(String),
    /// Git could take it for something else: it is empty, begins with `-` or holds what no name does,
    /// such as a blank or `:`.
    #[error("`version: {0}` is no name of a commit, tag or branch")]
    BadVersion(String),
    /// The project is there, without the folder behind the `#`.
    #[error("no folder `{folder}` in `{source_name}`")]
    NoSubfolder {
        /// What stands behind the `#`.
        folder: String,
        /// Where the project comes from.
        source_name: String,
    },
    /// What stands behind the `#`: it has a `..`, is absolute, or a link in what was fetched leads out.
    #[error("`{0}` leads out of the project; expected a folder in it")]
    OutsideFolder(String),
    /// A folder has a version, but is in no work tree.
    #[error("`version: {version}` needs a git repository, but `{source_name}` is none")]
    NotGit {
        /// What the pipeline says.
        version: String,
        /// The folder, as the pipeline says.
        source_name: String,
    },
    /// The repository was read, and has nothing of that name.
    #[error("`{source_name}` has no commit, tag or branch `{version}`")]
    NoVersion {
        /// What the pipeline says, or `HEAD`.
        version: String,
        /// The repository, without credentials.
        source_name: String,
    },
    /// Git failed, as for want of a server, a repository or a login.
    #[error("git cannot read `{source_name}`: {message}")]
    Git {
        /// The repository.
        source_name: String,
        /// What git says, without the user name and password of the address.
        message: String,
    },
    /// There is no git on PATH, or it did not answer in time: 30 seconds to tell its commits, 15 minutes
    /// to fetch one.
    #[error("git cannot be asked for `{source_name}`")]
    NoGit {
        /// The repository, without credentials.
        source_name: String,
        /// Why.
        source: std::io::Error,
    },
    /// There is no place for the cache.
    #[error("no folder for fetched projects: neither XDG_CACHE_HOME nor HOME is set")]
    NoCache,
    /// The folder of what was fetched cannot be made or renamed.
    #[error("cannot write to the cache `{}`", folder.display())]
    Cache {
        /// The folder in the cache.
        folder: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The zip file is there, but cannot be opened or read, or is no regular file.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// It is no zip file, a broken one, or its content cannot be written to the cache.
    #[error("`{}` is no zip file that can be read", path.display())]
    Zip {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: ::zip::result::ZipError,
    },
    /// It has over 256 MiB, over 10,000 files and folders, or over 1 GiB when unpacked.
    #[error("`{}` holds {what}; expected at most {limit}", path.display())]
    ZipTooLarge {
        /// The file.
        path: PathBuf,
        /// Of what there is too much: `too many files`.
        what: &'static str,
        /// How many bytes or files there may be.
        limit: String,
    },
    /// An entry leads out by `..`, or has a name that no file can have; nothing of the zip file is kept.
    #[error("`{}` holds a file `{name}` that would be written outside of it", path.display())]
    ZipTraversal {
        /// The file.
        path: PathBuf,
        /// The entry, as the zip file names it.
        name: String,
    },
    /// A zip file did not come from its server.
    #[error("cannot download `{uri}`")]
    Download {
        /// Where it is.
        uri: String,
        /// Why.
        source: crate::download::DownloadError,
    },
}

/// The local folder of the project at `uri`, fetched if need be and if `access` allows it.
///
/// A URI is written as for `mlflow run`: a path, `file://`, a git URL or a zip file, and `#folder`
/// for a project below; quotes around it do not count. What ends in `.zip` is a zip file, what exists a
/// folder, and the rest is left to git. Relative paths start from `root`, which is absolute.
///
/// `version` is a commit, tag or branch, by default the head of the default branch, and means nothing
/// for a zip file. A folder without a version is used where it is, unless it is a bare repository;
/// everything else lies in the cache.
pub fn folder(
    uri: &str,
    version: Option<&str>,
    root: &Path,
    access: Access,
) -> Result<PathBuf, SourceError> {
    let uri = uri.trim_matches(['"', '\'']);
    let (location, subfolder) = uri.split_once('#').unwrap_or((uri, ""));
    if location.starts_with('-') {
        // No program that is given it may take it for an option.
        return Err(SourceError::Option(location.to_owned()));
    }
    if Path::new(subfolder)
        .components()
        .any(|part| !matches!(part, Component::Normal(_)))
    {
        return Err(SourceError::OutsideFolder(subfolder.to_owned()));
    }
    let (folder, is_ours) = match Location::parse(location, root) {
        Location::Folder(folder) if is_bare_repository(&folder) => {
            (git::folder(&text_of(&folder)?, version, access)?, false)
        }
        Location::Folder(folder) => match version {
            None => (folder, true),
            Some(version) => (versioned_folder(&folder, version, location, access)?, false),
        },
        Location::Zip(file) => (zip::folder(&file, location, access)?, false),
        Location::RemoteZip(url) => (zip::remote_folder(url, access)?, false),
        Location::Git(url) => (git::folder(url, version, access)?, false),
    };
    let project = folder.join(subfolder);
    match (project.is_dir(), folder.is_dir()) {
        (true, _) if is_ours || is_below(&project, &folder) => Ok(project),
        (true, _) => Err(SourceError::OutsideFolder(subfolder.to_owned())),
        (false, false) => Err(SourceError::Missing(uri.to_owned())),
        (false, true) => Err(SourceError::NoSubfolder {
            folder: subfolder.to_owned(),
            source_name: location.to_owned(),
        }),
    }
}

/// Whether a folder lies in another one, also when links in what was fetched are followed.
fn is_below(folder: &Path, above: &Path) -> bool {
    match (folder.canonicalize(), above.canonicalize()) {
        (Ok(folder), Ok(above)) => folder.starts_with(above),
        _ => false,
    }
}

enum Location<'a> {
    Folder(PathBuf),
    Zip(PathBuf),
    RemoteZip(&'a str),
    Git(&'a str),
}

impl Location<'_> {
    /// MLflow's rules: what ends in `.zip` is a zip file, what exists or is `file://` is a folder,
    /// and everything else is left to git.
    fn parse<'a>(location: &'a str, root: &Path) -> Location<'a> {
        // As in MLflow, `.ZIP` is no zip file.
        let is_zip = Path::new(location)
            .extension()
            .is_some_and(|extension| extension == "zip");
        let local = match location.strip_prefix("file://") {
            Some(path) => absolute(root, path),
            None => absolute(root, location),
        };
        let is_web = location.starts_with("http://") || location.starts_with("https://");
        let is_scp = location
            .split_once(':')
            .is_some_and(|(host, _)| host.contains('@') && !host.contains('/'));
        if is_zip && is_web {
            Location::RemoteZip(location)
        } else if is_zip {
            Location::Zip(local)
        } else if location.starts_with("file://") || local.exists() {
            Location::Folder(local)
        } else if location.contains("://") || is_scp {
            Location::Git(location)
        } else {
            Location::Folder(local)
        }
    }
}

fn is_bare_repository(folder: &Path) -> bool {
    folder.join("HEAD").is_file() && folder.join("objects").is_dir()
}

/// A version of a folder in a work tree: a clone of the repository around it, never a checkout in it.
fn versioned_folder(
    folder: &Path,
    version: &str,
    location: &str,
    access: Access,
) -> Result<PathBuf, SourceError> {
    // Linked work trees and submodules have a file of that name.
    let mut above = folder.ancestors();
    let top = above
        .find(|above| above.join(".git").exists())
        .ok_or_else(|| SourceError::NotGit {
            version: version.to_owned(),
            source_name: location.to_owned(),
        })?;
    let below = folder.strip_prefix(top).unwrap_or(Path::new(""));
    Ok(git::folder(&text_of(top)?, Some(version), access)?.join(below))
}

/// The address of a repository on this machine.
fn text_of(folder: &Path) -> Result<String, SourceError> {
    folder
        .to_str()
        .map(|folder| format!("file://{folder}"))
        .ok_or_else(|| SourceError::Missing(folder.display().to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_is_a_folder_a_zip_file_or_left_to_git() {
        let kind = |location| match Location::parse(location, Path::new("/")) {
            Location::Folder(path) => format!("folder {}", path.display()),
            Location::Zip(path) => format!("zip {}", path.display()),
            Location::RemoteZip(url) => format!("remote zip {url}"),
            Location::Git(url) => format!("git {url}"),
        };
        assert_eq!(kind("no/such"), "folder /no/such");
        assert_eq!(kind("file:///no/such"), "folder /no/such");
        assert_eq!(kind("a/b.zip"), "zip /a/b.zip");
        assert_eq!(kind("file:///b.zip"), "zip /b.zip");
        assert_eq!(kind("https://host/b.zip"), "remote zip https://host/b.zip");
        assert_eq!(kind("https://host/b"), "git https://host/b");
        assert_eq!(kind("git@host:org/b.git"), "git git@host:org/b.git");
        assert_eq!(kind("ssh://git@host/b.git"), "git ssh://git@host/b.git");
    }
}
