//! What strangers may have put into a folder of environments, or into the files of a project: nothing
//! that is not ours is removed, and looking starts nothing, waits for nothing and writes nothing.

use std::collections::BTreeMap;
use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use crate::harness::{Ended, Folder, Run, orchestrator};

const VENV: &str = "uv-0123456789abcdef";
const OTHER: &str = "virtualenv-fedcba9876543210";
pub(crate) const CONDA: &str = "mlflow-0123456789abcdef0123456789abcdef01234567";

/// Everything below a folder: what it is, and what is in it.
pub(crate) fn all(folder: &Folder) -> BTreeMap<String, String> {
    fn walk(folder: &Path, root: &Path, found: &mut BTreeMap<String, String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let data = path.symlink_metadata().unwrap();
            let name = path.strip_prefix(root).unwrap().display().to_string();
            let what = if data.is_dir() {
                walk(&path, root, found);
                "folder".to_owned()
            } else if data.is_symlink() {
                format!("to {}", path.read_link().unwrap().display())
            } else if data.is_file() && data.len() < 10_000 {
                String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned()
            } else {
                format!("{:?} of {} bytes", data.file_type(), data.len())
            };
            found.insert(name, what);
        }
    }
    let mut found = BTreeMap::new();
    walk(&folder.path(), &folder.path(), &mut found);
    found
}

/// Puts an environment into `root` as we leave it, made 100 days ago.
fn environment(folder: &Folder, root: &str, name: &str) {
    let prefix = folder.path().join(root).join(name);
    record(folder, root, name, &json("uv", &prefix, true));
    folder.file(&format!("{root}/{name}/bin/python"), "");
}

/// What a record says.
pub(crate) fn json(tool: &str, prefix: &Path, made_here: bool) -> String {
    let prefix = prefix.display();
    format!(r#"{{"tool":"{tool}","prefix":"{prefix}","file":null,"made_here":{made_here}}}"#)
}

/// Writes a record of 100 days ago, and its lock.
pub(crate) fn record(folder: &Folder, root: &str, name: &str, text: &str) {
    let record = format!("{root}/{name}.json");
    folder.file(&record, text);
    folder.file(&format!("{root}/{name}.lock"), "");
    let file = std::fs::File::open(folder.path().join(record)).unwrap();
    let then = SystemTime::now() - Duration::from_hours(100 * 24);
    file.set_modified(then).unwrap();
}

/// Makes a pipe that nobody writes to.
pub(crate) fn pipe(folder: &Folder, name: &str) {
    let path = folder.path().join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let status = Command::new("mkfifo").arg(path).status();
    assert!(status.unwrap().success());
}

/// Within seconds, or not at all.
pub(crate) fn quickly<'a>(folder: &'a Folder, arguments: &[&str]) -> Run<'a> {
    let program = orchestrator().display().to_string();
    let words = ["20", &program];
    let words: Vec<&str> = words.into_iter().chain(arguments.iter().copied()).collect();
    folder.program_in_path("timeout", &words)
}

fn prune(folder: &Folder, root: &str) -> Ended {
    quickly(folder, &["--env-prune", "30", "--env-root", root]).run()
}

/// Asserts that nothing is removed, nor written, and what is said of what is left.
#[track_caller]
fn stays(folder: &Folder, root: &str, said: &[&str]) {
    let before = all(folder);
    for arguments in [
        ["--env-list"].as_slice(),
        &["--env-list", "--format", "json"],
    ] {
        let arguments: Vec<&str> = arguments
            .iter()
            .copied()
            .chain(["--env-root", root])
            .collect();
        let listed = quickly(folder, &arguments).run();
        listed.ends(0);
        assert_eq!(listed.stderr(), "");
        assert_eq!(all(folder), before);
    }
    let ended = prune(folder, root).succeeds("");
    assert_eq!(all(folder), before);
    let lines: Vec<String> = said.iter().map(|text| format!("left: {text}\n")).collect();
    assert_eq!(ended.stderr(), lines.concat());
}

#[test]
fn only_what_has_a_name_of_ours_is_removed() {
    let folder = Folder::new();
    folder.file("tools/.lock", "");
    folder.file("tools/ruff/bin/ruff", "precious");
    stays(
        &folder,
        "tools",
        &["`.lock` is not named as one of our environments"],
    );
    folder.file("parent/envs/...lock", "");
    folder.file("parent/precious/thesis.tex", "precious");
    stays(
        &folder,
        "parent/envs",
        &["`...lock` is not named as one of our environments"],
    );
    for name in [
        "proj",
        "uv-0123456789ABCDEF",
        "uv-0123456789abcde",
        "mlflow-0123456789abcdef",
        "a\u{1b}[2Jb\nuv-0123456789abcdef",
        " ",
        "-rf",
    ] {
        let folder = Folder::new();
        folder.file(&format!("root/{name}/src/main"), "precious");
        record(
            &folder,
            "root",
            name,
            &json("uv", &folder.path().join("root").join(name), true),
        );
        let before = all(&folder);
        let ended = prune(&folder, "root").succeeds("");
        ended
            .says("left: `")
            .says(".lock` is not named as one of our environments\n");
        assert_eq!(all(&folder), before, "{name:?}");
        quickly(&folder, &["--env-list", "--env-root", "root"])
            .run()
            .succeeds("");
    }
}

#[test]
fn a_folder_of_anything_else_is_left_alone() {
    for files in [
        // Those of pip, of poetry and uv, and a home.
        ["http-v2/0/1/2/x", "selfcheck/x.json"],
        ["artifacts/x.whl", "virtualenvs/p-py3.11/pyvenv.cfg"],
        ["archive-v0/x/METADATA", "CACHEDIR.TAG"],
        ["Documents/thesis.tex", "notes.json"],
    ] {
        let folder = Folder::new();
        for file in files {
            folder.file(&format!("root/{file}"), "precious");
        }
        stays(&folder, "root", &[]);
    }
    let folder = Folder::new();
    // Not to be tried where a mistake would cost the machine: there it is only looked at.
    for root in ["/", "/usr", "none/at/all"] {
        quickly(&folder, &["--env-list", "--env-root", root])
            .run()
            .succeeds("");
    }
    let ended = quickly(&folder, &["--env-prune", "0", "--env-root", "none/at/all"]).run();
    ended.succeeds("");
    assert_eq!(folder.files(), Vec::<String>::new());
    folder.file("file", "");
    let ended = quickly(&folder, &["--env-prune", "0", "--env-root", "file"]).run();
    ended
        .says("error: cannot use the folder of environments file")
        .ends(1);
}

#[test]
fn a_record_is_no_proof_for_another_folder() {
    let record_of = |name: &str, text: &str| {
        let folder = Folder::new();
        let dir = folder.path().display().to_string();
        folder.file(&format!("root/{name}/kept"), "precious");
        folder.file("home/thesis/thesis.tex", "precious");
        folder.file(&format!("home/{name}/kept"), "precious");
        record(&folder, "root", name, &text.replace("DIR", &dir));
        let text = format!("`{name}` has a record that is not to be trusted: ");
        let before = all(&folder);
        let ended = prune(&folder, "root").succeeds("");
        assert_eq!(all(&folder), before);
        assert!(
            ended.stderr().starts_with(&format!("left: {text}")),
            "{}",
            ended.stderr()
        );
    };
    let path = Path::new;
    for name in [VENV, CONDA] {
        for prefix in [
            "DIR/home/thesis",
            "DIR/root/../home/thesis",
            "DIR",
            "/",
            "",
            "root",
        ] {
            record_of(name, &json("uv", path(prefix), true));
            record_of(name, &json("conda", path(prefix), true));
        }
        for text in ["", "{", "null", "{}", "[]", "not json", &" ".repeat(70_000)] {
            record_of(name, text);
        }
        let newer = json("uv", &path("DIR/root").join(name), true).replace('}', ",\"keep\":1}");
        record_of(name, &newer);
    }
    record_of(VENV, &json("uv", &path("DIR/home").join(VENV), true));
    record_of(VENV, &json("conda", &path("DIR/root").join(VENV), true));
}

#[test]
fn a_folder_without_a_record_is_only_ours_if_we_noted_that_we_began_it() {
    let folder = Folder::new();
    for name in [VENV, OTHER, CONDA, "docker-0123456789abcdef"] {
        folder.file(&format!("root/{name}/kept"), "precious");
        folder.file(&format!("root/{name}.log"), "");
    }
    folder.file(&format!("root/{VENV}.lock"), "");
    let reason = "has no record that says that it was made here";
    let names = ["docker-0123456789abcdef", CONDA, VENV, OTHER];
    let said = names.map(|name| format!("`{name}` {reason}"));
    stays(&folder, "root", &said.each_ref().map(String::as_str));
    // A note that is a link or a pipe is none.
    symlink(
        "/dev/null",
        folder.path().join(format!("root/{VENV}.making")),
    )
    .unwrap();
    pipe(&folder, &format!("root/{OTHER}.making"));
    stays(&folder, "root", &said.each_ref().map(String::as_str));
    for name in [VENV, OTHER] {
        let note = format!("root/{name}.making");
        std::fs::remove_file(folder.path().join(&note)).unwrap();
        folder.file(&note, "");
    }
    let listed = quickly(&folder, &["--env-list", "--env-root", "root"]).run();
    listed.succeeds(&format!(
        "{VENV}  unfinished, 0 MB\n{OTHER}  unfinished, 0 MB\n"
    ));
    prune(&folder, "root").succeeds(&format!("{VENV}\n{OTHER}\n"));
    assert!(
        !folder.exists(&format!("root/{VENV}")) && folder.exists(&format!("root/{CONDA}/kept"))
    );
}

#[test]
fn nothing_is_reached_through_a_link() {
    let folder = Folder::new();
    folder.file("thesis/thesis.tex", "precious");
    folder.file("thesis/bin/python", "precious");
    let root = folder.path().join("root");
    record(&folder, "root", VENV, &json("uv", &root.join(VENV), true));
    symlink(folder.path().join("thesis"), root.join(VENV)).unwrap();
    let reason = format!("`{VENV}` is not a folder");
    stays(&folder, "root", &[&reason]);
    // A record that is a link, although to a good one.
    let folder = Folder::new();
    environment(&folder, "root", VENV);
    let record = folder.path().join(format!("root/{VENV}.json"));
    std::fs::rename(&record, folder.path().join("good.json")).unwrap();
    symlink(folder.path().join("good.json"), &record).unwrap();
    let before = all(&folder);
    let ended = quickly(&folder, &["--env-prune", "0", "--env-root", "root"]).run();
    let ended = ended.succeeds("");
    ended.says("has a record that is not to be trusted: it is a link\n");
    assert_eq!(all(&folder), before);
    // The root itself is the user's word, and so may be a link.
    let folder = Folder::new();
    environment(&folder, "link", VENV);
    std::fs::rename(folder.path().join("link"), folder.path().join("real")).unwrap();
    symlink("real", folder.path().join("link")).unwrap();
    folder.file("precious", "");
    symlink(
        "../../precious",
        folder.path().join(format!("real/{VENV}/bin/link")),
    )
    .unwrap();
    prune(&folder, "link").succeeds(&format!("{VENV}\n"));
    assert!(folder.exists("precious") && !folder.exists(&format!("real/{VENV}")));
}

#[test]
fn pipes_and_devices_hold_nobody_up() {
    let folder = Folder::new();
    for (name, extension) in [(VENV, "json"), (OTHER, "lock"), (CONDA, "making")] {
        environment(&folder, "root", name);
        let file = format!("root/{name}.{extension}");
        std::fs::remove_file(folder.path().join(&file)).ok();
        pipe(&folder, &file);
    }
    symlink(
        "/dev/zero",
        folder.path().join("root/uv-aaaaaaaaaaaaaaaa.json"),
    )
    .unwrap();
    let before = all(&folder);
    quickly(&folder, &["--env-list", "--env-root", "root"])
        .run()
        .ends(0);
    let ended = quickly(&folder, &["--env-prune", "0", "--env-root", "root"]).run();
    assert_eq!(ended.stdout(), "");
    assert_eq!(all(&folder), before);
}

#[test]
fn what_is_ours_is_removed_and_nothing_beside_it() {
    let folder = Folder::new();
    environment(&folder, "root", VENV);
    environment(&folder, "root", OTHER);
    for file in ["log", "txt", "build.txt"] {
        folder.file(&format!("root/{VENV}.{file}"), "");
    }
    folder.file("root/proj/src/main", "precious");
    folder.file("root/proj.lock", "");
    // In use by another run.
    let script = format!("exec 9<root/{OTHER}.lock; flock -s 9; touch locked; cat >/dev/null");
    let (input, _kept) = std::io::pipe().unwrap();
    let holder = folder
        .program_in_path("bash", &["-c", &script])
        .stdin(input);
    let holder = holder.start();
    crate::harness::wait_until("it is locked", || folder.exists("locked"));
    let listed = quickly(&folder, &["--env-list", "--env-root", "root"]).run();
    listed.succeeds(&format!(
        "{VENV}  complete, 0 MB, by uv, last used 100 days ago\n{OTHER}  busy, 0 MB, by uv, last used 100 days ago\n"
    ));
    // Not yet, and by no number of days.
    for days in ["101", "18446744073709551615", "213503982334602"] {
        let arguments = ["--env-prune", days, "--env-root", "root"];
        quickly(&folder, &arguments).run().succeeds("");
    }
    prune(&folder, "root").succeeds(&format!("{VENV}\n"));
    drop(holder);
    let mut left = folder.files();
    left.retain(|name| name.starts_with("root/"));
    let lock = |name: &str| format!("root/{name}.lock");
    let expected = [
        "root/proj/src/main".to_owned(),
        "root/proj.lock".to_owned(),
        lock(VENV),
        format!("root/{OTHER}/bin/python"),
        format!("root/{OTHER}.json"),
        lock(OTHER),
    ];
    let mut expected = expected.to_vec();
    expected.sort();
    assert_eq!(left, expected);
}

#[test]
fn what_a_record_says_cannot_fake_a_line_or_move_the_cursor() {
    let folder = Folder::new();
    let prefix = folder.path().join("envs").join(CONDA);
    let text = json(r"conda\u001b]0;x\u0007", &prefix, true);
    let text = text.replace(
        "null",
        r#""a\nuv-0000000000000000  complete\u202e\u009b31m\r""#,
    );
    record(&folder, "root", CONDA, &text);
    let arguments = ["--env-list", "--env-root", "root"];
    let listed = quickly(&folder, &arguments).run().succeeds(&format!(
        "{CONDA}  complete, 0 MB, by conda\\u{{1b}}]0;x\\u{{7}}, last used 100 days ago, first for \
         a\\nuv-0000000000000000  complete\\u{{202e}}\\u{{9b}}31m\\r\n"
    ));
    assert_eq!(listed.stderr(), "");
    let listed = quickly(&folder, &[&arguments[..], &["--format", "json"]].concat()).run();
    assert!(
        !listed
            .stdout()
            .contains(['\u{1b}', '\u{202e}', '\u{9b}', '\r'])
    );
    assert_eq!(listed.json()[0]["tool"], "conda\u{1b}]0;x\u{7}");
}

#[test]
fn what_cannot_be_removed_is_told_and_the_others_are_removed() {
    let folder = Folder::new();
    environment(&folder, "root", VENV);
    environment(&folder, "root", OTHER);
    let kept = folder.path().join(format!("root/{VENV}/bin"));
    std::fs::set_permissions(&kept, Permissions::from_mode(0o555)).unwrap();
    // Root could remove it all the same.
    let script = "set -e; cp \"$0\" program
        if [ \"$(id -u)\" = 0 ]; then
            chmod 755 .; chown -R 65534:65534 root
            exec setpriv --reuid=65534 --regid=65534 --clear-groups ./program \"$@\"
        fi
        exec ./program \"$@\"";
    let program = orchestrator().display().to_string();
    let words = [
        "-c",
        script,
        &program,
        "--env-prune",
        "30",
        "--env-root",
        "root",
    ];
    let prune = || folder.program_in_path("bash", &words).run();
    let ended = prune();
    ended.ends(1);
    assert_eq!(ended.stdout(), format!("{OTHER}\n"));
    let reason = "cannot be removed: Permission denied (os error 13)";
    let ended = ended.says(&format!("left: `{VENV}` {reason}\n"));
    ended.says("error: cannot use the folder of environments root\n");
    // What is left of it is still known to be ours.
    std::fs::set_permissions(&kept, Permissions::from_mode(0o755)).unwrap();
    std::fs::remove_file(folder.path().join("program")).unwrap();
    prune().succeeds(&format!("{VENV}\n"));
    assert!(!folder.exists(&format!("root/{VENV}")));
}

#[test]
#[ignore = "needs root"]
fn what_belongs_to_another_user_stays() {
    let own = |folder: &Folder, name: &str| {
        std::os::unix::fs::lchown(folder.path().join(name), Some(65534), Some(65534)).unwrap();
    };
    for (file, reason) in [
        (format!("root/{VENV}"), "belongs to another user".to_owned()),
        (
            format!("root/{VENV}/bin/python"),
            format!("holds `[DIR]/root/{VENV}/bin/python`, which belongs to another user"),
        ),
        (
            format!("root/{VENV}/bin"),
            format!("holds `[DIR]/root/{VENV}/bin`, which belongs to another user"),
        ),
        (
            format!("root/{VENV}.json"),
            "has a record that is not to be trusted: it belongs to another user".to_owned(),
        ),
    ] {
        let folder = Folder::new();
        environment(&folder, "root", VENV);
        own(&folder, &file);
        let before = all(&folder);
        let ended = prune(&folder, "root").succeeds("");
        assert_eq!(ended.stderr(), format!("left: `{VENV}` {reason}\n"));
        assert_eq!(all(&folder), before);
    }
    // A note of another user's.
    let folder = Folder::new();
    folder.file(&format!("root/{VENV}/kept"), "precious");
    folder.file(&format!("root/{VENV}.making"), "");
    own(&folder, &format!("root/{VENV}.making"));
    let reason = format!("`{VENV}` has no record that says that it was made here");
    stays(&folder, "root", &[&reason]);
}

#[test]
#[ignore = "needs root"]
fn what_is_mounted_below_stays() {
    let folder = Folder::new();
    environment(&folder, "root", VENV);
    folder.file("home/thesis.tex", "precious");
    folder.file(&format!("root/{VENV}/home/x"), "");
    let script = format!(
        "mount --bind home root/{VENV}/home && exec '{}' --env-prune 30 --env-root root",
        orchestrator().display()
    );
    let words = ["--mount", "--propagation", "private", "bash", "-c", &script];
    let ended = folder.program_in_path("unshare", &words).run();
    let reason = format!("holds `[DIR]/root/{VENV}/home`, where another file system is mounted");
    let ended = ended.succeeds("");
    assert_eq!(ended.stderr(), format!("left: `{VENV}` {reason}\n"));
    assert_eq!(folder.read("home/thesis.tex"), "precious");
}
