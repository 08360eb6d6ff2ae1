//! What the README says.

use std::path::Path;
use std::process::Command;

use crate::harness::{BINARY, Folder};

const README: &str = include_str!("../../README.md");
const PROJECT: &str = include_str!("../../MLproject");

#[test]
fn its_examples_run() {
    let (_, examples) = README.split_once("\n## Files of all sorts\n").unwrap();
    let (examples, _) = examples.split_once("\n## ").unwrap();
    let lines = examples
        .lines()
        .filter_map(|line| line.strip_prefix("    "));
    let script = lines.fold("set -euo pipefail\n".to_owned(), |script, line| {
        script + line + "\n"
    });
    assert!(script.matches("data_cleaning").count() >= 7);
    let folder = Folder::empty();
    folder.write("examples.sh", script);
    let programs = Path::new(BINARY).parent().unwrap().display();
    let setup = format!("PATH={programs}:/usr/bin:/bin exec bash examples.sh");
    let outcome = folder.run_command(Command::new("bash").args(["-c", &setup]));
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert_eq!(
        outcome.stdout,
        "39, State-gov\nid,radius\n1,17.9,\nsize\tname\n12\"\tpipe\nsize\tname\n12\"\tpipe\n\
         a;b;notes\n1;2;\n{\"a\":1.50}\n"
    );
}

#[test]
fn its_four_examples_run() {
    let (_, examples) = README.split_once("\n## Four examples\n").unwrap();
    let (examples, _) = examples.split_once("\n## ").unwrap();
    let scripts = examples.split("```sh\n").skip(1);
    let programs = Path::new(BINARY).parent().unwrap().display();
    let mut kept = Vec::new();
    for script in scripts.map(|block| block.split("```").next().unwrap()) {
        if script.contains("parquet") && !cfg!(feature = "tables") {
            continue;
        }
        let folder = Folder::with("Age,Embarked,Cabin\n1,S,\n2,?,c\n,S,c\n3,Q,c\n");
        let setup = format!("PATH={programs}:/usr/bin:/bin; {script}");
        let outcome = folder.run_command(Command::new("bash").args(["-ec", &setup]));
        assert_eq!(outcome.code, Some(0), "{script}{}", outcome.stderr);
        let summary = outcome.stderr.split_once(" kept").unwrap().0;
        kept.push(summary.rsplit(' ').next().unwrap().to_owned());
    }
    assert_eq!(kept.first().map(String::as_str), Some("3"));
    assert!(
        kept.len() >= 3 && kept[1..].contains(&"1".to_owned()),
        "{kept:?}"
    );
}

#[test]
fn it_names_every_option_and_the_project_only_real_ones() {
    let help = Folder::empty().run(&["--help"]).stdout;
    let words = help.split(|c: char| !(c.is_ascii_lowercase() || c == '_' || c == '-'));
    let options: Vec<&str> = words.filter(|word| word.starts_with("--")).collect();
    assert!(options.len() >= 19, "{options:?}");
    for option in &options {
        if !["--help", "--version"].contains(option) {
            assert!(README.contains(&format!("`{option}")), "{option}");
        }
    }
    let command = PROJECT.split_once("--input").unwrap().1;
    let words = command.split_ascii_whitespace();
    for word in words.filter(|word| word.starts_with("--")) {
        assert!(options.contains(&word), "{word}");
    }
}
