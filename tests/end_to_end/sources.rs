//! Projects that are elsewhere: git repositories and zip files, fetched into a cache.

use std::process::Command;

use crate::harness::{Folder, Run, Server};

/// Runs git in a folder, as somebody without any configuration.
pub(crate) fn git(folder: &Folder, inside: &str, arguments: &[&str]) -> String {
    let mut git = Command::new("git");
    git.env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("HOME", folder.path());
    for role in ["GIT_AUTHOR", "GIT_COMMITTER"] {
        git.env(format!("{role}_NAME"), "a")
            .env(format!("{role}_EMAIL"), "a@example.org");
    }
    let output = git
        .current_dir(folder.path().join(inside))
        .args(arguments)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A work tree `work` with the project `get` in two versions, and a bare clone of it, `remote.git`.
fn repository() -> Folder {
    let folder = Folder::new();
    folder.step(
        "work/get",
        "parameters: {x: {default: 1}}\ncommand: echo first {x}; pwd",
    );
    git(
        &folder,
        "work",
        &["init", "--quiet", "--initial-branch=trunk"],
    );
    git(&folder, "work", &["add", "."]);
    git(&folder, "work", &["commit", "--quiet", "-m", "first"]);
    git(&folder, "work", &["tag", "-a", "v1", "-m", "v1"]);
    folder.step("work/get", "command: echo second");
    git(&folder, "work", &["commit", "--quiet", "-am", "second"]);
    git(
        &folder,
        ".",
        &["clone", "--quiet", "--bare", "work", "remote.git"],
    );
    folder
}

fn pipeline(folder: &Folder, entry: &str) {
    let root = folder.path();
    let entry = entry.replace("URL", &format!("file://{}/remote.git", root.display()));
    folder.file(
        "MLproject",
        format!("env_manager: local\nsteps:\n  s: {{{entry}}}\n"),
    );
}

fn run<'a>(folder: &'a Folder, arguments: &[&str]) -> Run<'a> {
    folder
        .orchestrator(arguments)
        .env("XDG_CACHE_HOME", folder.path().join("cache"))
}

#[test]
fn a_git_project_is_fetched_by_tag_branch_and_commit_and_reused() {
    let folder = repository();
    pipeline(&folder, "project: URL#get, version: v1, parameters: {x: 2}");
    let first = git(&folder, "work", &["rev-parse", "v1^{commit}"]);
    let name = format!("{}/remote.git", folder.path().display()).replace('/', "%2f");
    let fetched = format!("cache/orchestrator/git/file%3a%2f%2f{name}/{first}");
    run(&folder, &[])
        .run()
        .succeeds(&format!("first 2\n[DIR]/{fetched}/get\n"));
    let entries = std::fs::read_dir(folder.path().join(&fetched).parent().unwrap()).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    // The clone, and which commit the tag was.
    assert_eq!(names, [first.as_str(), "v1.commit"]);

    for version in ["", ", version: trunk"] {
        pipeline(&folder, &format!("project: 'URL#get'{version}"));
        run(&folder, &[]).run().succeeds("second\n");
    }
    // A commit that is there needs no server any more.
    std::fs::rename(
        folder.path().join("remote.git"),
        folder.path().join("gone.git"),
    )
    .unwrap();
    pipeline(
        &folder,
        &format!("project: '{}#get', version: {first}", "git://127.0.0.1:1/x"),
    );
    run(&folder, &[])
        .run()
        .says("git cannot read `git://127.0.0.1:1/x`")
        .ends(1);
    std::fs::rename(
        folder.path().join("gone.git"),
        folder.path().join("remote.git"),
    )
    .unwrap();
    for version in [first.clone(), first[..10].to_owned()] {
        pipeline(&folder, &format!("project: URL#get, version: '{version}'"));
        run(&folder, &["-P", "s.x=3"])
            .run()
            .succeeds(&format!("first 3\n[DIR]/{fetched}/get\n"));
    }
}

#[test]
fn a_version_of_a_local_folder_leaves_the_work_tree_alone() {
    let folder = repository();
    folder.file("work/get/untracked", "");
    let before = folder.read("work/get/MLproject");
    folder.file(
        "MLproject",
        "env_manager: local\nsteps:\n  s: {project: work/get, version: v1}\n",
    );
    let ended = run(&folder, &[]).run();
    ended.ends(0);
    assert!(
        ended.stdout().starts_with("first 1\n[DIR]/cache/"),
        "{}",
        ended.stdout()
    );
    assert_eq!(folder.read("work/get/MLproject"), before);
    assert_eq!(
        git(&folder, "work", &["rev-parse", "--abbrev-ref", "HEAD"]),
        "trunk"
    );
    assert_eq!(
        git(&folder, "work", &["status", "--porcelain"]),
        "?? get/untracked"
    );
}

#[test]
fn two_runs_may_fetch_at_once() {
    let folder = repository();
    pipeline(&folder, "project: URL#get");
    std::thread::scope(|scope| {
        let runs: Vec<_> = (0..6)
            .map(|_| scope.spawn(|| run(&folder, &["--wait"]).run().succeeds("second\n")))
            .collect();
        for run in runs {
            run.join().unwrap();
        }
    });
}

#[test]
fn a_remote_step_that_is_not_wanted_is_not_fetched() {
    let folder = repository();
    folder.step("a", "command: echo a");
    folder.file(
        "MLproject",
        "env_manager: local\nsteps:\n  a:\n  s: {project: 'git://127.0.0.1:1/x', default: false}\n",
    );
    run(&folder, &[]).run().succeeds("a\n");
    run(&folder, &["--steps", "a"]).run().succeeds("a\n");
    run(&folder, &["--list"]).run().ends(0);
    run(&folder, &["-P", "steps=a,s"])
        .run()
        .says("git cannot read `git://127.0.0.1:1/x`")
        .ends(1);
    assert!(!folder.exists("cache"));
}

#[test]
fn what_is_not_there_is_named() {
    let folder = repository();
    let cases = [
        (
            "project: URL#none",
            "no folder `none` in `file://[DIR]/remote.git`",
        ),
        (
            "project: 'URL#../x'",
            "`../x` leads out of the project; expected a folder in it",
        ),
        (
            "project: URL#get, version: v9",
            "`file://[DIR]/remote.git` has no commit, tag or branch `v9`",
        ),
        ("project: none", "no folder or zip file `none`"),
        (
            "project: none.zip",
            "no folder or zip file `[DIR]/none.zip`",
        ),
        (
            "project: plain, version: v1",
            "`version: v1` needs a git repository, but `plain` is none",
        ),
    ];
    folder.step("plain", "command: echo plain");
    folder.step("a", "command: touch ../ran");
    for (entry, message) in cases {
        pipeline(&folder, entry);
        let text =
            format!("error: 1 problem; nothing was run\n  step `s`: {message} (MLproject:3)\n");
        run(&folder, &["--steps", "a,s"]).run().fails(1, &text);
        run(&folder, &["--steps", "a,s", "--check"])
            .run()
            .fails(1, &text);
    }
    assert!(!folder.exists("ran"));
}

/// A zip file without compression of the given files, made by Python.
fn zip(folder: &Folder, name: &str, files: &[(&str, &str)]) {
    let script = "import sys, zipfile\nwith zipfile.ZipFile(sys.argv[1], 'w', zipfile.ZIP_DEFLATED) as out:\n    \
                  for name, text in zip(sys.argv[2::2], sys.argv[3::2]): out.writestr(name, text)\n";
    let arguments = files.iter().flat_map(|(name, text)| [*name, *text]);
    let mut python = Command::new("python3");
    python
        .current_dir(folder.path())
        .args(["-c", script, name])
        .args(arguments);
    assert!(python.status().unwrap().success());
}

#[test]
fn a_zipped_project_is_unpacked_into_the_cache() {
    let folder = Folder::new();
    let project = "entry_points: {main: {command: cat data.txt}}";
    zip(
        &folder,
        "p.zip",
        &[("sub/MLproject", project), ("sub/data.txt", "zipped\n")],
    );
    folder.file(
        "MLproject",
        "env_manager: local\nsteps:\n  s: {project: 'p.zip#sub'}\n",
    );
    run(&folder, &[]).run().succeeds("zipped\n");

    let server = Server::new(std::fs::read(folder.path().join("p.zip")).unwrap());
    let url = server.url("p.zip");
    folder.file(
        "MLproject",
        format!("env_manager: local\nsteps:\n  s: {{project: '{url}#sub'}}\n"),
    );
    run(&folder, &[]).run().succeeds("zipped\n");
    assert_eq!(server.requests(), ["GET /p.zip HTTP/1.1"]);
}

#[test]
fn a_zip_file_cannot_write_outside_of_its_folder() {
    let folder = Folder::new();
    zip(
        &folder,
        "p.zip",
        &[
            ("MLproject", "entry_points: {main: {command: echo hi}}"),
            ("../../evil", "x"),
        ],
    );
    folder.file(
        "MLproject",
        "env_manager: local\nsteps:\n  s: {project: p.zip}\n",
    );
    let text = "error: 1 problem; nothing was run\n  step `s`: `[DIR]/p.zip` holds a file `../../evil` \
                that would be written outside of it (MLproject:3)\n";
    run(&folder, &[]).run().fails(1, text);
    assert!(!folder.files().iter().any(|name| name.ends_with("evil")));
    folder.file("p.zip", "no zip file");
    run(&folder, &[])
        .run()
        .says("step `s`: `[DIR]/p.zip` is no zip file that can be read (MLproject:3)")
        .ends(1);
}

#[test]
fn a_remote_value_of_a_path_parameter_is_downloaded_before_the_step() {
    let folder = Folder::new();
    folder.file("MLproject", "env_manager: local");
    folder.step(
        "s",
        "parameters: {n: int, data: path}\ncommand: cat {data}; basename {data}",
    );
    let server = Server::new("remote\n");
    let url = server.url("a/data.csv?x=1");
    let arguments = ["--steps", "s", "--n", "1", "--data", &url];
    let temporary = folder.path().join("tmp");
    std::fs::create_dir(&temporary).unwrap();
    folder
        .orchestrator(&[&arguments[..], &["--dry-run"]].concat())
        .env("TMPDIR", &temporary)
        .run()
        .ends(0);
    assert!(server.requests().is_empty(), "a plan downloads nothing");
    folder
        .orchestrator(&arguments)
        .env("TMPDIR", &temporary)
        .run()
        .succeeds("remote\ndata.csv\n");
    assert_eq!(server.requests(), ["GET /a/data.csv?x=1 HTTP/1.1"]);
}
