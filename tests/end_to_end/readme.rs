//! What the README and the reference pages show is what happens.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::harness::{Folder, normal, repository};

/// The pages with the reference; the README leads to them.
const PAGES: [&str; 6] = [
    "orchestrator/README.md",
    "orchestrator/mlproject/README.md",
    "orchestrator/environment/README.md",
    "orchestrator/tracking/README.md",
    "orchestrator/process/README.md",
    "tests/benches/README.md",
];

fn page(name: &str) -> String {
    let path = repository().join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The part of a page between a heading and the next one of that level.
fn section(page: &str, heading: &str) -> String {
    let (_, rest) = page.split_once(&format!("\n## {heading}\n")).unwrap();
    rest.split("\n## ").next().unwrap().to_owned()
}

/// The code blocks of a language, without their fences.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let fenced = text.split("```").skip(1).step_by(2);
    let blocks = fenced.filter_map(|block| block.strip_prefix(language)?.strip_prefix('\n'));
    blocks.map(str::to_owned).collect()
}

/// The text without code blocks.
fn prose(text: &str) -> String {
    text.split("```").step_by(2).collect()
}

/// What the page of the environments shows for one kind, as one script.
pub(crate) fn kind(name: &str) -> String {
    let blocks = blocks(&page("orchestrator/environment/README.md"), "sh");
    let block = blocks
        .iter()
        .find(|block| block.contains("mkdir -p kinds"))
        .unwrap();
    let mut parts = block.split("\n\n");
    let folders = parts.next().unwrap();
    let step = parts
        .find(|part| part.contains(&format!("--steps {name}")))
        .unwrap();
    format!("set -e\n{folders}\n{step}\n")
}

#[test]
fn a_local_step_can_be_copied() {
    let folder = Folder::new();
    let ended = folder
        .program_in_path("bash", &["-c", &kind("local")])
        .run();
    ended.ends(0);
    assert!(
        ended.stdout().starts_with("Python 3."),
        "{}",
        ended.stdout()
    );
}

/// Numbers of seconds, ids and times of day are other ones each time; steps beside each other say
/// their lines in any order.
fn masked(answer: &str) -> Vec<String> {
    let mask = |word: &str| {
        let bare = word.trim_end_matches(',');
        let is_time = bare.len() == 5 && bare.as_bytes()[2] == b':';
        let is_number = bare.parse::<f64>().is_ok();
        let is_hex = |letter: char| letter.is_ascii_digit() || ('a'..='f').contains(&letter);
        let is_id = bare.len() == 8 && bare.chars().all(is_hex);
        if is_id {
            "ID"
        } else if is_number || is_time {
            "N"
        } else {
            word
        }
        .to_owned()
    };
    let line = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let masked = words.iter().enumerate().map(|(at, word)| {
            // What the steps themselves print stays.
            let is_of_step = words.get(1) == Some(&"|");
            let is_measured = matches!(words.get(at + 1), Some(&"s" | &"s," | &"min" | &"h"));
            let may_differ = word.contains(':') || is_measured || word.len() == 8;
            if may_differ && !is_of_step {
                mask(word)
            } else {
                (*word).to_owned()
            }
        });
        masked.collect::<Vec<_>>().join(" ")
    };
    let mut lines: Vec<String> = answer.lines().map(line).collect();
    lines.sort();
    lines
}

/// Runs the commands of a block of a terminal, and compares what they say with what it shows.
#[track_caller]
fn answers(folder: &Folder, below: &str, block: &str) {
    for part in block.split("$ ").filter(|part| !part.is_empty()) {
        let (command, shown) = part.split_once('\n').unwrap();
        // One stream, as on a terminal.
        let script = format!("{command} 2>&1");
        let ended = folder
            .program_in_path("bash", &["-c", &script])
            .inside(below)
            .run();
        ended.ends(0);
        assert_eq!(masked(&ended.stdout()), masked(&normal(shown)), "{command}");
    }
}

/// The script that makes the files of the quickstart.
pub(crate) fn paste() -> String {
    blocks(&section(&page("README.md"), "Quickstart"), "sh").remove(0)
}

#[test]
fn the_quickstart_can_be_followed() {
    let quickstart = section(&page("README.md"), "Quickstart");
    let folder = Folder::new();
    // Nobody has to see here that the steps take their time.
    let paste = paste().replace("time.sleep(2)", "time.sleep(0)");
    folder
        .program_in_path("bash", &["-ec", &paste])
        .run()
        .ends(0);
    for block in blocks(&quickstart, "yaml") {
        let name = block.lines().next().unwrap().strip_prefix("# ").unwrap();
        let shown = block.split_once('\n').unwrap().1;
        assert_eq!(folder.read(&format!("rents/{name}")), shown, "{name}");
    }
    let runs = blocks(&quickstart, "console");
    let [first, edited, changed, history] = &runs[..] else {
        panic!("{runs:?}");
    };
    answers(&folder, "rents", first);
    let code = folder.read("rents/train/train.py");
    let edit = code.replace("statistics.mean(", "statistics.median(");
    assert_ne!(code, edit);
    folder.file("rents/train/train.py", edit);
    answers(&folder, "rents", edited);
    answers(&folder, "rents", changed);
    answers(&folder, "rents", history);
    assert!(folder.read("rents/report.html").contains("<html"));
}

#[test]
fn the_main_py_is_translated() {
    let have = section(&page("README.md"), "You have a main.py");
    let folder = Folder::new();
    let main = blocks(&have, "python").remove(0);
    folder
        .file(
            "MLproject",
            "name: prices\nentry_points:\n  main:\n    command: python main.py\n",
        )
        .file("main.py", main.strip_prefix("# main.py\n").unwrap())
        .file(
            "config.yaml",
            "project: prices\ndata: {sample: sample.csv}\ntrain: {max_depth: 3}\n",
        )
        .file("get_data/sample.csv", "")
        .step(
            "get_data",
            "parameters: {sample: str, data: str}\ncommand: cp {sample} {data}",
        )
        .step(
            "train",
            "parameters: {data: str, max_depth: int}\ncommand: cat {data}; echo {max_depth} $WANDB_PROJECT",
        );
    let block = blocks(&have, "console").remove(0);
    let (command, shown) = block.strip_prefix("$ ").unwrap().split_once('\n').unwrap();
    let ended = folder
        .program_in_path("bash", &["-c", &format!("{command} 2>&1")])
        .run();
    ended.ends(0);
    assert_eq!(ended.stdout(), shown);
    folder
        .orchestrator(&["--env-manager", "local"])
        .run()
        .succeeds("3 prices\n");
}

#[test]
fn the_definition_is_one() {
    let page = page("orchestrator/README.md");
    let definition = blocks(&page, "yaml").remove(0);
    let folder = Folder::new();
    folder
        .file("MLproject", definition)
        .file("data/raw.csv", "");
    let main = "parameters: {raw_data: {default: x}, epochs: {default: 1}, seed: {default: 1}}\ncommand: echo {raw_data} {epochs} {seed}";
    for step in ["data_download", "data_cleaning"] {
        folder.step(step, main);
    }
    let project = "entry_points:\n  main:\n    parameters: {epochs: int, seed: int}\n    command: echo {epochs} {seed}\n";
    folder.file(
        "train/MLproject",
        format!("{project}  large: {{command: echo large}}\n"),
    );
    let expected = "x 1 7\ndata/raw.csv 1 7\n1 7\n";
    folder.orchestrator(&[]).run().succeeds(expected);
    folder
        .orchestrator(&["--steps", "train_large"])
        .run()
        .succeeds("large\n");
}

#[test]
fn a_newcomer_reads_at_most_1500_words() {
    let page = page("README.md");
    let (before, _) = page.split_once("\n## Reference\n").unwrap();
    let prose = prose(before);
    let words = prose.split_whitespace();
    let words = words.filter(|word| word.contains(char::is_alphanumeric));
    let count = words.count();
    assert!(count <= 1500, "{count}");
}

/// Every page of the repository.
fn pages() -> Vec<PathBuf> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && !name.starts_with('.') && name != "target" && name != "mlruns" {
                walk(&path, found);
            } else if path.extension().is_some_and(|end| end == "md") {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(repository(), &mut found);
    found
}

/// The names by which the headings of a page are linked, as GitHub makes them.
fn anchors(text: &str) -> Vec<String> {
    let headings = prose(text);
    let headings = headings.lines().filter(|line| line.starts_with('#'));
    let anchor = |heading: &str| {
        let heading = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = heading
            .chars()
            .filter(|letter| letter.is_alphanumeric() || " -_".contains(*letter));
        kept.collect::<String>().replace(' ', "-")
    };
    headings.map(anchor).collect()
}

#[test]
fn every_link_leads_somewhere() {
    let mut links = 0;
    for path in pages() {
        let text = std::fs::read_to_string(&path).unwrap();
        let prose = prose(&text);
        for part in prose.split("](").skip(1) {
            let target = part.split(')').next().unwrap();
            if target.contains("://") {
                continue;
            }
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let file = match file {
                "" => path.clone(),
                file => path.parent().unwrap().join(file),
            };
            assert!(file.exists(), "{}: {target}", path.display());
            if !anchor.is_empty() {
                let there = anchors(&std::fs::read_to_string(&file).unwrap());
                assert!(
                    there.iter().any(|name| name == anchor),
                    "{}: {target}: {there:?}",
                    path.display()
                );
            }
            links += 1;
        }
    }
    assert!(links > 40, "{links}");
}

/// The first cells of the tables of a page, between backquotes.
fn rows(text: &str) -> Vec<String> {
    let cells = text
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split(" |").next());
    let names = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2));
    names.map(str::to_owned).collect()
}

#[test]
fn every_key_and_exit_code_has_its_page() {
    let texts: BTreeMap<&str, String> = PAGES.iter().map(|name| (*name, page(name))).collect();
    let keys = [
        "steps",
        "config",
        "env",
        "project",
        "version",
        "entry_point",
        "parameters",
        "env_manager",
        "default",
        "needs",
        "resources",
        "cached",
        "timeout",
        "retries",
        "retry_delay",
        "allow_failure",
        "experiment",
        "backend",
        "backend_config",
        "tracking",
        "inputs",
        "outputs",
        "code",
        "variables",
    ];
    for key in keys {
        let there = texts
            .iter()
            .filter(|(_, text)| rows(text).iter().any(|row| row == key));
        let there: Vec<&str> = there.map(|(name, _)| *name).collect();
        assert_eq!(there, ["orchestrator/README.md"], "{key}");
    }
    for code in ["| 0 |", "| 1 |", "| 2 |", "| 128+n |"] {
        let there = texts.values().filter(|text| text.contains(code));
        assert_eq!(there.count(), 1, "{code}");
    }
}

#[test]
fn every_option_is_explained() {
    let help = Folder::new().orchestrator(&["--help"]).run().stdout();
    let all: String = PAGES.iter().map(|name| page(name)).collect();
    let mut count = 0;
    // An option stands at the beginning of its line, perhaps with a short form.
    for line in help.lines().map(str::trim) {
        let words = line.split([' ', ',', '[', '=']);
        let names: Vec<&str> = words.filter(|word| word.starts_with('-')).take(2).collect();
        if !line.starts_with('-') || names.contains(&"--help") || names.contains(&"--version") {
            continue;
        }
        count += 1;
        assert!(
            names.iter().any(|name| all.contains(&format!("`{name}"))
                || all.contains(&format!("orchestrator {name}"))
                || all.contains(&format!(" {name}"))),
            "{names:?} is on no page"
        );
    }
    assert!(count > 35, "{count}");
}

#[test]
fn the_pages_are_in_plain_english() {
    let patterns = [
        " is told",
        " are told",
        "can be had",
        "counts before",
        "lets none",
        " but for ",
        "besides",
        "so many",
        "whoever gives",
        "on purpose",
        "may be had",
    ];
    let mut texts: BTreeMap<String, String> = PAGES
        .iter()
        .chain(&[
            "README.md",
            "data_download/README.md",
            "data_cleaning/README.md",
        ])
        .map(|name| ((*name).to_owned(), page(name)))
        .collect();
    let help = Folder::new().orchestrator(&["--help"]).run().stdout();
    texts.insert("--help".to_owned(), help);
    for (name, text) in texts {
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        for pattern in patterns {
            assert!(!text.contains(pattern), "{name}: {pattern}");
        }
    }
}

#[test]
fn the_changelog_names_this_version() {
    let changelog = page("CHANGELOG.md");
    let heading = concat!("\n## ", env!("CARGO_PKG_VERSION"));
    assert_eq!(
        changelog.matches(heading).count(),
        1,
        "{heading} in CHANGELOG.md"
    );
}
