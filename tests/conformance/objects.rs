//! The same text, the same object: our reader of YAML against PyYAML, on texts that were mutated.
//!
//! The texts are small ones with one to three changes, and such as are put together of YAML's indicators.
//! Every text has to give the object that PyYAML makes of it, to the byte of its `repr`, or be refused
//! where PyYAML refuses it. By hand, `TEXTS=100000 SEED=7` tries more and others.

use std::collections::BTreeMap;

use mlproject::pyyaml::{self, ErrorKind};

use crate::case::Case;
use crate::generated::Random;
use crate::{ask_python, harness, yaml};

const TEXTS: u64 = 30_000;
const SEED: u64 = 0x7079_7961_6d6c;
/// PyYAML reads some hundred kilobytes in a second.
const LONGEST_SEED: usize = 1_500;

/// What means something in YAML, alone or side by side.
const PIECES: [&str; 83] = [
    " ",
    "  ",
    "\t",
    "\n",
    "\n\n",
    "\n  ",
    "\r",
    "\r\n",
    "\u{85}",
    "\u{2028}",
    "\u{2029}",
    "\u{feff}",
    ":",
    ": ",
    ":\n",
    "-",
    "- ",
    "-\n",
    "?",
    "? ",
    "?\n",
    ",",
    ", ",
    "[",
    "]",
    "{",
    "}",
    "[]",
    "{}",
    "#",
    " #",
    " # x",
    "&a",
    "&a ",
    "*a",
    "*a ",
    "!",
    "! ",
    "!!",
    "!!str ",
    "!!int ",
    "!!set ",
    "!!omap ",
    "!<",
    "%",
    "%YAML 1.1\n",
    "%TAG ! tag:yaml.org,2002:\n",
    "%TAG !x! !y\n",
    "!x!z ",
    "%41",
    "|",
    ">",
    "|\n",
    ">\n",
    "|-\n",
    ">+\n",
    "|2\n",
    "|1-\n",
    "'",
    "\"",
    "''",
    "\\",
    "\\\n",
    "\\x41",
    "\\u00e9",
    "\\ud800",
    "\\U0001f600",
    "\\_",
    "@",
    "`",
    "---",
    "--- ",
    "---\n",
    "...",
    "...\n",
    "<<",
    "<<: ",
    "=",
    "~",
    "0",
    "1.",
    "é",
    "\u{7f}",
];

/// The difference that README lists, where this refusal is one.
fn documented(refusal: &ErrorKind) -> Option<&'static str> {
    match refusal {
        ErrorKind::RecursiveAlias => Some("an alias inside of what it stands for"),
        ErrorKind::Surrogate(_) => Some("half a surrogate pair"),
        ErrorKind::TooDeep => Some("more than 100 levels"),
        ErrorKind::TooLong { .. } | ErrorKind::TooManyValues | ErrorKind::TooLarge => {
            Some("more than 1 MiB or 200,000 values")
        }
        _ => None,
    }
}

#[test]
#[ignore = "needs PyYAML"]
fn objects_are_those_of_pyyaml() {
    let texts = texts();
    let questions = texts
        .iter()
        .map(|text| serde_json::Value::from(text.as_str()));
    let answers = ask_python("pyyaml_answers.py", questions.map(|text| text.to_string()));
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut failures = Vec::new();
    for (text, answer) in texts.iter().zip(&answers) {
        let ours = pyyaml::parse(text).map(|document| document.value.repr());
        let outcome = match (&ours, answer["object"].as_str()) {
            (Ok(ours), Some(theirs)) if ours == theirs => Some("the same object"),
            (Err(_), None) => Some("refused by both"),
            (Err(refusal), Some(_)) => documented(&refusal.kind),
            _ => None,
        };
        match outcome {
            Some(outcome) => *counts.entry(outcome).or_default() += 1,
            None => failures.push(format!("{text:?}\n  ours:   {ours:?}\n  PyYAML: {answer}")),
        }
    }
    println!("{} texts against PyYAML:", texts.len());
    for (outcome, count) in &counts {
        println!("{count:7}  {outcome}");
    }
    failures.sort_by_key(String::len);
    let shown = failures.len().min(20);
    assert!(
        failures.is_empty(),
        "{} failures, of which the shortest:\n\n{}",
        failures.len(),
        failures[..shown].join("\n\n")
    );
}

fn texts() -> Vec<String> {
    let number = |name, default| {
        let value = std::env::var(name).ok();
        value.map_or(default, |value| value.parse::<u64>().unwrap())
    };
    let seeds = seeds();
    let mut random = Random(number("SEED", SEED));
    (0..number("TEXTS", TEXTS))
        .map(|_| match random.below(4) {
            0 => (0..random.below(12))
                .map(|_| random.pick(&PIECES))
                .collect(),
            changes => {
                let seed = seeds[random.below(seeds.len())].clone();
                (1..=changes).fold(seed, |text, _| mutated(&mut random, &text, &seeds))
            }
        })
        .collect()
}

/// The fuzz corpus, the projects of this repository and the other YAML cases.
fn seeds() -> Vec<String> {
    let root = harness::repository();
    let corpus = std::fs::read_dir(root.join("tests/fuzz/corpus/mlproject")).unwrap();
    let mut files: Vec<_> = corpus.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let projects = [
        "MLproject",
        "data_download/MLproject",
        "data_cleaning/conda.yml",
    ];
    files.extend(projects.map(|name| root.join(name)));
    let texts = files
        .iter()
        .filter_map(|file| std::fs::read_to_string(file).ok());
    let cases = yaml::cases();
    let mut seeds: Vec<String> = texts.chain(cases.iter().map(Case::text)).collect();
    // Python has to print it whole.
    let is_small = |text: &String| text.len() <= LONGEST_SEED && text.matches('*').count() < 20;
    seeds.retain(is_small);
    seeds
}

/// A text with one change: of a character or of a line, which may come from another text.
fn mutated(random: &mut Random, text: &str, others: &[String]) -> String {
    if random.below(3) < 2 {
        with_other_character(random, text)
    } else {
        let other = &others[random.below(others.len())];
        with_other_line(random, text, other)
    }
}

fn with_other_character(random: &mut Random, text: &str) -> String {
    let mut characters: Vec<char> = text.chars().collect();
    let place = random.below(characters.len() + 1);
    let end = (place + random.below(2)).min(characters.len());
    match random.below(8) {
        0 | 1 => drop(characters.drain(place..end)),
        2 => characters.extend_from_within(place..end),
        3 => characters.truncate(place),
        _ => drop(characters.splice(place..end, random.pick(&PIECES).chars())),
    }
    characters.into_iter().collect()
}

fn with_other_line(random: &mut Random, text: &str, other: &str) -> String {
    let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
    let foreign: Vec<&str> = other.split_inclusive('\n').collect();
    let place = random.below(lines.len() + 1);
    let end = (place + 1).min(lines.len());
    match random.below(5) {
        0 => lines.insert(place, random.pick(&[" ", "  ", "    ", "\t"])),
        1 => {
            if let Some(line) = lines.get_mut(place) {
                *line = line.strip_prefix(' ').unwrap_or(line);
            }
        }
        2 => drop(lines.drain(place..end)),
        3 => lines.extend_from_within(place..end),
        _ => lines
            .splice(place..place, foreign.into_iter().take(2))
            .for_each(drop),
    }
    lines.concat()
}
