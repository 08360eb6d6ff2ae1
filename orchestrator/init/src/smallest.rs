//! The MLproject of a folder that has none.

use std::borrow::Cow;
use std::path::Path;

use mlproject::shell;

use crate::folders;
use crate::yaml;

/// The text of an MLproject whose `main` is a program of the folder.
pub(crate) fn of_program(root: &Path, script: &str) -> String {
    let command = format!(
        "python {}",
        shell::quote(script).replace('{', "{{").replace('}', "}}")
    );
    format!(
        "name: {}\n\nentry_points:\n  main:\n    command: {}\n",
        yaml::string(&name(root)),
        yaml::string(&command)
    )
}

fn name(root: &Path) -> Cow<'_, str> {
    let name = root.file_name();
    name.map_or_else(|| "pipeline".into(), |name| name.to_string_lossy())
}

/// The text of a small MLproject with comments; the folders with an MLproject are its steps.
pub fn smallest(root: &Path) -> String {
    let mut text = format!(
        "name: {}\n\
         # What the steps run in: local, conda, virtualenv, uv or docker.\n\
         env_manager: local\n\n\
         # The steps, in the order in which they run: each a folder with an MLproject of its own.\n\
         steps:\n",
        yaml::string(&name(root))
    );
    let steps = folders::step_names(root);
    text.extend(
        steps
            .iter()
            .map(|step| format!("  {}:\n", yaml::string(step))),
    );
    if steps.is_empty() {
        text.push_str(
            "  # prepare:\n\
             \x20 # train:\n\
             \x20 #   parameters: {data: \"{root}/data.csv\"}\n",
        );
    }
    text.push_str(
        "\n\
         entry_points:\n\
         \x20 main:\n\
         \x20   parameters:\n\
         \x20     # Names separated by commas, or all.\n\
         \x20     steps: {type: str, default: all}\n\
         \x20     # What is declared here reaches every step with a parameter of that name.\n\
         \x20   command: \"orchestrator --steps {steps}\"\n",
    );
    text
}
