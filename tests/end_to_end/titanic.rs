//! The article's pipeline: download over HTTP, clean, two CSV files in the pipeline's folder.

use std::collections::BTreeMap;

use rusqlite::Connection;

use crate::harness::{Folder, Server, repository, with_steps};

/// The repository's own MLprojects, copied so that the tests leave nothing in the tree.
fn pipeline() -> Folder {
    with_steps();
    let folder = Folder::new();
    for name in ["MLproject", "conda.yml"] {
        for step in ["", "data_download/", "data_cleaning/"] {
            let name = format!("{step}{name}");
            folder.file(&name, std::fs::read(repository().join(&name)).unwrap());
        }
    }
    folder
}

fn sample() -> String {
    std::fs::read_to_string(repository().join("tests/data/titanic_sample.csv")).unwrap()
}

/// The lines without an empty field. The sample has no line breaks and no quoted empty fields in it.
fn complete_lines(text: &str) -> String {
    let is_complete = |line: &&str| {
        let mut in_quotes = false;
        let outside: String = line
            .chars()
            .filter(|character| {
                in_quotes ^= *character == '"';
                !in_quotes
            })
            .collect();
        !outside.contains(",,") && !outside.ends_with(',')
    };
    let complete: Vec<&str> = text.lines().filter(is_complete).collect();
    complete.join(
        "
",
    ) + "
"
}

/// What the steps told of themselves, as it was recorded.
fn metrics(folder: &Folder, step: &str) -> BTreeMap<String, f64> {
    let database = Connection::open(folder.path().join("mlflow.db")).unwrap();
    let sql = "SELECT key, value FROM metrics JOIN runs USING (run_uuid) WHERE runs.name = ?1";
    let mut statement = database.prepare(sql).unwrap();
    let rows = statement.query_map([step], |row| Ok((row.get(0)?, row.get(1)?)));
    rows.unwrap().map(Result::unwrap).collect()
}

#[test]
fn the_sample_is_downloaded_and_cleaned() {
    let (folder, server) = (pipeline(), Server::new(sample()));
    let url = server.url("titanic.csv");
    folder
        .orchestrator(&["-e", "installed", "--data_url", &url])
        .run()
        .succeeds("")
        .says("[1/2] data_download: running\n")
        .says("data_cleaning: 120 rows read, 97 dropped, 23 kept")
        .says("mlflow_pipeline: 2 steps finished in ");
    assert_eq!(folder.read("raw_data.csv"), sample());
    let clean = folder.read("clean_data.csv");
    assert_eq!(clean.lines().count(), 1 + 23);
    assert_eq!(clean, complete_lines(&sample()));
    assert_eq!(server.requests(), ["GET /titanic.csv HTTP/1.1"]);
    let (download, cleaning) = (
        metrics(&folder, "data_download"),
        metrics(&folder, "data_cleaning"),
    );
    let size = sample().len().to_string();
    for name in ["bytes", "raw_data_bytes"] {
        assert_eq!(download[name].to_string(), size);
    }
    assert!(download["seconds"] > 0.0 && download["seconds"] <= download["duration_seconds"]);
    for (name, figure) in [
        ("rows_read", "120"),
        ("rows_dropped", "97"),
        ("rows_kept", "23"),
        ("nulls.Survived", "0"),
        ("clean_data_bytes", &clean.len().to_string()),
        ("bytes_written", &clean.len().to_string()),
    ] {
        assert_eq!(cleaning[name].to_string(), figure, "{name}");
    }
}

#[test]
fn a_local_file_will_do_and_the_files_can_be_moved_for_both_steps() {
    let folder = pipeline();
    folder
        .file("given/sample.csv", sample())
        .file("elsewhere/.keep", "");
    let arguments = [
        "-C",
        "..",
        "-e",
        "installed",
        "-P",
        "data_url=sample.csv",
        "-P",
        "raw_data=../elsewhere/raw.csv",
    ];
    folder
        .orchestrator(&arguments)
        .inside("given")
        .run()
        .succeeds("");
    assert_eq!(folder.read("elsewhere/raw.csv"), sample());
    assert_eq!(folder.read("clean_data.csv"), complete_lines(&sample()));
    assert!(!folder.exists("raw_data.csv"));
}

#[test]
fn one_step_alone_reads_what_the_other_left() {
    let folder = pipeline();
    folder.file("raw_data.csv", "a,b\n1,\n007,x\n");
    folder
        .orchestrator(&["-e", "installed", "--steps", "data_cleaning"])
        .run()
        .succeeds("");
    assert_eq!(folder.read("clean_data.csv"), "a,b\n007,x\n");
}

#[test]
fn a_failed_download_leaves_the_old_files_and_stops_the_pipeline() {
    let folder = pipeline();
    folder
        .file("raw_data.csv", "a\nold\n")
        .file("clean_data.csv", "a\nold\n");
    let before = folder.files();
    let arguments = ["-e", "installed", "--data_url", "file:///no/such/file.csv"];
    let ended = folder
        .orchestrator(&arguments)
        .run()
        .says("/no/such/file.csv");
    ended.ends(1);
    let ended = ended.says(
        "error: step `data_download` failed with exit code 1 after [TIME]\n  command: data_download --data_url",
    );
    assert!(
        !ended.stderr().contains("data_cleaning:"),
        "{}",
        ended.stderr()
    );
    assert_eq!(folder.read("raw_data.csv"), "a\nold\n");
    assert_eq!(folder.read("clean_data.csv"), "a\nold\n");
    assert_eq!(folder.files(), before);
}

/// The commands of the entry points `main` in the repository itself: cargo, from the source tree.
#[test]
fn the_default_entry_points_run_the_tree_by_cargo() {
    with_steps();
    let (folder, server) = (Folder::new(), Server::new(sample()));
    // Elsewhere, so that nothing is left behind in the tree.
    let definition = std::fs::read_to_string(repository().join("MLproject")).unwrap();
    let project = |step| {
        format!(
            "{step}: {{project: '{}'}}",
            repository().join(step).display()
        )
    };
    let definition = definition
        .replace(
            "  data_download:\n",
            &format!("  {}\n", project("data_download")),
        )
        .replace(
            "  data_cleaning:\n",
            &format!("  {}\n", project("data_cleaning")),
        );
    folder.file("MLproject", definition);
    folder.file("conda.yml", "");
    let url = server.url("titanic.csv");
    let arguments = [
        "--data_url",
        &url,
        "--raw_data",
        "raw.csv",
        "--clean_data",
        "clean.csv",
    ];
    // The tree may be checked out with its target folder elsewhere; cargo then tells so once more.
    folder
        .orchestrator(&arguments)
        .run()
        .succeeds("")
        .says("23 kept");
    assert_eq!(folder.read("clean.csv"), complete_lines(&sample()));
    assert_eq!(
        folder.files(),
        ["MLproject", "clean.csv", "conda.yml", "raw.csv"]
    );
}
