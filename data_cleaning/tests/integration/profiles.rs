//! The step's own `.cargo/config.toml` for its life outside of the repository: inside, cargo reads it
//! on top of the repository's profiles, and where they differed, all would be compiled twice.

use std::fs;
use std::path::Path;

/// The tables of profiles for releases, each with its lines, without comments.
fn tables(text: &str) -> Vec<String> {
    let lines = text
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty());
    let mut tables: Vec<String> = Vec::new();
    for line in lines {
        match tables.last_mut() {
            Some(table) if !line.starts_with('[') => table.extend(["\n", line]),
            _ => tables.push(line.to_owned()),
        }
    }
    tables.retain(|table| table.starts_with("[profile.release"));
    tables
}

#[test]
fn profiles_are_those_of_the_repository() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let own = fs::read_to_string(folder.join(".cargo/config.toml")).unwrap();
    let of_repository = fs::read_to_string(folder.join("../Cargo.toml")).unwrap_or_default();
    if !of_repository.contains("\"data_cleaning\"") {
        return;
    }
    let (own, of_repository) = (tables(&own), tables(&of_repository));
    assert!(own.len() > 20, "{own:?}");
    for table in own {
        assert!(of_repository.contains(&table), "{table}");
    }
}
