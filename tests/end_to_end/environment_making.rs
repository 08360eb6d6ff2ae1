//! Making environments, and having conda remove them, beside things that are not ours. conda and uv are
//! stand-ins on PATH.

use std::os::unix::fs::symlink;
use std::process::Command;

use crate::environment_trust::{CONDA, all, json, quickly, record};
use crate::harness::{Ended, Folder, Run, orchestrator};

/// Lists what is in `$CONDA_ENVS_PATH`, else in `$HOME/envs`, and in the file `$HOME/listed`.
const CONDA_PROGRAM: &str = r#"#!/usr/bin/env bash
echo "$*" >> "$HOME/calls"
case "$*" in
  "env list --json")
    printf '{"envs": ["%s/base"' "$HOME"
    for folder in "${CONDA_ENVS_PATH:-$HOME/envs}"/*/; do [ -d "$folder" ] && printf ', "%s"' "${folder%/}"; done
    [ ! -e "$HOME/listed" ] || printf ', "%s"' "$(cat "$HOME/listed")"
    echo ']}' ;;
  *create*)
    while [ "$1" != -n ]; do shift; done
    mkdir -p "${CONDA_ENVS_PATH:-$HOME/envs}/$2/conda-meta" ;;
  remove*--prefix*) [ ! -e "$HOME/broken" ] && rm -rf "$4" || { echo "cannot remove it" >&2; exit 1; } ;;
  *) exit 9 ;;
esac
"#;

/// Writes an executable, by a process of its own: a fork of ours could have it open for writing.
pub(crate) fn program(folder: &Folder, name: &str, text: &str) {
    folder.file("program.txt", text);
    let target = folder.path().join(name);
    std::fs::create_dir_all(target.parent().unwrap()).unwrap();
    let mut install = Command::new("install");
    install.args(["-m", "755", "program.txt"]).arg(target);
    assert!(
        install
            .current_dir(folder.path())
            .status()
            .unwrap()
            .success()
    );
}

/// PATH with a folder of ours before it.
pub(crate) fn path_with(folder: &Folder, first: &str) -> String {
    let path = std::env::var("PATH").unwrap();
    let ours = orchestrator();
    let ours = ours.parent().unwrap().display();
    format!("{}:{ours}:{path}", folder.path().join(first).display())
}

fn with_conda<'a>(folder: &'a Folder, arguments: &[&str]) -> Run<'a> {
    let home = folder.path().join("conda");
    quickly(folder, arguments).env("MLFLOW_CONDA_HOME", home)
}

#[test]
fn of_condas_environments_only_those_are_removed_that_it_lists_and_we_made() {
    let arguments = ["--env-prune", "30", "--env-root", "root"];
    let planted = |prefix: &str, tool: &str, made_here: bool| {
        let folder = Folder::new();
        program(&folder, "conda/bin/conda", CONDA_PROGRAM);
        for place in ["root/conda", "envs", "home"] {
            folder.file(&format!("{place}/{CONDA}/conda-meta/history"), "precious");
        }
        let text = json(tool, &folder.path().join(prefix).join(CONDA), made_here);
        record(&folder, "root", CONDA, &text);
        folder
    };
    let stays = |folder: &Folder, said: &str| {
        let before = all(folder);
        let ended = with_conda(folder, &arguments).run().succeeds("");
        let mut after = all(folder);
        after.remove("calls");
        assert_eq!(after, before);
        assert_eq!(ended.stderr(), format!("left: `{CONDA}` {said}\n"));
    };
    // Another's of the same name, listed by conda or not.
    let about = |place: &str| {
        format!(
            "has a record that is not to be trusted: it is about the folder `[DIR]/{place}/{CONDA}`"
        )
    };
    for place in ["envs", "home"] {
        let folder = planted(place, "conda", true);
        stays(&folder, &about(place));
    }
    let folder = planted("home", "conda", true);
    folder.file(
        "listed",
        folder.path().join("home").join(CONDA).display().to_string(),
    );
    stays(&folder, &about("home"));
    let folder = planted("root/conda", "rm", true);
    let reason = "no environment of that name is made by `rm`";
    stays(
        &folder,
        &format!("has a record that is not to be trusted: {reason}"),
    );
    // Nor through a link to where others are.
    let folder = planted("root/conda", "conda", true);
    std::fs::remove_dir_all(folder.path().join("root/conda")).unwrap();
    symlink("../envs", folder.path().join("root/conda")).unwrap();
    stays(&folder, &about("root/conda"));
    let folder = planted("root/conda", "conda", true);
    let link = folder.path().join("root/conda").join(CONDA);
    std::fs::remove_dir_all(&link).unwrap();
    symlink(folder.path().join("home"), &link).unwrap();
    stays(&folder, "is not a folder");
    // A conda that fails, or knows nothing of it.
    for text in [
        "#!/bin/sh\nexit 1\n",
        "#!/bin/sh\necho '{\"envs\": []}'\n",
        "#!/bin/sh\necho nothing\n",
    ] {
        let folder = planted("root/conda", "conda", true);
        program(&folder, "conda/bin/conda", text);
        stays(&folder, "is not listed by conda");
    }
    // MLflow's are forgotten, ours are removed.
    let folder = planted("root/conda", "conda", false);
    with_conda(&folder, &arguments).run().succeeds("");
    assert!(folder.exists(&format!("root/conda/{CONDA}/conda-meta/history")));
    assert!(!folder.exists(&format!("root/{CONDA}.json")));
    let folder = planted("root/conda", "conda", true);
    folder.file("broken", "");
    let ended = with_conda(&folder, &arguments).run();
    ended.ends(1);
    let ended = ended.says(&format!("left: `{CONDA}` cannot be removed: "));
    ended.says("cannot remove it\n");
    std::fs::remove_file(folder.path().join("broken")).unwrap();
    with_conda(&folder, &arguments)
        .run()
        .succeeds(&format!("{CONDA}\n"));
    assert!(!folder.exists(&format!("root/conda/{CONDA}")));
    for place in ["envs", "home"] {
        assert!(folder.exists(&format!("{place}/{CONDA}/conda-meta/history")));
    }
}

#[test]
fn a_note_does_not_make_mlflows_environment_ours() {
    let folder = Folder::new();
    program(&folder, "conda/bin/conda", CONDA_PROGRAM);
    folder.file("MLproject", "name: demo");
    folder.file("a/conda.yaml", "dependencies: [python=3.11]\n");
    folder.step("a", "command: echo \"$CONDA_PREFIX\"");
    let arguments = ["--steps", "a", "--env-root", "root"];
    let plan = [&arguments[..], &["--dry-run", "--format", "json"]].concat();
    let plan = with_conda(&folder, &plan).run().json();
    let name = plan["steps"][0]["environment"]["name"].as_str().unwrap();
    // MLflow has it, and somebody says that we began to make it.
    folder.file(&format!("envs/{name}/conda-meta/history"), "precious");
    let of_mlflow = folder.path().join("envs").join(name);
    folder.file("listed", of_mlflow.display().to_string());
    folder.file(&format!("root/{name}.making"), "");
    let ended = with_conda(&folder, &arguments).run();
    ended.succeeds(&format!("[DIR]/root/conda/{name}\n"));
    assert!(folder.exists(&format!("envs/{name}/conda-meta/history")));
    assert!(!folder.read("calls").contains("remove"));
    let all_arguments = ["--env-prune", "0", "--env-root", "root"];
    with_conda(&folder, &all_arguments)
        .run()
        .succeeds(&format!("{name}\n"));
    assert!(folder.exists(&format!("envs/{name}/conda-meta/history")));
    assert!(!folder.exists(&format!("root/conda/{name}")));
}

/// Acts as uv as far as a bare environment is made.
const UV: &str = r#"#!/usr/bin/env bash
echo "$PWD: $*" >> "$HOME/calls"
[ "$1" = venv ] && mkdir -p "${!#}/bin" && touch "${!#}/bin/python"
"#;

/// A pipeline of one step in a bare environment, and the name of that.
fn with_uv(files: &[(&str, &str)]) -> (Folder, String) {
    let folder = Folder::new();
    program(&folder, "bin/uv", UV);
    folder.file("MLproject", "name: demo");
    folder.step("a", "command: touch ../ran");
    folder.file("a/python_env.yaml", "python: '3.11'\n");
    for (name, text) in files {
        folder.file(name, text);
    }
    let plan = in_venv(&folder, &["--dry-run", "--format", "json"]).json();
    let name = plan["steps"][0]["environment"]["name"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(!folder.exists("root") && !folder.exists("calls"));
    (folder, name)
}

fn in_venv(folder: &Folder, more: &[&str]) -> Ended {
    let arguments = [&["--steps", "a", "--env-root", "root"], more].concat();
    let run = quickly(folder, &arguments).env("PATH", path_with(folder, "bin"));
    run.run()
}

#[test]
fn an_environment_is_not_made_in_the_place_of_something_else() {
    let (folder, name) = with_uv(&[]);
    folder.file(&format!("root/{name}/thesis.tex"), "precious");
    let ended = in_venv(&folder, &[]);
    ended.ends(1);
    let ended = ended.says(&format!("cannot write to root/{name}\n"));
    ended.says("caused by: it has no record that says that it was made here\n");
    assert_eq!(folder.read(&format!("root/{name}/thesis.tex")), "precious");
    assert!(!folder.exists("calls") && !folder.exists("ran"));
    // Neither by a link, with a record that says so.
    let (folder, name) = with_uv(&[]);
    folder.file("thesis/thesis.tex", "precious");
    let prefix = folder.path().join("root").join(&name);
    record(&folder, "root", &name, &json("uv", &prefix, true));
    symlink(folder.path().join("thesis"), prefix).unwrap();
    in_venv(&folder, &[])
        .says("caused by: it is not a folder\n")
        .ends(1);
    assert_eq!(folder.read("thesis/thesis.tex"), "precious");
    assert!(!folder.exists("thesis/bin") && !folder.exists("ran"));
}

#[test]
fn what_is_written_beside_an_environment_goes_through_no_link() {
    for extension in ["log", "making", "json", "lock"] {
        let (folder, name) = with_uv(&[]);
        folder.file("thesis.tex", "precious");
        std::fs::create_dir(folder.path().join("root")).unwrap();
        let link = folder.path().join(format!("root/{name}.{extension}"));
        symlink(folder.path().join("thesis.tex"), &link).unwrap();
        let ended = in_venv(&folder, &[]);
        let is_replaced = matches!(extension, "log" | "making");
        assert_eq!(folder.exists("ran"), is_replaced, "{}", ended.stderr());
        assert_eq!(folder.read("thesis.tex"), "precious", "{extension}");
        // Another name of the same file.
        let (folder, name) = with_uv(&[]);
        folder.file("thesis.tex", "precious");
        std::fs::create_dir(folder.path().join("root")).unwrap();
        let link = folder.path().join(format!("root/{name}.{extension}"));
        std::fs::hard_link(folder.path().join("thesis.tex"), &link).unwrap();
        in_venv(&folder, &[]);
        assert_eq!(folder.read("thesis.tex"), "precious", "{extension}");
    }
}

#[test]
fn an_environment_that_was_killed_or_failed_in_the_middle_is_made_again() {
    let (folder, name) = with_uv(&[]);
    // As a kill leaves it.
    folder.file(&format!("root/{name}/half"), "");
    folder.file(&format!("root/{name}.making"), "");
    in_venv(&folder, &[]).ends(0);
    assert!(folder.exists("ran") && !folder.exists(&format!("root/{name}/half")));
    assert!(!folder.exists(&format!("root/{name}.making")));
    let python = folder.path().join(format!("root/{name}/bin/python"));
    std::fs::remove_file(python).unwrap();
    in_venv(&folder, &[]).says("made in").ends(0);
    let failing = UV.replace("&& touch", "&& exit 3; touch");
    let (folder, name) = with_uv(&[]);
    program(&folder, "bin/uv", &failing);
    in_venv(&folder, &[]).ends(1);
    let expected = [format!("root/{name}.lock"), format!("root/{name}.log")];
    let mut files = folder.files();
    files.retain(|file| file.starts_with("root/"));
    assert_eq!(files, expected);
    assert!(!folder.exists(&format!("root/{name}")));
}
