//! `--dry-run`: the plan as a text.

use std::fmt;
use std::io;
use std::path::Path;

use super::output;
use crate::plan::Plan;
use crate::request::Format;
use process::printable::one_line;
use process::redact::shown_value;

/// Prints the plan in the form that was asked for.
pub(crate) fn print(plan: &Plan, format: Format) -> io::Result<()> {
    match format {
        Format::Json => output::print_json(plan),
        _ => output::print(&plan.to_string()),
    }
}

/// The plan for people.
impl fmt::Display for Plan {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = |path: &Path| one_line(&path.display().to_string()).into_owned();
        let (name, root) = (one_line(&self.pipeline), path(&self.root));
        writeln!(formatter, "pipeline {name} in {root}")?;
        for (position, step) in self.steps.iter().enumerate() {
            writeln!(
                formatter,
                "\n{}. {} ({} in {})",
                position + 1,
                one_line(&step.name),
                one_line(&step.entry_point),
                path(&step.cwd)
            )?;
            for (name, value) in &step.parameters {
                let value = shown_value(name, value);
                writeln!(formatter, "   {} = {}", one_line(name), one_line(&value))?;
            }
            write!(formatter, "   environment: {}", step.environment.manager)?;
            if let Some(file) = &step.environment.file {
                write!(formatter, " ({})", path(file))?;
            }
            if let Some(name) = &step.environment.name {
                write!(formatter, ", {}", one_line(name))?;
            }
            if !step.environment.from_pypi.is_empty() {
                let packages = step.environment.from_pypi.join(", ");
                write!(formatter, "\n   from PyPI: {packages}")?;
            }
            if let Some(after) = self.after(position) {
                write!(formatter, "\n   after: {}", one_line(&after))?;
            }
            let command = step
                .shown_command
                .trim_end()
                .replace('\n', "\n            ");
            writeln!(formatter, "\n   command: {command}")?;
        }
        Ok(())
    }
}

impl Plan {
    /// What a step waits for, where that is not just the one before it.
    fn after(&self, number: usize) -> Option<String> {
        let waits = self.graph.waits_otherwise(number)?;
        Some(if waits.is_empty() {
            "nothing".to_owned()
        } else {
            self.steps[number].waits.join(", ")
        })
    }
}
