//! The MLproject of a folder that has none.

use std::path::Path;

use crate::folders;
use crate::yaml;

/// The text of a small MLproject with comments; the folders with an MLproject are its steps.
pub fn smallest(root: &Path) -> String {
    let name = root
        .file_name()
        .map_or_else(|| "pipeline".into(), |name| name.to_string_lossy());
    let mut text = format!(
        "name: {}\n\
         # What the steps run in: local, conda, virtualenv, uv or docker.\n\
         env_manager: local\n\n\
         # The steps, in the order in which they run: each a folder with an MLproject of its own.\n\
         steps:\n",
        yaml::string(&name)
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
