//! What is known of a run before it starts: whose it is, and which source it runs.

use std::path::{Path, PathBuf};

use super::record::Pairs;
use super::settings::variable;
use process::git::ask_tree;
use process::redact::{redact, without_credentials};

/// The user's name as Python's `getpass.getuser` finds it, which MLflow uses.
pub(crate) fn user() -> String {
    ["LOGNAME", "USER", "LNAME", "USERNAME"]
        .into_iter()
        .find_map(variable)
        .or_else(user_of_process)
        .unwrap_or_else(|| "unknown".to_owned())
}

/// The name in the password file.
fn user_of_process() -> Option<String> {
    let id = rustix::process::getuid().as_raw().to_string();
    let accounts = std::fs::read_to_string("/etc/passwd").ok()?;
    let mut accounts = accounts.lines().map(|line| line.split(':'));
    accounts.find_map(|mut fields| {
        let name = fields.next()?;
        (fields.nth(1)? == id).then(|| name.to_owned())
    })
}

/// The git work trees of a pipeline's projects; git is asked once for each.
#[derive(Debug, Default)]
pub(crate) struct Trees {
    trees: Vec<Tree>,
}

#[derive(Debug)]
struct Tree {
    top: PathBuf,
    commit: Option<String>,
    branch: Option<String>,
    url: Option<String>,
}

impl Trees {
    /// The tags for the source of a project: where it is, and its commit, repository and branch.
    ///
    /// As `mlflow run` sets them, which names a folder in a work tree `file://TOP#FOLDER`; the branch
    /// is the one that is checked out. `uri` is what the pipeline says of a project that is elsewhere.
    pub(crate) fn tags(&mut self, folder: &Path, uri: Option<&str>) -> Pairs {
        let tree = self.tree(folder);
        let mut tags = Vec::new();
        let mut tag = |name: &str, value: Option<String>| {
            tags.extend(value.map(|value| (name.to_owned(), value)));
        };
        let name = match (uri, tree) {
            (Some(uri), _) => redact(&without_credentials(uri)),
            (None, Some(tree)) => {
                let top = tree.top.display();
                match folder.strip_prefix(&tree.top) {
                    Ok(below) if below != Path::new("") => {
                        format!("file://{top}#{}", below.display())
                    }
                    _ => format!("file://{top}"),
                }
            }
            (None, None) => folder.display().to_string(),
        };
        tag("mlflow.source.name", Some(name));
        tag("mlflow.source.type", Some("PROJECT".to_owned()));
        if let Some(tree) = tree {
            tag("mlflow.source.git.commit", tree.commit.clone());
            tag("mlflow.source.git.repoURL", tree.url.clone());
            tag("mlflow.source.git.branch", tree.branch.clone());
        }
        tags
    }

    /// The commit that is checked out where a folder is.
    pub(crate) fn commit(&mut self, folder: &Path) -> Option<String> {
        self.tree(folder)?.commit.clone()
    }

    fn tree(&mut self, folder: &Path) -> Option<&Tree> {
        // Linked work trees and submodules have a file of that name.
        let top = folder
            .ancestors()
            .find(|above| above.join(".git").exists())?;
        let known = self.trees.iter().position(|tree| tree.top == top);
        let position = known.unwrap_or_else(|| {
            self.trees.push(Tree::read(top));
            self.trees.len() - 1
        });
        Some(&self.trees[position])
    }
}

impl Tree {
    /// What git says of a work tree; nothing where it is not installed or refuses.
    fn read(top: &Path) -> Tree {
        let head = git(top, &["rev-parse", "HEAD", "--symbolic-full-name", "HEAD"]);
        let mut head = head.as_deref().unwrap_or_default().lines();
        let commit = head.next().map(str::to_owned);
        let branch = head
            .next()
            .and_then(|name| name.strip_prefix("refs/heads/"));
        let urls = git(top, &["config", "--get-regexp", r"^remote\..*\.url$"]);
        Tree {
            top: top.to_owned(),
            commit,
            branch: branch.map(str::to_owned),
            // The first remote, as MLflow takes it.
            url: urls.as_deref().and_then(|urls| {
                let (_, url) = urls.lines().next()?.split_once(' ')?;
                Some(redact(&without_credentials(url)))
            }),
        }
    }
}

fn git(folder: &Path, arguments: &[&str]) -> Option<String> {
    ask_tree(folder, arguments).ok()?.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_outside_of_git_is_named_by_its_path() {
        let folder = tempfile::tempdir().unwrap();
        let tags = Trees::default().tags(folder.path(), None);
        let name = folder.path().display().to_string();
        let expected = [
            ("mlflow.source.name", name.as_str()),
            ("mlflow.source.type", "PROJECT"),
        ];
        assert_eq!(
            tags,
            expected.map(|(name, value)| (name.to_owned(), value.to_owned()))
        );
    }

    #[test]
    fn credentials_of_a_remote_project_are_not_recorded() {
        let folder = tempfile::tempdir().unwrap();
        let tags = Trees::default().tags(folder.path(), Some("https://u:p@h/r.git?token=x#sub"));
        assert_eq!(tags[0].1, "https://h/r.git?token=***#sub");
    }
}
