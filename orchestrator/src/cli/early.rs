//! The command line before the parameters are known: which folder, which steps, and what is to be done.

use std::ffi::OsString;

use clap::{Arg, ArgAction, CommandFactory, value_parser};

use super::{Cli, fixed, foreign, understand};
use crate::invocation::{Action, Invocation};

/// The options whose mere presence says that something is only looked at, whatever else is wrong with
/// the command line.
const LOOKING: [&str; 14] = [
    "-h",
    "-V",
    "--help",
    "--version",
    "--list",
    "--graph",
    "--history",
    "--show",
    "--diff",
    "--logs",
    "--resend",
    "--init",
    "--completions",
    "--man",
];

/// What a command line says as far as it can be told without its parameters.
#[derive(Debug)]
pub(crate) struct Early {
    pub(crate) invocation: Invocation,
    /// Whether it plans, so that projects may be fetched for it.
    pub(crate) may_fetch: bool,
}

/// Reads a command line in which every option that is not ours is taken for a parameter with a value.
///
/// What is wrong with our own options comes back as clap's error. Behind a misspelt option the next
/// word counts as its value; [`super::parse`] then names the misspelt one.
pub(crate) fn early(arguments: &[OsString]) -> Result<Early, clap::Error> {
    // Help is printed when all options are known.
    let mut command = fixed()
        .mut_arg("help", |help| help.action(ArgAction::SetTrue))
        .mut_arg("version", |version| version.action(ArgAction::SetTrue))
        .args(undeclared(arguments));
    let matches = command.try_get_matches_from_mut(arguments);
    let matches = matches.map_err(foreign::explained)?;
    let invocation = understand(&mut command, &matches, &[])?;
    let looks = words(arguments).any(|word| {
        let name = word.split('=').next().unwrap_or_default();
        LOOKING.contains(&name)
    });
    Ok(Early {
        may_fetch: invocation.action.needs_plan() && !looks,
        invocation,
    })
}

/// An argument for each option that is not ours.
fn undeclared(arguments: &[OsString]) -> Vec<Arg> {
    let fixed = Cli::command();
    let is_ours = |name: &str| {
        fixed.get_arguments().any(|arg| {
            arg.get_long() == Some(name)
                || arg
                    .get_all_aliases()
                    .is_some_and(|aliases| aliases.contains(&name))
        })
    };
    let mut names: Vec<&str> = words(arguments)
        .filter_map(|word| word.strip_prefix("--")?.split('=').next())
        .filter(|name| !name.is_empty() && !is_ours(name))
        .collect();
    names.sort_unstable();
    names.dedup();
    names
        .into_iter()
        .map(|name| {
            // An id of its own, as ours may have one of that name.
            Arg::new(format!(" {name}"))
                .long(name.to_owned())
                .num_args(0..=1)
                .action(ArgAction::Append)
                .allow_hyphen_values(true)
                .value_parser(value_parser!(OsString))
        })
        .collect()
}

/// The words that may be options.
fn words(arguments: &[OsString]) -> impl Iterator<Item = &str> {
    let words = arguments.iter().skip(1).take_while(|word| *word != "--");
    words.filter_map(|word| word.to_str())
}

impl Early {
    /// Whether it makes sense without a pipeline.
    pub(crate) fn needs_no_pipeline(&self) -> bool {
        matches!(
            self.invocation.action,
            Action::EnvList
                | Action::EnvPrune(_)
                | Action::Init { .. }
                | Action::Completions(_)
                | Action::Manual
        )
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use plan::request::Steps;

    fn read(text: &str) -> Early {
        let words = std::iter::once("orchestrator").chain(text.split_whitespace());
        early(&words.map(OsString::from).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn the_folder_is_found_in_every_spelling() {
        for text in [
            "-C x",
            "-Cx",
            "-C=x",
            "--directory x",
            "--directory=x",
            "--unknown y -C x",
            "--unknown=-Cy -C x",
            "--rustflags -Ctarget-cpu=native -C x",
            "--lr --directory=/nowhere -C x",
            "-C x stray words",
            "-C x --last",
        ] {
            assert_eq!(
                read(text).invocation.request.directory,
                Path::new("x"),
                "{text}"
            );
        }
        assert_eq!(
            read("--steps a,b").invocation.request.directory,
            Path::new(".")
        );
    }

    #[test]
    fn the_steps_are_found_in_every_spelling() {
        let named = Some(Steps::Named(vec!["a".into(), "b".into()]));
        for text in [
            "--steps a,b",
            "--steps=a,b",
            "-P steps=a,b",
            "a b",
            "a,b",
            "--lr 0.1 a -C x b",
            "-- a b",
        ] {
            assert_eq!(read(text).invocation.request.steps, named, "{text}");
        }
    }

    #[test]
    fn only_a_plan_may_fetch() {
        for text in [
            "",
            "--steps a",
            "--check",
            "--dry-run",
            "--lr 0.1",
            "--x --y",
        ] {
            assert!(read(text).may_fetch, "{text}");
        }
        for text in [
            "--list",
            "--help",
            "-h",
            "--version",
            "--history",
            "--history=3",
            "--history=all",
            "--show a",
            "--diff a b",
            "--logs a -f",
            "--logs",
            "--logs a",
            "--resend",
            "--completions bash",
            "--typo --list",
            "--env-list",
        ] {
            assert!(!read(text).may_fetch, "{text}");
        }
    }

    #[test]
    fn what_is_wrong_with_our_own_options_is_an_error() {
        for text in ["--timeout xyz", "--steps a,,b", "--list --check", "-C"] {
            let words = std::iter::once("orchestrator").chain(text.split_whitespace());
            let words: Vec<OsString> = words.map(OsString::from).collect();
            assert_eq!(early(&words).unwrap_err().exit_code(), 2, "{text}");
        }
    }
}
