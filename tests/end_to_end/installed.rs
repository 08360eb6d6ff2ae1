//! A step is run by the program on PATH if it is there in the step's version, else by cargo.

use crate::harness::{Folder, orchestrator, repository};

const STEPS: [(&str, &str); 2] = [
    ("data_download", "--data_url file:///x --raw_data out.csv"),
    ("data_cleaning", "--raw_data in.csv --clean_data out.csv"),
];

/// A program that tells what it was called with, and `version` when it is asked for that.
fn program(name: &str, version: &str) -> String {
    format!(
        "#!/bin/bash\n\
         [ \"$*\" = --version ] && {{ echo '{name} {version}'; exit; }}\n\
         echo \"{name} $*\" >> \"$HOME/calls\"\n"
    )
}

fn version(step: &str) -> String {
    let text = std::fs::read_to_string(repository().join(step).join("Cargo.toml")).unwrap();
    let line = text.lines().find(|line| line.starts_with("version = "));
    line.unwrap().split('"').nth(1).unwrap().to_owned()
}

/// The step with these programs on PATH, and no others but the system's; returns their calls.
#[track_caller]
fn calls(step: &str, options: &str, programs: &[(&str, &str)]) -> String {
    let folder = Folder::new();
    let project = std::fs::read(repository().join(step).join("MLproject")).unwrap();
    folder
        .file("MLproject", "env_manager: local")
        .file(&format!("{step}/MLproject"), project)
        .file(&format!("{step}/conda.yml"), "")
        .file(&format!("{step}/target/release/{step}"), "built already")
        .file("in.csv", "a\n1\n")
        // These programs write no output, so it has to be there.
        .file("out.csv", "");
    for (name, version) in programs {
        let path = format!("bin/{name}");
        folder.file(&path, program(name, version));
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(folder.path().join(path), mode).unwrap();
    }
    let path = format!("{}/bin:/usr/bin:/bin", folder.path().display());
    let undeclared = format!("{step}.more=x y");
    let mut arguments = vec!["--no-tracking", "--steps", step, "-P", &undeclared];
    arguments.extend(options.split(' '));
    folder
        .program_in_path(orchestrator().to_str().unwrap(), &arguments)
        .env("PATH", path)
        .run()
        .ends(0);
    folder.read("calls")
}

#[test]
fn the_program_of_the_steps_version_is_used() {
    for (step, options) in STEPS {
        let calls = calls(step, options, &[(step, &version(step)), ("cargo", "1")]);
        assert_eq!(calls.lines().count(), 1, "{calls}");
        assert!(calls.starts_with(&format!("{step} --")), "{calls}");
        assert!(calls.ends_with(" --more x y\n"), "{calls}");
    }
}

#[test]
fn another_version_or_none_leaves_it_to_cargo() {
    for (step, options) in STEPS {
        let cases: [&[(&str, &str)]; 2] = [&[(step, "0.0.1"), ("cargo", "1")], &[("cargo", "1")]];
        for programs in cases {
            let calls = calls(step, options, programs);
            assert_eq!(calls.lines().count(), 1, "{calls}");
            assert!(
                calls.starts_with("cargo run --release --quiet -- --"),
                "{calls}"
            );
            assert!(calls.ends_with(" --more x y\n"), "{calls}");
        }
    }
}

/// The root project's own, which MLflow runs.
#[test]
fn the_root_project_names_the_version_of_the_orchestrator() {
    let project = std::fs::read_to_string(repository().join("MLproject")).unwrap();
    let named = format!("= \"orchestrator {}\" ]", version("orchestrator"));
    assert!(project.contains(&named), "{project}");
}
