//! Fuzz targets for the two places where a user's text is taken apart.
//!
//! What the targets find goes into `corpus/`, which the end-to-end tests replay through the real
//! binary. To fuzz for a minute, with new inputs in the folder `found`:
//!
//! ```text
//! RUSTC_BOOTSTRAP=1 cargo fuzz run --fuzz-dir tests/fuzz mlproject found tests/fuzz/corpus/mlproject -- -max_total_time=60
//! ```

use std::path::Path;

use mlproject::{Parameter, Project, strformat};

/// Loads an MLproject, and renders the commands in it with the parameters' defaults.
pub fn load(text: &str) {
    let folder = Path::new("/nowhere");
    let Ok(project) = Project::parse(text, &folder.join("MLproject"), folder) else {
        return;
    };
    for entry_point in &project.entry_points {
        let default =
            |parameter: &Parameter| Some((parameter.name.clone(), parameter.default.clone()?));
        let values: Vec<(String, String)> =
            entry_point.parameters.iter().filter_map(default).collect();
        if let Some(template) = &entry_point.command {
            check(template, &values, &values);
        }
    }
}

/// Renders a template, which a line `===` ends; then `name=value` a line, undeclared after `===`.
pub fn render(text: &str) {
    let mut sections = text.split("\n===\n");
    let template = sections.next().unwrap_or_default();
    let mut pairs = || -> Vec<(String, String)> {
        let lines = sections.next().unwrap_or_default().lines();
        lines
            .filter_map(|line| line.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    };
    let (declared, undeclared) = (pairs(), pairs());
    check(template, &declared, &undeclared);
}

fn check(template: &str, declared: &[(String, String)], undeclared: &[(String, String)]) {
    match strformat::render(template, declared, undeclared) {
        Ok(command) => {
            assert!(command.len() <= strformat::MAX_LENGTH && !command.contains('\0'));
            let is_plain = !template.contains(['{', '}']);
            assert!(!(is_plain && undeclared.is_empty()) || command == template);
        }
        Err(error) => assert!(error.offset() <= template.len() && !error.to_string().is_empty()),
    }
}
