//! What `-h` and `--help` show, and where.

use crate::harness::Folder;

const GROUPS: [&str; 6] = [
    "Steps:",
    "Parameters:",
    "Running:",
    "Environments:",
    "Where it is recorded:",
    "Looking:",
];

fn help(folder: &Folder, option: &str) -> String {
    let ended = folder.orchestrator(&[option]).env("COLUMNS", "80").run();
    ended.ends(0);
    assert_eq!(ended.stderr(), "");
    ended.stdout()
}

/// The lines that begin at the margin and end in a colon.
fn headings(help: &str) -> Vec<&str> {
    let lines = help.lines();
    lines
        .filter(|line| line.ends_with(':') && !line.starts_with(' '))
        .collect()
}

#[test]
fn the_short_help_fits_a_screen() {
    let short = help(&Folder::new(), "-h");
    assert!(short.lines().count() <= 40, "{short}");
    let is_narrow = |line: &str| line.chars().count() <= 80;
    assert!(short.lines().all(is_narrow), "{short}");
    assert_eq!(headings(&short), GROUPS);
    // No description needs a second line.
    let continued = short
        .lines()
        .filter(|line| line.starts_with("            "));
    assert_eq!(continued.collect::<Vec<_>>(), [""; 0], "{short}");
}

#[test]
fn the_long_help_has_all_options_and_ends_with_examples() {
    let long = help(&Folder::new(), "--help");
    assert_eq!(
        headings(&long),
        [&GROUPS[..], &["Examples:", "Exit codes:"]].concat()
    );
    assert!(
        long.lines().all(|line| line.chars().count() <= 80),
        "{long}"
    );
    let short = help(&Folder::new(), "-h");
    let options = |help: &str| {
        let words = help
            .split_whitespace()
            .filter(|word| word.starts_with("--"));
        let names = words.map(|word| word.split(['[', '=', ',']).next().unwrap().to_owned());
        names.collect::<std::collections::BTreeSet<String>>()
    };
    assert!(options(&short).is_subset(&options(&long)));
    for option in ["--retries", "--docker-args", "--resend", "--completions"] {
        assert!(options(&long).contains(option), "{option}");
    }
    // What is completed is what is shown.
    let offered = Folder::new().orchestrator(&["--complete", "--"]).run();
    for option in offered.stdout().lines() {
        assert!(options(&long).contains(option), "{option} is not in --help");
    }
}

#[test]
fn parameters_stand_in_their_group() {
    let folder = Folder::new();
    folder.file("MLproject", "env_manager: local\nsteps: [train]\n");
    folder.step(
        "train",
        "parameters: {rows: {type: int, default: 5}}\ncommand: x",
    );
    let long = help(&folder, "--help");
    let group = long.split("Parameters:\n").nth(1).unwrap();
    let group = group.split("\n\nRunning:").next().unwrap();
    assert!(group.contains("--rows <VALUE>\n"), "{long}");
    assert!(group.contains("[default: 5]"), "{long}");
    let short = help(&folder, "-h");
    let last = "\nParameters: --rows; --list shows them\n";
    assert!(short.ends_with(last), "{short}");
    // However many there are, a screen is enough.
    let many: Vec<String> = (10..60)
        .map(|n| format!("some_long_name_{n}: int"))
        .collect();
    folder.step(
        "train",
        &format!("parameters: {{{}}}\ncommand: x", many.join(", ")),
    );
    let short = help(&folder, "-h");
    assert!(short.contains(" and 49 more;"), "{short}");
    assert!(short.lines().count() <= 40, "{short}");
}

#[test]
fn the_manual_page_has_all_options_and_more() {
    let folder = Folder::new();
    let ended = folder.orchestrator(&["--man"]).run();
    ended.ends(0);
    let page = ended.stdout();
    assert_eq!(ended.stderr(), "");
    assert!(page.contains(".TH orchestrator 1"), "{page}");
    for section in ["EXAMPLES", "EXIT CODES", "FILES", "ENVIRONMENT"] {
        assert!(page.contains(section), "{section}");
    }
    let offered = folder.orchestrator(&["--complete", "--"]).run();
    for option in offered.stdout().lines() {
        let written = format!("\\fB{}\\fR", option.replace('-', "\\-"));
        let (_, after) = page
            .split_once(&written)
            .unwrap_or_else(|| panic!("{option}"));
        // Each has a description.
        let body = after.lines().nth(1).unwrap();
        assert!(
            !body.is_empty() && !body.starts_with('.'),
            "{option}: {after}"
        );
    }
    assert!(page.contains("PIPELINE_METRICS") && page.contains("mlruns/unsent/"));
}
