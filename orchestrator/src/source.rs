//! Where a step's project comes from: a folder, a git repository or a zip file.
//!
//! What has to be fetched goes into a cache folder, under a name made of where it came from and of
//! its commit (or, for a zip file, of its content). It is prepared beside its place and renamed, so
//! that two runs may fetch the same thing at once, and it is reused by the next run. A work tree of
//! the user is never touched.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use sha1::{Digest, Sha1};

use crate::process;
use crate::project::absolute;
use crate::redact::{without_credentials, without_user_of};
use crate::system;

/// Why a project could not be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SourceError {
    #[error("no folder or zip file `{0}`")]
    Missing(String),
    #[error("no folder `{folder}` in `{source_name}`")]
    NoSubfolder { folder: String, source_name: String },
    #[error("`{0}` leads out of the project; expected a folder in it")]
    OutsideFolder(String),
    #[error("`version: {version}` needs a git repository, but `{source_name}` is none")]
    NotGit {
        version: String,
        source_name: String,
    },
    #[error("`{source_name}` has no commit, tag or branch `{version}`")]
    NoVersion {
        version: String,
        source_name: String,
    },
    #[error("git cannot read `{source_name}`: {message}")]
    Git {
        source_name: String,
        message: String,
    },
    #[error("the program `git` cannot be started")]
    NoGit(#[source] std::io::Error),
    #[error("no folder for fetched projects: neither XDG_CACHE_HOME nor HOME is set")]
    NoCache,
    #[error("cannot write to the cache `{}`", folder.display())]
    Cache {
        folder: PathBuf,
        source: std::io::Error,
    },
    #[error("cannot read `{}`", path.display())]
    Read {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("`{}` is no zip file that can be read", path.display())]
    Zip {
        path: PathBuf,
        source: zip::result::ZipError,
    },
    #[error("`{}` holds a file `{name}` that would be written outside of it", path.display())]
    ZipTraversal { path: PathBuf, name: String },
    #[error("cannot download `{uri}`")]
    Download {
        uri: String,
        source: crate::download::DownloadError,
    },
}

/// The local folder of the project at `uri`, fetched if need be.
///
/// A URI is written as for `mlflow run`: a path, `file://`, a git URL or a zip file, and `#folder`
/// for a project below. Relative paths start from `root`. `version` is a commit, tag or branch.
pub(crate) fn folder(
    uri: &str,
    version: Option<&str>,
    root: &Path,
) -> Result<PathBuf, SourceError> {
    let uri = uri.trim_matches(['"', '\'']);
    let (location, subfolder) = uri.split_once('#').unwrap_or((uri, ""));
    if Path::new(subfolder)
        .components()
        .any(|part| !matches!(part, std::path::Component::Normal(_)))
    {
        return Err(SourceError::OutsideFolder(subfolder.to_owned()));
    }
    let folder = match Location::parse(location, root) {
        Location::Folder(folder) if is_bare_repository(&folder) => git(location, version)?,
        Location::Folder(folder) => match version {
            None => folder,
            Some(version) => versioned_folder(&folder, version, location)?,
        },
        Location::Zip(file) => unzipped(&file)?,
        Location::RemoteZip(url) => unzipped(&downloaded(url)?)?,
        Location::Git(url) => git(url, version)?,
    };
    let project = folder.join(subfolder);
    match (project.is_dir(), folder.is_dir()) {
        (true, _) => Ok(project),
        (false, false) => Err(SourceError::Missing(uri.to_owned())),
        (false, true) => Err(SourceError::NoSubfolder {
            folder: subfolder.to_owned(),
            source_name: location.to_owned(),
        }),
    }
}

/// Whether a project at `uri` has to be fetched over a network.
pub(crate) fn is_remote(uri: &str) -> bool {
    let location = uri.trim_matches(['"', '\'']);
    matches!(
        Location::parse(location, Path::new("/")),
        Location::Git(_) | Location::RemoteZip(_)
    )
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
        match () {
            () if is_zip && is_web => Location::RemoteZip(location),
            () if is_zip => Location::Zip(local),
            () if location.starts_with("file://") || local.exists() => Location::Folder(local),
            () if location.contains("://") || is_scp => Location::Git(location),
            () => Location::Folder(local),
        }
    }
}

fn is_bare_repository(folder: &Path) -> bool {
    folder.join("HEAD").is_file() && folder.join("objects").is_dir()
}

/// A version of a folder in a work tree: a clone of the repository around it, never a checkout in it.
fn versioned_folder(folder: &Path, version: &str, location: &str) -> Result<PathBuf, SourceError> {
    let ask = |question| run_git(Some(folder), &["rev-parse".as_ref(), OsStr::new(question)]);
    let not_git = |_| SourceError::NotGit {
        version: version.to_owned(),
        source_name: location.to_owned(),
    };
    let top = ask("--show-toplevel")?.map_err(not_git)?;
    let prefix = ask("--show-prefix")?.map_err(not_git)?;
    Ok(git(&format!("file://{top}"), Some(version))?.join(prefix))
}

/// A shallow clone of one commit, in the cache.
fn git(url: &str, version: Option<&str>) -> Result<PathBuf, SourceError> {
    let failed = |message: String| SourceError::Git {
        source_name: url.to_owned(),
        message: without_user_of(url, &message),
    };
    let place = cache()?.join("git").join(file_name(url));
    let is_commit =
        |version: &str| version.len() == 40 && version.bytes().all(|byte| byte.is_ascii_hexdigit());
    let commit = match version {
        Some(version) if is_commit(version) => Some(version.to_ascii_lowercase()),
        version => remote_commit(url, version)?.map_err(failed)?,
    };
    if let Some(commit) = &commit
        && place.join(commit).is_dir()
    {
        return Ok(place.join(commit));
    }
    let fresh = Fresh::new(&place)?;
    let repository = Some(fresh.path());
    let git = |arguments: &[&str]| {
        let arguments: Vec<&OsStr> = arguments.iter().map(OsStr::new).collect();
        run_git(repository, &arguments)
    };
    git(&["init", "--quiet"])?.map_err(failed)?;
    let shallow = match &commit {
        Some(commit) => git(&["fetch", "--quiet", "--depth", "1", url, commit])?.is_ok(),
        None => false,
    };
    let head = if shallow {
        "FETCH_HEAD"
    } else {
        // An abbreviated commit, or a server that hands out whole branches only.
        let everything = [
            "fetch",
            "--quiet",
            "--tags",
            url,
            "+refs/heads/*:refs/remotes/origin/*",
        ];
        git(&everything)?.map_err(failed)?;
        commit.as_deref().or(version).unwrap_or("HEAD")
    };
    let name = format!("{head}^{{commit}}");
    let commit =
        git(&["rev-parse", "--verify", "--quiet", &name])?.map_err(|_| SourceError::NoVersion {
            version: version.unwrap_or("HEAD").to_owned(),
            source_name: url.to_owned(),
        })?;
    git(&["checkout", "--quiet", "--detach", &commit])?.map_err(failed)?;
    git(&["remote", "add", "origin", &without_credentials(url)])?.map_err(failed)?;
    git(&[
        "submodule",
        "--quiet",
        "update",
        "--init",
        "--recursive",
        "--depth",
        "1",
    ])?
    .map_err(failed)?;
    fresh.keep_as(&place.join(commit))
}

/// The commit that the server has for a branch, a tag or its default branch; none if it has no such name.
fn remote_commit(
    url: &str,
    version: Option<&str>,
) -> Result<Result<Option<String>, String>, SourceError> {
    let names = match version {
        None => vec!["HEAD".to_owned()],
        // The commit behind an annotated tag comes before the tag itself.
        Some(version) => ["refs/tags/{}^{}", "refs/tags/{}", "refs/heads/{}"]
            .map(|name| name.replacen("{}", version, 1))
            .into(),
    };
    let arguments = ["ls-remote", url]
        .into_iter()
        .chain(names.iter().map(String::as_str))
        .map(OsStr::new);
    let answer = run_git(None, &arguments.collect::<Vec<_>>())?;
    Ok(answer.map(|lines| {
        let commit_of = |name: &String| {
            let mut pairs = lines.lines().filter_map(|line| line.split_once('\t'));
            pairs
                .find(|(_, known)| known == name)
                .map(|(commit, _)| commit.to_owned())
        };
        names.iter().find_map(commit_of)
    }))
}

/// Runs git; the inner result is its output, or what it complained of.
fn run_git(
    folder: Option<&Path>,
    arguments: &[&OsStr],
) -> Result<Result<String, String>, SourceError> {
    let output = process::capture("git", arguments, folder).map_err(SourceError::NoGit)?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    Ok(if output.status.success() {
        Ok(text(&output.stdout))
    } else {
        Err(text(&output.stderr))
    })
}

/// The content of a zip file, in the cache.
fn unzipped(file: &Path) -> Result<PathBuf, SourceError> {
    let read = |source| SourceError::Read {
        path: file.to_owned(),
        source,
    };
    let bytes = match std::fs::read(file) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(SourceError::Missing(file.display().to_string()));
        }
        bytes => bytes.map_err(read)?,
    };
    let digest = hexadecimal(&Sha1::digest(&bytes));
    let place = cache()?.join("zip");
    let target = place.join(digest);
    if target.is_dir() {
        return Ok(target);
    }
    let broken = |source| SourceError::Zip {
        path: file.to_owned(),
        source,
    };
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(bytes)).map_err(broken)?;
    for position in 0..archive.len() {
        let entry = archive.by_index(position).map_err(broken)?;
        if entry.enclosed_name().is_none() {
            return Err(SourceError::ZipTraversal {
                path: file.to_owned(),
                name: String::from_utf8_lossy(entry.name_raw()).into_owned(),
            });
        }
    }
    let fresh = Fresh::new(&place)?;
    archive.extract(fresh.path()).map_err(broken)?;
    fresh.keep_as(&target)
}

fn downloaded(url: &str) -> Result<PathBuf, SourceError> {
    let place = cache()?.join("downloads");
    let target = place.join(file_name(url));
    std::fs::create_dir_all(&place).map_err(|source| SourceError::Cache {
        folder: place.clone(),
        source,
    })?;
    crate::download::to_file(url, &target).map_err(|source| SourceError::Download {
        uri: url.to_owned(),
        source,
    })?;
    Ok(target)
}

/// A folder under construction in the cache; removed unless it is kept.
struct Fresh {
    folder: tempfile::TempDir,
}

impl Fresh {
    fn new(place: &Path) -> Result<Fresh, SourceError> {
        let cannot_write = |source| SourceError::Cache {
            folder: place.to_owned(),
            source,
        };
        std::fs::create_dir_all(place).map_err(cannot_write)?;
        let folder = tempfile::Builder::new()
            .prefix(".new-")
            .tempdir_in(place)
            .map_err(cannot_write)?;
        Ok(Fresh { folder })
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Puts the folder into its place. If another run was faster, its folder is the same.
    fn keep_as(self, target: &Path) -> Result<PathBuf, SourceError> {
        match std::fs::rename(self.path(), target) {
            Err(_) if target.is_dir() => {}
            renamed => renamed.map_err(|source| SourceError::Cache {
                folder: target.to_owned(),
                source,
            })?,
        }
        Ok(target.to_owned())
    }
}

fn cache() -> Result<PathBuf, SourceError> {
    system::cache().ok_or(SourceError::NoCache)
}

/// A file name for a URL, without its credentials; different URLs have different names.
fn file_name(url: &str) -> String {
    let url = without_credentials(url);
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    let mut name = String::new();
    for byte in url.bytes() {
        if is_plain(byte) {
            name.push(char::from(byte));
        } else {
            name.push('%');
            name.push_str(&hexadecimal(&[byte]));
        }
    }
    name
}

fn hexadecimal(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from(b"0123456789abcdef"[usize::from(value)]);
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
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

    #[test]
    fn a_cache_name_is_one_file_name_without_credentials() {
        assert_eq!(
            file_name("https://user:secret@host/a b"),
            "https%3a%2f%2fhost%2fa%20b"
        );
        assert_eq!(file_name("git@host:org/b.git"), "git%40host%3aorg%2fb.git");
    }
}
