//! What the README says.

use std::path::Path;

use crate::program::{Ended, Folder, PROGRAM, sha256};
use crate::server::{Server, answer, value};

const README: &str = include_str!("../../README.md");

#[test]
fn its_four_examples_run() {
    let (_, examples) = README.split_once("\n## Four examples\n").unwrap();
    let (examples, _) = examples.split_once("\n## ").unwrap();
    let scripts = examples.split("```sh\n").skip(1);
    let scripts: Vec<&str> = scripts
        .map(|block| block.split("```").next().unwrap())
        .collect();
    assert_eq!(scripts.len(), 3, "{scripts:?}");
    let body = "a,b\n1,2\n";
    for script in scripts {
        let server = Server::answering(move |_| answer("200 OK", body));
        let script = script
            .replace("https://data.example.com/", &server.url("/"))
            .replace("https://example.com/", &server.url("/"))
            .replace("0f1e...", &sha256(body.as_bytes()));
        let folder = Folder::new();
        let programs = Path::new(PROGRAM).parent().unwrap();
        let mut command = folder.command("/usr/bin/env");
        command.args(["bash", "-ec", &script]);
        command.env("PATH", format!("{}:/usr/bin:/bin", programs.display()));
        command.env("TOKEN", "t0k3n");
        let ended = Ended::of(&mut command);
        assert_eq!(ended.code(), Some(0), "{script}{}", ended.stderr());
        assert_eq!(folder.read("raw_data.csv"), body.as_bytes(), "{script}");
        if script.contains("TOKEN") {
            let [head] = server.requests().try_into().unwrap();
            assert_eq!(value(&head, "authorization"), Some("bearer t0k3n"));
        }
    }
}

#[test]
fn it_names_every_option() {
    let output = Folder::new().command(PROGRAM).arg("--help").output();
    let help = String::from_utf8(output.unwrap().stdout).unwrap();
    let words = help
        .split(|c: char| !(c.is_ascii_lowercase() || c == '_' || c == '-' || c.is_ascii_digit()));
    let options: Vec<&str> = words
        .filter(|word| word.starts_with("--") && !["--help", "--version"].contains(word))
        .collect();
    assert!(options.len() >= 12, "{options:?}");
    for option in options {
        assert!(README.contains(&format!("`{option}")), "{option}");
    }
}
