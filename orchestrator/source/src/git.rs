//! A commit of a git repository, as a shallow clone in the cache.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::cache::{Fresh, file_name, folder as cache_folder};
use super::{Access, SourceError};
use mlproject::file::read_regular;
use process::git::{Answer, ask_server};
use process::redact::{without_credentials, without_user_of};

/// How long a server may take to tell which commits it has.
const TELLING: Duration = Duration::from_secs(30);

/// How long a repository may take to come, submodules included.
const FETCHING: Duration = Duration::from_mins(15);

/// The folder of a repository's commit; `version` is a commit, tag or branch, by default the head of
/// the default branch.
///
/// Only looking, a branch or tag is the commit that it was when it was fetched last.
pub(crate) fn folder(
    url: &str,
    version: Option<&str>,
    access: Access,
) -> Result<PathBuf, SourceError> {
    if let Some(version) = version.filter(|version| !is_name(version)) {
        return Err(SourceError::BadVersion(version.to_owned()));
    }
    let repository = Repository {
        url,
        version,
        place: cache_folder("git")?.join(file_name(url)),
    };
    match access {
        Access::Look => repository
            .last()
            .ok_or_else(|| SourceError::NotFetched(without_credentials(url))),
        Access::Fetch => repository.fetched(),
    }
}

/// The commit of which a folder in the cache is, or is a part; none of any other folder.
pub fn commit(folder: &Path) -> Option<String> {
    let below = folder.strip_prefix(cache_folder("git").ok()?).ok()?;
    let commit = below.components().nth(1)?.as_os_str().to_str()?;
    is_commit(commit).then(|| commit.to_owned())
}

/// Whether git could take a text for the name of a commit, tag or branch, and for nothing else.
fn is_name(version: &str) -> bool {
    let is_odd = |character: char| character.is_control() || " :?*[\\".contains(character);
    !version.is_empty() && !version.starts_with('-') && !version.contains(is_odd)
}

fn is_commit(version: &str) -> bool {
    version.len() == 40 && version.bytes().all(|byte| byte.is_ascii_hexdigit())
}

struct Repository<'a> {
    url: &'a str,
    version: Option<&'a str>,
    /// The folder for all of its commits.
    place: PathBuf,
}

impl Repository<'_> {
    /// The commit that was fetched for this version last.
    fn last(&self) -> Option<PathBuf> {
        let commit = match self.version {
            Some(version) if is_commit(version) => version.to_ascii_lowercase(),
            _ => String::from_utf8(read_regular(&self.note(), 40).ok()?).ok()?,
        };
        let folder = self.place.join(&commit);
        (is_commit(&commit) && folder.is_dir()).then_some(folder)
    }

    /// The file that says which commit the version was.
    fn note(&self) -> PathBuf {
        let name = file_name(self.version.unwrap_or("HEAD"));
        self.place.join(format!("{name}.commit"))
    }

    fn fetched(&self) -> Result<PathBuf, SourceError> {
        let commit = match self.version {
            Some(version) if is_commit(version) => Some(version.to_ascii_lowercase()),
            version => self.commit_of(version)?,
        };
        let folder = match commit.as_ref().map(|commit| self.place.join(commit)) {
            Some(folder) if folder.is_dir() => folder,
            _ => self.clone_commit(commit.as_deref())?,
        };
        // For those who only look; that it cannot be written matters to nobody else.
        if let Some(commit) = folder.file_name() {
            std::fs::write(self.note(), commit.as_encoded_bytes()).ok();
        }
        Ok(folder)
    }

    fn clone_commit(&self, commit: Option<&str>) -> Result<PathBuf, SourceError> {
        let fresh = Fresh::new(&self.place)?;
        let git = |arguments: &[&str]| self.ask(fresh.path(), arguments, FETCHING);
        let done = |arguments: &[&str]| git(arguments)?.map_err(|message| self.failed(&message));
        done(&["init", "--quiet", "--template="])?;
        let shallow = match commit {
            Some(commit) => {
                let fetch = ["fetch", "--quiet", "--depth", "1", "--end-of-options"];
                git(&[&fetch[..], &[self.url, commit]].concat())?.is_ok()
            }
            None => false,
        };
        let head = if shallow {
            "FETCH_HEAD"
        } else {
            // An abbreviated commit, or a server that hands out whole branches only.
            let fetch = ["fetch", "--quiet", "--tags", "--end-of-options"];
            let branches = "+refs/heads/*:refs/remotes/origin/*";
            done(&[&fetch[..], &[self.url, branches]].concat())?;
            commit.or(self.version).unwrap_or("HEAD")
        };
        let name = format!("{head}^{{commit}}");
        let verify = ["rev-parse", "--verify", "--quiet", "--end-of-options"];
        let commit = git(&[&verify[..], &[&name]].concat())?;
        let commit = commit
            .ok()
            .filter(|commit| is_commit(commit))
            .ok_or_else(|| SourceError::NoVersion {
                version: self.version.unwrap_or("HEAD").to_owned(),
                source_name: without_credentials(self.url),
            })?;
        done(&["checkout", "--quiet", "--detach", &commit])?;
        let url = without_credentials(self.url);
        done(&["remote", "add", "--", "origin", &url])?;
        let submodules = ["submodule", "--quiet", "update", "--init", "--recursive"];
        done(&[&submodules[..], &["--depth", "1"]].concat())?;
        fresh.keep_as(&self.place.join(commit))
    }

    /// The commit that the server has for a branch, a tag or its default branch; none if it has no such name.
    fn commit_of(&self, version: Option<&str>) -> Result<Option<String>, SourceError> {
        let names = match version {
            None => vec!["HEAD".to_owned()],
            // The commit behind an annotated tag comes before the tag itself.
            Some(version) => ["refs/tags/{}^{}", "refs/tags/{}", "refs/heads/{}"]
                .map(|name| name.replacen("{}", version, 1))
                .into(),
        };
        let mut arguments = vec!["ls-remote", "--end-of-options", self.url];
        arguments.extend(names.iter().map(String::as_str));
        let lines = self.ask(Path::new("/"), &arguments, TELLING)?;
        let lines = lines.map_err(|message| self.failed(&message))?;
        let commit_of = |name: &String| {
            let mut pairs = lines.lines().filter_map(|line| line.split_once('\t'));
            pairs
                .find(|(commit, known)| known == name && is_commit(commit))
                .map(|(commit, _)| commit.to_owned())
        };
        Ok(names.iter().find_map(commit_of))
    }

    fn ask(
        &self,
        folder: &Path,
        arguments: &[&str],
        limit: Duration,
    ) -> Result<Answer, SourceError> {
        ask_server(folder, arguments, limit).map_err(|source| SourceError::NoGit {
            source_name: without_credentials(self.url),
            source,
        })
    }

    fn failed(&self, message: &str) -> SourceError {
        SourceError::Git {
            source_name: self.url.to_owned(),
            message: without_user_of(self.url, message),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_a_name_and_never_an_option() {
        for name in ["v1", "a/b", "HEAD~2", "0123abc", "release-1.0", "ü"] {
            assert!(is_name(name), "{name}");
        }
        for name in [
            "",
            "-v",
            "--upload-pack=x",
            "a b",
            "a:b",
            "a\nb",
            "*",
            "a[1]",
        ] {
            assert!(!is_name(name), "{name:?}");
        }
    }
}
