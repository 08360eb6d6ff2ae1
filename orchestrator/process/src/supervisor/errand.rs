//! What a supervisor is started for, as its arguments.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use crate::bracket::Bracket;
use crate::label::Label;

/// The first argument of a process in this role; those of an [`Errand`] follow.
pub(super) const ROLE: &str = "--supervise";

/// What a supervisor is started for. Its arguments are these, in this order.
#[derive(Debug, PartialEq, Eq)]
pub struct Errand {
    /// The time that processes have to end after they were told to, passed on in whole milliseconds.
    pub grace: Duration,
    /// After this time the step is stopped as by SIGTERM; none is no limit.
    pub timeout: Option<Duration>,
    /// Whether the step gets what is typed on our terminal.
    pub is_typed: bool,
    /// What its lines begin with where they are shown; none for output that is passed on as it comes.
    pub label: Option<Label>,
    /// An existing file that its output is added to, absolute.
    pub log: PathBuf,
    /// The text for `bash -c`.
    pub command: String,
    /// What comes before and after the command, if an engine runs it.
    pub bracket: Option<Bracket>,
}

impl Errand {
    /// As the arguments of a supervisor, without the program itself.
    pub fn arguments(&self) -> Vec<OsString> {
        let milliseconds = |time: Duration| time.as_millis().to_string();
        let mut arguments: Vec<OsString> = vec![
            ROLE.into(),
            milliseconds(self.grace).into(),
            self.timeout.map(milliseconds).unwrap_or_default().into(),
            if self.is_typed { "typed" } else { "" }.into(),
            self.label
                .as_ref()
                .map(Label::to_argument)
                .unwrap_or_default()
                .into(),
            self.log.clone().into(),
            self.command.clone().into(),
        ];
        if let Some(bracket) = &self.bracket {
            arguments.extend(bracket.arguments());
        }
        arguments
    }

    /// From the arguments of a process, with the program itself; none if it is no supervisor.
    pub fn from_arguments(arguments: &[OsString]) -> Option<Errand> {
        let [
            _,
            role,
            grace,
            timeout,
            typed,
            label,
            log,
            command,
            bracket @ ..,
        ] = arguments
        else {
            return None;
        };
        if role != ROLE {
            return None;
        }
        let milliseconds =
            |text: &OsString| Some(Duration::from_millis(text.to_str()?.parse().ok()?));
        Some(Errand {
            grace: milliseconds(grace)?,
            timeout: milliseconds(timeout),
            is_typed: typed == "typed",
            label: Label::from_argument(label.to_str()?),
            log: log.into(),
            command: command.to_str()?.to_owned(),
            bracket: Bracket::from_arguments(bracket),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_errand_survives_its_arguments() {
        for timeout in [None, Some(Duration::from_millis(1500))] {
            let brackets = [
                None,
                Some(("make", "remove", None)),
                Some(("", "end", Some("ask"))),
            ];
            for bracket in brackets {
                let errand = Errand {
                    grace: Duration::from_secs(10),
                    timeout,
                    is_typed: timeout.is_some(),
                    label: timeout.map(|_| Label {
                        name: "a b ".into(),
                        number: 3,
                    }),
                    log: "a b.log".into(),
                    command: "echo 'ü'\n".into(),
                    bracket: bracket.map(|(set_up, clean_up, ask)| Bracket {
                        set_up: set_up.into(),
                        clean_up: clean_up.into(),
                        ask: ask.map(str::to_owned),
                    }),
                };
                let arguments = [vec![OsString::from("program")], errand.arguments()].concat();
                assert_eq!(Errand::from_arguments(&arguments), Some(errand));
            }
        }
        let others = ["program", "--steps", "a", "b", "c", "d", "e"].map(OsString::from);
        assert_eq!(Errand::from_arguments(&others), None);
    }
}
