//! A database that several pipelines make at the same moment: made by exactly one, used by all.

use std::time::Instant;

use crate::harness::{Folder, rounds};
use crate::tracking::runs;

/// Starts pipelines at once that all make one database; gives what went wrong.
fn make_at_once(count: usize, is_there: bool) -> Vec<String> {
    let folder = Folder::new();
    if is_there {
        folder.file("b.db", "");
    }
    for number in 0..count {
        folder.file(
            &format!("p{number}/MLproject"),
            format!("name: p{number}\nenv_manager: local\nsteps:\n  s:\n"),
        );
        folder.step(&format!("p{number}/s"), "command: 'true'");
    }
    let uri = format!("sqlite:///{}/b.db", folder.path().display());
    let started: Vec<_> = (0..count)
        .map(|number| {
            let place = format!("p{number}");
            folder
                .orchestrator(&["-C", &place, "--tracking-uri", &uri])
                .start()
        })
        .collect();
    let ended = started.into_iter().map(|one| one.end().stderr());
    let is_wrong = |said: &String| said.contains("error") || said.contains("warning");
    let mut wrong: Vec<String> = ended.filter(is_wrong).collect();
    let recorded = runs(&folder.path().join("b.db"));
    if recorded.len() != 2 * count || recorded.iter().any(|run| run.status != "FINISHED") {
        wrong.push(format!("{recorded:?}"));
    }
    let mut names: Vec<String> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|name| name.contains(".db"))
        .collect();
    names.sort();
    if names != ["b.db"] {
        wrong.push(format!("{names:?}"));
    }
    wrong
}

#[test]
fn several_pipelines_make_one_database_at_once() {
    for _ in 0..4 {
        assert_eq!(make_at_once(8, false), [""; 0]);
    }
    // A file that is empty stays the same file.
    assert_eq!(make_at_once(2, true), [""; 0]);
}

#[test]
#[ignore = "takes minutes"]
fn reliability_of_200_databases_made_by_eight_at_once() {
    let start = Instant::now();
    let count = rounds(200);
    let wrong: Vec<String> = (0..count).flat_map(|_| make_at_once(8, false)).collect();
    println!(
        "{count} databases, each made by eight at once, in {:.0} s: {} errors",
        start.elapsed().as_secs_f64(),
        wrong.len()
    );
    assert_eq!(wrong, [""; 0]);
}
