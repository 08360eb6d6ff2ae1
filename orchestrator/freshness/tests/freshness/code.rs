//! The code of a step.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use crate::pipeline::{Pipeline, git};

const NEW: &str = "in its folder (git-ignore it, or name the code with `code:`)";

fn made(pipeline: Pipeline) -> Pipeline {
    pipeline.make();
    pipeline.is_up_to_date();
    pipeline
}

#[test]
fn git_says_what_is_code() {
    let pipeline = made(Pipeline::with_git());
    // What runs leave behind, what is ignored, what other steps have.
    for name in [
        "step/x.tmp",
        "step/__pycache__/train.pyc",
        "step/mlruns/0/meta.yaml",
        "step/mlflow.db",
        "step/mlflow.db-wal",
        "other/main.py",
        "step/MLproject",
    ] {
        pipeline.write(name, "x");
        pipeline.is_up_to_date();
    }
    pipeline.write("step/notes.txt", "");
    pipeline.runs_for(&format!("new file notes.txt {NEW}"));
    pipeline.write("step/.hidden", "");
    pipeline.runs_for(&format!("new files .hidden and 1 more file {NEW}"));
    fs::remove_file(pipeline.at("step/notes.txt")).unwrap();
    fs::remove_file(pipeline.at("step/.hidden")).unwrap();
    pipeline.is_up_to_date();
    // Git lists it until that is committed.
    fs::remove_file(pipeline.at("step/more/util.py")).unwrap();
    pipeline.runs_for("code removed: more/util.py");
    pipeline.make();
    pipeline.is_up_to_date();
    pipeline.write("step/more/ü \"x\"\n.py", "");
    pipeline.make();
    pipeline.is_up_to_date();
}

#[test]
fn without_git_what_is_not_hidden_is_code() {
    let pipeline = made(Pipeline::new());
    for name in ["step/.hidden", "step/.venv/x.py", "step/__pycache__/x"] {
        pipeline.write(name, "x");
        pipeline.is_up_to_date();
    }
    pipeline.write("step/more/new.py", "x");
    pipeline.runs_for(&format!("new file more/new.py {NEW}"));
    fs::remove_file(pipeline.at("step/more/new.py")).unwrap();
    fs::remove_dir_all(pipeline.at("step/more")).unwrap();
    pipeline.runs_for("code removed: more/util.py");
}

#[test]
fn where_git_refuses_the_folder_is_walked() {
    let pipeline = Pipeline::new();
    pipeline.write(".git", "no repository");
    pipeline.make();
    pipeline.is_up_to_date();
    pipeline.write("step/train.py", "print(2)");
    pipeline.runs_for("code changed: train.py");
}

#[test]
fn a_folder_that_git_ignores_is_code_all_the_same() {
    let pipeline = Pipeline::with_git();
    pipeline.git(&["rm", "-rq", "--cached", "step"]);
    pipeline.write(".gitignore", "step\n");
    pipeline.make();
    pipeline.is_up_to_date();
    pipeline.write("step/train.py", "print(2)");
    pipeline.runs_for("code changed: train.py");
}

#[test]
fn code_that_is_edited_while_the_step_runs_makes_it_run_again() {
    let pipeline = Pipeline::with_git();
    for start in ["as it was written", "settled"] {
        if start == "settled" {
            Pipeline::settle();
        }
        pipeline.run(|| {
            pipeline.write("step/train.py", &format!("print('{start}')"));
            pipeline.write("out.csv", "1,2\n");
        });
        pipeline.runs_for("code changed while the step ran: train.py");
        pipeline.make();
        pipeline.is_up_to_date();
    }
    // Saved without a change.
    pipeline.run(|| pipeline.write("step/train.py", "print('settled')"));
    pipeline.is_up_to_date();
    pipeline.run(|| fs::remove_file(pipeline.at("step/train.py")).unwrap());
    pipeline.runs_for("code removed: train.py");
}

#[test]
fn what_a_step_leaves_in_its_folder_is_named_once() {
    let pipeline = Pipeline::with_git();
    let work = || {
        pipeline.write("step/plot.png", "x");
        pipeline.write("out.csv", "1,2\n");
    };
    pipeline.run(work);
    pipeline.runs_for(&format!("new file plot.png {NEW}"));
    pipeline.run(work);
    pipeline.is_up_to_date();
}

#[test]
fn a_step_sees_what_another_one_has_left_in_its_folder() {
    let pipeline = made(Pipeline::with_git());
    let files = pipeline.files();
    files.list_code(&[&pipeline.at("step"), &pipeline.at("other")]);
    let mut other = Pipeline::new();
    other.root.clone_from(&pipeline.root);
    other.name = "other".into();
    other.outputs = vec![("out".into(), pipeline.at("other.csv"))];
    let begun = other.with(|subject| freshness::begin(subject, &files).unwrap());
    pipeline.write("other.csv", "");
    pipeline.write("step/generated.py", "");
    begun.finish(None).unwrap();
    let verdict = pipeline.with(|subject| freshness::judge(subject, &files));
    assert!(
        format!("{verdict:?}").contains("generated.py"),
        "{verdict:?}"
    );
}

#[test]
fn copies_and_clones_are_up_to_date() {
    let pipeline = made(Pipeline::with_git());
    let mut copy = Pipeline::with_git();
    for clone in [false, true] {
        fs::remove_dir_all(&copy.root).unwrap();
        if clone {
            let from = pipeline.root.to_str().unwrap();
            git(
                copy.root.parent().unwrap(),
                &["clone", "-q", from, copy.root.to_str().unwrap()],
            );
        }
        fs::create_dir_all(&copy.root).unwrap();
        let copied: &[&str] = if clone {
            &["in.csv", "out.csv", "mlruns"]
        } else {
            &["."]
        };
        for name in copied {
            let status = Command::new("cp")
                .arg("-a")
                .args([pipeline.at(name), copy.root.clone()])
                .status();
            assert!(status.unwrap().success());
        }
        copy.is_up_to_date();
        copy.write("step/train.py", "print(7)");
        copy.runs_for("code changed: train.py");
        copy.git(&["stash", "-q"]);
        copy.is_up_to_date();
        copy.git(&["stash", "pop", "-q"]);
        copy.runs_for("code changed: train.py");
    }
    copy.code = None;
}

#[test]
fn repositories_within_count() {
    let common = Pipeline::with_git();
    let pipeline = Pipeline::with_git();
    let from = common.root.to_str().unwrap();
    pipeline.git(&["submodule", "--quiet", "add", from, "step/module"]);
    pipeline.write("step/nested/x.py", "");
    pipeline.write("step/nested/.gitignore", "*.tmp");
    git(&pipeline.at("step/nested"), &["init", "-q"]);
    pipeline.make();
    pipeline.is_up_to_date();
    pipeline.write("step/module/step/x.tmp", "");
    pipeline.write("step/nested/x.tmp", "");
    pipeline.is_up_to_date();
    pipeline.write("step/module/step/train.py", "print(9)");
    pipeline.write("step/nested/y.py", "");
    assert_eq!(
        pipeline.reasons(),
        [
            "code changed: module/step/train.py".to_owned(),
            format!("new file nested/y.py {NEW}")
        ]
    );
    // Not checked out.
    pipeline.git(&["submodule", "--quiet", "deinit", "-f", "step/module"]);
    pipeline.make();
    pipeline.is_up_to_date();
}

#[test]
fn code_can_be_named() {
    let mut pipeline = Pipeline::with_git();
    let code = |words: &[&str]| Some(words.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>());
    pipeline.write("common/a.py", "");
    pipeline.write("common/deep/b.py", "");
    pipeline.write("common/c.txt", "");
    pipeline.write("step/notes/n.py", "");
    pipeline.write("step/x.tmp", "");
    symlink("../common/c.txt", pipeline.at("step/link.py")).unwrap();
    symlink("../common/deep", pipeline.at("step/linked")).unwrap();
    // What counts with the words, and what does not.
    for (words, counts, others) in [
        (
            &[".", "../common", "!notes/**"][..],
            &["step/train.py", "common/a.py", "common/deep/b.py"][..],
            &["step/notes/n.py", "step/x.tmp", "in.txt"][..],
        ),
        (
            &["train.py", "../common/*.py", "x.tmp"],
            &["step/train.py", "common/a.py", "step/x.tmp"],
            &["step/more/util.py", "common/deep/b.py", "common/c.txt"],
        ),
        (
            &["../common/**/*.py", "!../common/a.py", "m*"],
            &["common/deep/b.py", "step/more/util.py"],
            &["common/a.py", "common/c.txt", "step/train.py"],
        ),
        (
            &["./", "!notes", "!mo?e"],
            &["step/train.py"],
            &["step/notes/n.py", "step/more/util.py", "common/a.py"],
        ),
        // A link, and a link to a folder.
        (
            &["link.py", "linked"],
            &["common/c.txt", "common/deep/b.py"],
            &["step/train.py"],
        ),
        (&[], &[], &["step/train.py"]),
    ] {
        pipeline.code = code(words);
        freshness::check_code(pipeline.code.as_deref().unwrap()).unwrap();
        pipeline.make();
        pipeline.is_up_to_date();
        for name in others {
            pipeline.write(name, &format!("not {words:?}"));
            assert_eq!(pipeline.reasons(), [""; 0], "{name} {words:?}");
        }
        for name in counts {
            pipeline.write(name, &format!("{words:?}"));
            assert_eq!(pipeline.reasons().len(), 1, "{name} {words:?}");
            pipeline.make();
        }
    }
    let wrong = freshness::check_code(&["a/[b".into()]).unwrap_err();
    assert!(
        wrong
            .to_string()
            .starts_with("`code:` has `a/[b`, which is no pattern: "),
        "{wrong}"
    );
}

#[test]
fn a_commit_stands_for_its_files() {
    let mut pipeline = Pipeline::new();
    pipeline.commit = Some("abc".into());
    pipeline.make();
    pipeline.write("step/train.py", "print(2)");
    pipeline.is_up_to_date();
    pipeline.commit = Some("def".into());
    pipeline.runs_for("code changed: commit def (was abc)");
}

#[test]
fn links_count_by_where_they_point_and_by_the_file_there() {
    let pipeline = Pipeline::with_git();
    pipeline.write("common.py", "1");
    symlink("../common.py", pipeline.at("step/link.py")).unwrap();
    symlink("../in.csv", pipeline.at("step/data.csv")).unwrap();
    symlink("nowhere", pipeline.at("step/dangling")).unwrap();
    symlink("../bin", pipeline.at("step/folder")).unwrap();
    pipeline.make();
    pipeline.is_up_to_date();
    pipeline.write("common.py", "2");
    pipeline.runs_for("code changed: link.py");
    pipeline.make();
    fs::remove_file(pipeline.at("step/dangling")).unwrap();
    symlink("elsewhere", pipeline.at("step/dangling")).unwrap();
    pipeline.runs_for("code changed: dangling");
    pipeline.make();
    // It is an input, and counts as that.
    pipeline.write("in.csv", "new");
    pipeline.runs_for("its input in (../in.csv) changed");
}

#[test]
fn nothing_of_the_repository_is_run() {
    let pipeline = Pipeline::with_git();
    let trap = format!("touch {}; false", pipeline.at("trapped").display());
    pipeline.git(&["config", "core.fsmonitor", &trap]);
    pipeline.make();
    pipeline.is_up_to_date();
    assert!(!pipeline.at("trapped").exists());
    pipeline.write("step/new.py", "");
    pipeline.runs_for(&format!("new file new.py {NEW}"));
}
