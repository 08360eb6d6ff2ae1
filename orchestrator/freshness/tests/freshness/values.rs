//! Command, parameters, environment, programs.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::pipeline::Pipeline;

#[test]
fn reasons_come_in_the_order_in_which_they_tell_most() {
    let mut pipeline = Pipeline::new();
    pipeline.variables = vec![("SEED".into(), Some("1".into()))];
    pipeline.make();
    pipeline.is_up_to_date();
    pipeline.variables[0].1 = None;
    pipeline.environment = "mlflow-1a".into();
    pipeline.write("bin/tool", "#!/bin/bash\n");
    pipeline.write("step/train.py", "print(3)");
    pipeline.write("step/notes.txt", "");
    pipeline.write("in.csv", "b\n");
    pipeline.parameters[0].1 = "5000".into();
    pipeline.entry_point = "other".into();
    pipeline.command = "tool {rows}".into();
    pipeline.write("out.csv", "x");
    assert_eq!(
        pipeline.reasons(),
        [
            "its output ../out.csv was changed by hand",
            "its command is `tool {rows}` (was `tool --rows {rows}`)",
            "its entry point is `other` (was `main`)",
            "parameter `rows` is `5000` (was `1000`)",
            "its input in (../in.csv) changed",
            "code changed: train.py",
            "new file notes.txt in its folder (git-ignore it, or name the code with `code:`)",
            "program tool changed",
            "environment changed: mlflow-1a (was local)",
            "variable `SEED` is not given (was `1`)",
        ]
    );
}

#[test]
fn the_order_of_parameters_does_not_matter() {
    let mut pipeline = Pipeline::new();
    let key = pipeline.make();
    assert_eq!(key.len(), 32);
    pipeline.parameters.reverse();
    pipeline.is_up_to_date();
    assert_eq!(pipeline.make(), key);
    pipeline.parameters.pop();
    pipeline.runs_for("parameter `rows` is not given (was `1000`)");
    assert_ne!(pipeline.make(), key);
}

#[test]
fn the_key_is_that_of_the_content() {
    let pipeline = Pipeline::new();
    let key = pipeline.make();
    pipeline.write("in.csv", "b\n");
    let other = pipeline.make();
    assert_ne!(other, key);
    pipeline.write("step/train.py", "print(5)");
    assert_ne!(pipeline.make(), other);
    pipeline.write("step/train.py", "print(1)");
    pipeline.write("in.csv", "a,b\n");
    assert_eq!(pipeline.make(), key);
    // Also elsewhere.
    assert_eq!(Pipeline::new().make(), key);
}

#[test]
fn secrets_are_compared_and_not_recorded() {
    let mut pipeline = Pipeline::new();
    let secret = |value: &str| ("api_key".to_owned(), value.to_owned());
    pipeline.parameters.push(secret("hunter2"));
    pipeline.command = "tool https://u:hunter2@host/".into();
    pipeline.variables = vec![("DB_PASSWORD".into(), Some("hunter2".into()))];
    let key = pipeline.make();
    pipeline.is_up_to_date();
    let first = fs::read_to_string(pipeline.record()).unwrap();
    assert!(!first.contains("hunter2") && first.contains("***"));
    // Not even that two of them are the same one can be seen.
    pipeline.make();
    let second = fs::read_to_string(pipeline.record()).unwrap();
    let hashes = |text: &str| {
        let after = text.split(r#""***","hash":""#).skip(1);
        after.map(|it| it[..64].to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(hashes(&first).len(), 2);
    assert_ne!(hashes(&first), hashes(&second));

    *pipeline.parameters.last_mut().unwrap() = secret("hunter3");
    pipeline.runs_for("parameter `api_key` changed");
    assert_eq!(pipeline.make(), key);
    pipeline.command = "tool https://u:hunter3@host/".into();
    pipeline.runs_for("its command changed");
    pipeline.make();
    pipeline.variables[0].1 = Some("hunter3".into());
    pipeline.runs_for("variable `DB_PASSWORD` changed");
}

#[test]
fn the_program_that_is_found_counts() {
    let pipeline = Pipeline::new();
    pipeline.make();
    // Another place and another name behind the link, the same program.
    fs::rename(pipeline.at("bin/tool"), pipeline.at("bin/tool-2")).unwrap();
    std::os::unix::fs::symlink("tool-2", pipeline.at("bin/tool")).unwrap();
    pipeline.is_up_to_date();
    pipeline.write("bin/tool-2", "#!/bin/sh\nexit\n");
    pipeline.runs_for("program tool changed");
    pipeline.make();
    pipeline.is_up_to_date();
    fs::set_permissions(pipeline.at("bin/tool-2"), fs::Permissions::from_mode(0o644)).unwrap();
    pipeline.runs_for("program tool is not there any more");
    pipeline.make();
    pipeline.write("nowhere/tool", "#!/bin/sh\n");
    fs::set_permissions(
        pipeline.at("nowhere/tool"),
        fs::Permissions::from_mode(0o755),
    )
    .unwrap();
    pipeline.runs_for("program tool is new");
}

#[test]
fn a_program_that_the_step_builds_counts_by_its_code() {
    let mut pipeline = Pipeline::new();
    pipeline.line = "make && build/tool".into();
    let build = |pipeline: &Pipeline, text: &str| {
        pipeline.write("step/build/tool", text);
        let tool = pipeline.at("step/build/tool");
        fs::set_permissions(tool, fs::Permissions::from_mode(0o755)).unwrap();
    };
    let make = |pipeline: &Pipeline, text: &str| {
        pipeline.run(|| {
            build(pipeline, text);
            pipeline.write("out.csv", "1,2\n");
        });
    };
    pipeline.code = Some(vec!["train.py".into()]);
    make(&pipeline, "#!/bin/sh\n");
    pipeline.runs_for("program build/tool is new");
    pipeline.code = Some(vec![".".into(), "!build".into()]);
    make(&pipeline, "#!/bin/sh\nexit\n");
    pipeline.is_up_to_date();
    build(&pipeline, "#!/bin/bash\n");
    pipeline.is_up_to_date();
    pipeline.write("step/train.py", "print(3)");
    pipeline.runs_for("code changed: train.py");
}
