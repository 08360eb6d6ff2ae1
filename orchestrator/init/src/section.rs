//! The text of the new keys: `config:`, `env:` and `steps:`.

use crate::config::Entry;
use crate::error::Note;
use crate::step::{Setting, Step};
use crate::value::Unknown;
use crate::yaml;

/// What the new keys are written from.
pub(crate) struct Section<'a> {
    /// The name of the program, for what is told of its lines.
    pub(crate) program: &'a str,
    pub(crate) config: &'a [Entry],
    pub(crate) environment: Vec<(String, Setting)>,
    pub(crate) steps: &'a [Step],
    /// What else was not understood.
    pub(crate) notes: &'a [Note],
}

impl Section<'_> {
    /// The lines, without an indentation of their own.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.notes.iter().map(|note| self.noted(note)).collect();
        self.config(&mut lines);
        self.settings(&mut lines, 0, "env", &self.environment, yaml::string);
        lines.push("steps:".to_owned());
        for step in self.steps {
            self.step(&mut lines, step);
        }
        lines
    }

    fn config(&self, lines: &mut Vec<String>) {
        let entry = |(group, file): &Entry| match group {
            None => yaml::string(file),
            Some(group) => format!(
                "{{{}: {}}}",
                yaml::quoted_in_flow(group),
                yaml::quoted_in_flow(file)
            ),
        };
        match self.config {
            [] => {}
            [(None, file)] => lines.push(format!("config: {}", yaml::string(file))),
            entries => {
                lines.push("config:".to_owned());
                lines.extend(entries.iter().map(|it| format!("  - {}", entry(it))));
            }
        }
    }

    fn step(&self, lines: &mut Vec<String>, step: &Step) {
        lines.push(format!("  {}:", yaml::string(&step.name)));
        let texts = [
            ("project", &step.project),
            ("version", &step.version),
            ("entry_point", &step.entry_point),
            ("env_manager", &step.env_manager),
            ("experiment", &step.experiment),
        ];
        for remark in &step.remarks {
            lines.push(format!("    # {}", self.told(remark)));
        }
        for (key, text) in texts {
            if let Some(text) = text {
                lines.push(format!("    {key}: {}", yaml::printed(text)));
            }
        }
        if !step.is_default {
            lines.push("    default: false".to_owned());
        }
        self.settings(lines, 4, "env", &step.environment, yaml::string);
        self.settings(lines, 4, "parameters", &step.parameters, yaml::printed);
    }

    /// A mapping of values. Where none of them is understood its key is a comment, too.
    fn settings(
        &self,
        lines: &mut Vec<String>,
        indentation: usize,
        key: &str,
        settings: &[(String, Setting)],
        written: impl Fn(&str) -> String,
    ) {
        if settings.is_empty() {
            return;
        }
        let blanks = " ".repeat(indentation);
        let is_understood =
            |(_, setting): &(String, Setting)| !matches!(setting, Setting::NotUnderstood(_));
        let mark = if settings.iter().any(is_understood) {
            ""
        } else {
            "# "
        };
        lines.push(format!("{blanks}{mark}{key}:"));
        for (name, setting) in settings {
            let name = yaml::string(name);
            lines.push(match setting {
                Setting::Template(text) => format!("{blanks}  {name}: {}", written(text)),
                Setting::File(format, part) => {
                    format!(
                        "{blanks}  {name}: {{{}: {}}}",
                        format.key(),
                        yaml::quoted(part)
                    )
                }
                Setting::NotUnderstood(unknown) => {
                    format!("{blanks}  # {name}: {}", self.told(unknown))
                }
            });
        }
    }

    fn noted(&self, note: &Note) -> String {
        let line = note
            .line
            .map(|line| format!(" line {line}"))
            .unwrap_or_default();
        format!("# {}{line}: {}", self.program, note.text)
    }

    fn told(&self, unknown: &Unknown) -> String {
        format!(
            "not understood, {} line {}: {}",
            self.program, unknown.line, unknown.text
        )
    }
}
