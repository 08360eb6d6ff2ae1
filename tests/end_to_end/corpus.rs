//! Hostile input, through the real binary: no input may crash it, keep it busy or fill the memory.
//!
//! The small inputs are those of the fuzz targets in `tests/fuzz`; the large ones are made here.

use std::process::{Command, Stdio};

use crate::harness::{self, Folder};

/// Plans step `s` with bounded memory and time.
///
/// Panics unless the orchestrator ends by itself, with one of its three exit codes.
#[track_caller]
fn plan(folder: &Folder, values: &[&str], input: &str) {
    let bounded = "ulimit -d 65536 && exec timeout 10 \"$0\" \"$@\"";
    let mut command = Command::new("bash");
    command
        .args(["-c", bounded])
        .arg(harness::orchestrator())
        .args(["--dry-run", "--env-manager", "local", "--steps", "s"])
        .args(values.iter().flat_map(|value| ["-P", value]))
        .current_dir(folder.path())
        .stdin(Stdio::null());
    let output = command.output().unwrap();
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(
        matches!(output.status.code(), Some(0..=2)),
        "{input}: {}: {}",
        output.status,
        message.chars().take(500).collect::<String>()
    );
}

/// The files of one corpus, sorted by name.
fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = harness::repository().join("tests/fuzz/corpus").join(target);
    let paths = std::fs::read_dir(folder).unwrap();
    let mut files: Vec<_> = paths
        .map(|entry| {
            let entry = entry.unwrap();
            let name = entry.file_name().to_string_lossy().into_owned();
            (name, std::fs::read(entry.path()).unwrap())
        })
        .collect();
    files.sort();
    assert!(files.len() > 10, "the corpus of {target} is missing");
    files
}

/// Plans an MLproject both as a step's and as the pipeline's own.
#[track_caller]
fn plan_mlproject(name: &str, text: &[u8]) {
    let folder = Folder::new();
    folder
        .file("MLproject", "name: p\n")
        .file("s/MLproject", text);
    plan(&folder, &["s.a=x y", "s.z=1"], name);
    let folder = Folder::new();
    folder
        .file("MLproject", text)
        .file("s/MLproject", "entry_points: {main: {command: run}}\n");
    plan(&folder, &[], name);
}

#[test]
fn every_mlproject_of_the_corpus_is_planned_or_refused() {
    for (name, text) in corpus("mlproject") {
        plan_mlproject(&name, &text);
    }
}

#[test]
fn every_command_of_the_corpus_is_planned_or_refused() {
    for (name, text) in corpus("command") {
        let text = String::from_utf8(text).unwrap();
        let mut sections = text.split("\n===\n");
        // JSON's strings are YAML's, too.
        let command = serde_json::Value::from(sections.next().unwrap_or_default());
        let values: Vec<String> = sections
            .flat_map(str::lines)
            .map(|line| format!("s.{line}"))
            .collect();
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        let declared = "{a: string, b: string, a-b: string, a b: string, ü: string, e: string}";
        let folder = Folder::new();
        folder
            .file("MLproject", "name: p\n")
            .step("s", &format!("parameters: {declared}\ncommand: {command}"));
        plan(&folder, &values, &name);
    }
}

#[test]
fn large_mlprojects_are_planned_or_refused() {
    const MIB: usize = 1 << 20;
    let main = "entry_points:\n  main:\n    command: run\n";
    let numbered = |line: &str| {
        (0..16_000).fold(String::new(), |text, number: usize| {
            text + &line.replace('#', &number.to_string())
        })
    };
    let inputs = [
        ("10 MB of keys", "a: 1\n".repeat(2_000_000)),
        (
            "10 MB of a comment",
            format!("{main}# {}", "x".repeat(10_000_000)),
        ),
        ("10 MB of zeros", "\0".repeat(10_000_000)),
        ("1 MiB of `[`", "[".repeat(MIB)),
        ("1 MiB of `{`", "{".repeat(MIB)),
        ("1 MiB of `- `", "- ".repeat(MIB / 2)),
        ("1 MiB of `? `", "? ".repeat(MIB / 2)),
        ("1 MiB of quotes", "\"".repeat(MIB)),
        ("1 MiB of line breaks", "\n".repeat(MIB)),
        ("1 MiB of blanks", " ".repeat(MIB)),
        ("1 MiB of items", "- a\n".repeat(MIB / 4)),
        ("1 MiB of anchors", "&a ".repeat(MIB / 3)),
        ("1 MiB in one word", "a".repeat(MIB)),
        (
            "100,000 levels",
            format!("{}{}", "[".repeat(100_000), "]".repeat(100_000)),
        ),
        ("100,000 levels of mappings", "{a: ".repeat(100_000)),
        (
            "1,400 levels of blocks",
            (0..1400).map(|level| " ".repeat(level) + "a:\n").collect(),
        ),
        (
            "16,000 parameters",
            format!("{main}    parameters:\n{}", numbered("      p#:\n")),
        ),
        (
            "16,000 entry points",
            format!("entry_points:\n{}", numbered("  p#:\n")),
        ),
        (
            "a long default everywhere",
            format!(
                "x: &x {}\nentry_points:\n  main:\n    parameters:\n      a: {{default: [{}]}}\n    command: run {{a}}\n",
                "x".repeat(1000),
                "*x, ".repeat(9_000)
            ),
        ),
        (
            "braces",
            format!(
                "entry_points: {{main: {{command: \"{}\"}}}}",
                "{}".repeat(20_000)
            ),
        ),
        (
            "a placeholder 16,000 times",
            format!(
                "entry_points: {{main: {{parameters: {{a: {{default: {}}}}}, command: \"{}\"}}}}",
                "x".repeat(1000),
                "{a!r:>1000}".repeat(8_000)
            ),
        ),
    ];
    for (name, text) in inputs {
        plan_mlproject(name, text.as_bytes());
    }
}
