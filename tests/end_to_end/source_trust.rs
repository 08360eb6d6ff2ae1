//! Projects that are elsewhere are fetched by a git that runs nothing but git, for a plan alone, within
//! limits, and that never takes a repository of the user's for its own.

use crate::harness::{Folder, Run, Server, Started, is_alive, wait_until};
use crate::sources::git;

/// A repository `NAME` with a project in it.
fn repository(folder: &Folder, name: &str) {
    folder.step(name, "command: echo fetched");
    git(folder, name, &["init", "--quiet", "--initial-branch=main"]);
    git(folder, name, &["add", "."]);
    git(folder, name, &["commit", "--quiet", "-m", "one"]);
}

fn run<'a>(folder: &'a Folder, arguments: &[&str]) -> Run<'a> {
    folder
        .orchestrator(arguments)
        .env("XDG_CACHE_HOME", folder.path().join("cache"))
}

#[test]
fn what_begins_with_a_dash_is_no_project() {
    for project in [
        "--upload-pack=touch pwned; a://b",
        "-x",
        "'\"--upload-pack=touch pwned;\"'",
        "--x.zip",
    ] {
        let folder = Folder::new();
        folder.file(
            "MLproject",
            format!(
                "env_manager: local\nsteps:\n  x:\n    project: {project}\n  y:\n    project: y\n"
            ),
        );
        folder.step("y", "command: echo y");
        // A folder of that name that looks like a repository.
        for name in [
            "--upload-pack=touch pwned;/HEAD",
            "--upload-pack=touch pwned;/objects/x",
        ] {
            folder.file(name, "");
        }
        for arguments in [&["--check"][..], &["--dry-run"], &[]] {
            run(&folder, arguments)
                .run()
                .says("begins with `-`; expected a folder, a URL or a zip file")
                .ends(1);
        }
        for arguments in [
            &["--steps", "y", "--list"][..],
            &["--history"],
            &["--help"],
            &["--completions", "bash"],
        ] {
            run(&folder, arguments).run().ends(0);
        }
        run(&folder, &["--steps", "y", "--no-tracking"])
            .run()
            .succeeds("y\n");
        assert!(
            !folder.exists("pwned") && !folder.exists("cache"),
            "{project}"
        );
    }
}

#[test]
fn a_version_that_is_no_name_is_refused() {
    for version in ["--output=x", "-x", "a b", "a:b", "'*'", "\"a\\nb\""] {
        let folder = Folder::new();
        repository(&folder, "remote");
        let url = format!("file://{}/remote", folder.path().display());
        folder.file(
            "MLproject",
            format!("env_manager: local\nsteps: {{x: {{project: '{url}', version: {version}}}}}"),
        );
        run(&folder, &["--check"])
            .run()
            .says("is no name of a commit, tag or branch")
            .ends(1);
    }
}

#[test]
fn the_repository_of_the_caller_is_left_alone() {
    let folder = Folder::new();
    repository(&folder, "remote");
    repository(&folder, "mine");
    let url = format!("file://{}/remote", folder.path().display());
    folder.file(
        "mine/MLproject",
        format!("env_manager: local\nsteps: {{x: {{project: '{url}', version: main}}}}"),
    );
    git(&folder, "mine", &["commit", "--quiet", "-am", "two"]);
    let state = |inside: &str| {
        let head = git(
            &folder,
            inside,
            &["rev-parse", "--symbolic-full-name", "HEAD", "HEAD"],
        );
        let index = git(&folder, inside, &["ls-files", "-s"]);
        let config = folder.read("mine/.git/config");
        (head, index, config)
    };
    // As git sets them for a hook, and a few more.
    let before = state("mine");
    for (name, value) in [
        ("GIT_DIR", ".git"),
        ("GIT_INDEX_FILE", ".git/index"),
        ("GIT_WORK_TREE", "."),
        ("GIT_OBJECT_DIRECTORY", ".git/objects"),
        ("GIT_COMMON_DIR", ".git"),
        ("GIT_NAMESPACE", "x"),
        ("GIT_PREFIX", "x/"),
    ] {
        let value = if value.starts_with('.') {
            folder.path().join("mine").join(value).into_os_string()
        } else {
            value.into()
        };
        std::fs::remove_dir_all(folder.path().join("cache")).ok();
        run(&folder, &["--check"])
            .inside("mine")
            .env(name, value)
            .run()
            .succeeds("");
        assert_eq!(state("mine"), before, "{name}");
        assert!(folder.exists("cache/orchestrator/git"));
    }
    // A commit in a linked work tree, with a hook that checks.
    std::fs::remove_dir_all(folder.path().join("cache")).ok();
    git(
        &folder,
        "mine",
        &["worktree", "add", "--quiet", "../linked", "-b", "feature"],
    );
    let hook = format!(
        "#!/bin/sh\nXDG_CACHE_HOME='{}/cache' exec '{}' --check\n",
        folder.path().display(),
        crate::harness::orchestrator().display()
    );
    folder.file("mine/.git/hooks/pre-commit", hook);
    folder
        .program_in_path("chmod", &["+x", "mine/.git/hooks/pre-commit"])
        .run()
        .ends(0);
    folder.file("linked/other.txt", "new");
    git(&folder, "linked", &["add", "."]);
    git(&folder, "linked", &["commit", "--quiet", "-m", "three"]);
    assert_eq!(
        git(&folder, "linked", &["rev-parse", "--abbrev-ref", "HEAD"]),
        "feature"
    );
    assert_eq!(
        git(&folder, "linked", &["log", "--format=%s"]),
        "three\ntwo\none"
    );
    assert_eq!(git(&folder, "mine", &["status", "--porcelain"]), "");
    assert_eq!(git(&folder, "mine", &["remote"]), "");
    assert!(
        folder.exists("cache/orchestrator/git"),
        "the hook has fetched"
    );
}

/// The programs that a repository's own configuration may name.
#[test]
fn the_configuration_around_the_pipeline_runs_nothing() {
    let folder = Folder::new();
    repository(&folder, "mine");
    repository(&folder, "remote");
    let pwned = format!("touch {}/pwned", folder.path().display());
    for (name, value) in [
        ("core.sshCommand", pwned.as_str()),
        ("core.fsmonitor", &pwned),
        ("core.gitProxy", &pwned),
        ("core.askPass", &pwned),
        ("credential.helper", &format!("!{pwned}")),
        ("core.hooksPath", "/nowhere"),
        ("uploadpack.packObjectsHook", &pwned),
        ("protocol.ext.allow", "always"),
        ("url.ext::sh -c touch% pwned.insteadOf", "https://"),
    ] {
        git(&folder, "mine", &["config", name, value]);
    }
    let remote = format!("file://{}/remote", folder.path().display());
    for project in [
        "ssh://git@127.0.0.1:1/x.git",
        "https://127.0.0.1:1/x.git",
        "git://127.0.0.1:1/x.git",
        "ext::sh -c touch% pwned://",
        remote.as_str(),
        ".",
    ] {
        let version = if project == "." {
            ", version: main"
        } else {
            ""
        };
        folder.file(
            "mine/MLproject",
            format!("env_manager: local\nsteps: {{x: {{project: '{project}'{version}}}}}\nentry_points: {{other: {{command: 'true'}}}}"),
        );
        for arguments in [
            &["--list"][..],
            &["--help"],
            &["--check"],
            &["--dry-run"],
            &["--completions", "bash"],
        ] {
            run(&folder, arguments).inside("mine").run();
            assert!(
                !folder.exists("pwned") && !folder.exists("mine/pwned"),
                "{project} {arguments:?}"
            );
        }
        // A run looks at the work tree for its record.
        run(&folder, &["--steps", "other"])
            .inside("mine")
            .run()
            .ends(0);
        assert!(
            !folder.exists("pwned") && !folder.exists("mine/pwned"),
            "{project}"
        );
    }
}

#[test]
fn a_relative_bare_repository_is_found_from_everywhere() {
    let folder = Folder::new();
    repository(&folder, "work");
    git(
        &folder,
        ".",
        &["clone", "--quiet", "--bare", "work", "r.git"],
    );
    folder.file(
        "MLproject",
        "env_manager: local\nsteps: {x: {project: r.git}, y: {project: './r.git', version: main}}",
    );
    folder.file("sub/x", "");
    run(&folder, &[]).run().succeeds("fetched\nfetched\n");
    run(&folder, &["-C", ".."])
        .inside("sub")
        .run()
        .succeeds("fetched\nfetched\n");
}

#[test]
fn a_server_that_says_nothing_is_told_and_leaves_no_process() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    for url in [
        format!("http://{address}/x.git"),
        format!("git://{address}/x.git"),
        format!("http://{address}/x.zip"),
    ] {
        let folder = Folder::new();
        folder.file(
            "MLproject",
            format!("env_manager: local\nsteps: {{x: {{project: '{url}'}}}}"),
        );
        // Looking does not ask it.
        run(&folder, &["--list"])
            .run()
            .succeeds(&format!("x\n    not fetched: `{url}`\n"));
        let errors = folder.path().join("errors");
        let started = run(&folder, &["--check"])
            .stderr(std::fs::File::create(&errors).unwrap())
            .start();
        let (_connection, _) = silent.accept().unwrap();
        wait_until("it says whom it waits for", || {
            folder.read("errors").contains("waiting for ")
        });
        let below = descendants(&started);
        started.signal("TERM");
        started.end().dies_of(15);
        wait_until("all processes have ended", || {
            !below.iter().any(|pid| is_alive(pid))
        });
    }
}

/// The pids of all processes below one.
fn descendants(started: &Started) -> Vec<String> {
    let mut found = vec![started.pid().to_string()];
    let mut next = 0;
    while let Some(pid) = found.get(next).cloned() {
        let tasks = std::fs::read_dir(format!("/proc/{pid}/task"))
            .into_iter()
            .flatten()
            .flatten();
        for task in tasks {
            let children =
                std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
            found.extend(children.split_whitespace().map(str::to_owned));
        }
        next += 1;
    }
    found.remove(0);
    found
}

/// A zip file made by Python, from `name, content` pairs.
fn zip(folder: &Folder, script: &str) {
    let script = format!(
        "import zipfile\nwith zipfile.ZipFile('a.zip', 'w', zipfile.ZIP_DEFLATED) as z:\n{script}"
    );
    folder
        .program_in_path("python3", &["-c", &script])
        .run()
        .ends(0);
}

#[test]
fn a_zip_file_has_limits() {
    for (script, expected) in [
        (
            "  for i in range(10001): z.writestr(str(i), '')",
            "holds too many files; expected at most 10000",
        ),
        (
            "  for i in range(33): z.writestr(str(i), bytes(1 << 25))",
            "holds too many bytes when unpacked; expected at most 1073741824",
        ),
    ] {
        let folder = Folder::new();
        zip(&folder, script);
        folder.file(
            "MLproject",
            "env_manager: local\nsteps: {x: {project: a.zip}}",
        );
        run(&folder, &["--list"])
            .run()
            .succeeds("x\n    not fetched: `a.zip`\n");
        assert!(!folder.exists("cache"));
        run(&folder, &["--check"]).run().says(expected).ends(1);
        let left = std::fs::read_dir(folder.path().join("cache/orchestrator/zip"));
        assert_eq!(
            left.into_iter().flatten().count(),
            0,
            "nothing is left of it"
        );
    }
}

#[test]
fn a_link_in_a_zip_file_or_a_repository_leads_nowhere() {
    let folder = Folder::new();
    folder.step("outside", "command: echo outside");
    let outside = folder.path().join("outside");
    zip(
        &folder,
        &format!(
            "  i = zipfile.ZipInfo('link'); i.external_attr = 0o120777 << 16; z.writestr(i, '{}')\n  \
             z.writestr('MLproject', 'entry_points: {{main: {{command: cat link}}}}')",
            outside.display()
        ),
    );
    folder.file(
        "MLproject",
        "env_manager: local\nsteps: {x: {project: 'a.zip#link'}, y: {project: a.zip}}",
    );
    run(&folder, &["--steps", "x"])
        .run()
        .says("no folder `link` in `a.zip`")
        .ends(1);
    // As under MLflow, the link is a file that holds its target.
    run(&folder, &["--steps", "y"])
        .run()
        .succeeds("[DIR]/outside");

    repository(&folder, "work");
    std::os::unix::fs::symlink(&outside, folder.path().join("work/link")).unwrap();
    git(&folder, "work", &["add", "."]);
    git(&folder, "work", &["commit", "--quiet", "-m", "link"]);
    let url = format!("file://{}/work/.git#link", folder.path().display());
    folder.file(
        "MLproject",
        format!("env_manager: local\nsteps: {{x: {{project: '{url}'}}}}"),
    );
    run(&folder, &["--check"])
        .run()
        .says("`link` leads out of the project")
        .ends(1);
}

#[test]
fn what_was_fetched_is_listed_without_asking_again() {
    let folder = Folder::new();
    repository(&folder, "remote");
    let url = format!("file://{}/remote/.git", folder.path().display());
    let mut bytes = Vec::new();
    zip(
        &folder,
        "  z.writestr('MLproject', 'entry_points: {main: {description: of the zip, command: x}}')",
    );
    std::fs::File::open(folder.path().join("a.zip"))
        .map(|mut file| std::io::copy(&mut file, &mut bytes))
        .unwrap()
        .unwrap();
    let server = Server::new(bytes);
    let zip = server.url("a.zip");
    folder.file(
        "MLproject",
        format!("env_manager: local\nsteps: {{x: {{project: '{url}', version: main}}, y: {{project: '{zip}'}}}}"),
    );
    run(&folder, &["--check"]).run().succeeds("");
    assert_eq!(server.requests().len(), 1);
    run(&folder, &["--list"]).run().succeeds(
        "x: remote\n    entry point main, environment local\ny: of the zip\n    entry point main, environment local\n\
         remote: remote (not part of `all`)\n    entry point main, environment local\n",
    );
    assert_eq!(server.requests().len(), 1, "looking asks nobody");
}
