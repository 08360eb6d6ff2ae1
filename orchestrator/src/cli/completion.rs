//! Completion: a script that asks us when the user presses Tab, and our answer.
//!
//! The scripts hold nothing of any project. The answer is lines of one word each, and a word that a
//! shell could read as more than a word is left out.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::CommandFactory;

use super::{Cli, early, fixed, with_parameters};
use crate::invocation::Shell;
use plan::definition::{MAIN, Pipeline, Step};
use plan::request::ParameterOption;

/// The first argument of the question that the scripts ask; the words typed so far follow, the last
/// of which is to be completed.
const QUESTION: &str = "--complete";

const BASH: &str = r#"_orchestrator() {
    local word
    COMPREPLY=()
    while IFS= read -r word; do
        COMPREPLY+=("$word")
        [[ $word != *[=.] ]] || compopt -o nospace 2>/dev/null
    done < <(command orchestrator --complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -o default -F _orchestrator orchestrator
"#;

const ZSH: &str = r#"#compdef orchestrator
_orchestrator() {
    local -a found
    found=("${(@f)$(command orchestrator --complete "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    if [[ -n "$found" ]]; then
        compadd -S '' -- "${(@M)found:#*[=.]}"
        compadd -- "${(@)found:#*[=.]}"
    else
        _files
    fi
}
compdef _orchestrator orchestrator
"#;

const FISH: &str = r"function __orchestrator_complete
    set -l typed (commandline -opc) (commandline -ct)
    command orchestrator --complete $typed[2..-1] 2>/dev/null
end
complete -c orchestrator -a '(__orchestrator_complete)'
";

/// The completion script of a shell.
pub(crate) fn script(shell: Shell) -> &'static str {
    match shell {
        Shell::Bash => BASH,
        Shell::Zsh => ZSH,
        Shell::Fish => FISH,
    }
}

/// The words to complete, if that is what the command line asks for.
pub(crate) fn completed_words(arguments: &[OsString]) -> Option<&[OsString]> {
    match arguments {
        [_, question, words @ ..] if question == QUESTION => Some(words),
        _ => None,
    }
}

/// What the words before the last one say: the folder of the pipeline, and where it is recorded.
pub(crate) fn completed_place(words: &[OsString]) -> (PathBuf, tracking::Options) {
    let program = OsString::from("orchestrator");
    let typed: Vec<OsString> = std::iter::once(program)
        .chain(words.iter().cloned())
        .collect();
    // The last word may be an option that still lacks its value, or half a value.
    let read = (0..=2).find_map(|unread| early(&typed[..typed.len().checked_sub(unread)?]).ok());
    read.map_or_else(
        || (".".into(), tracking::Options::default()),
        |early| {
            let request = early.invocation.request;
            (request.directory, request.tracking)
        },
    )
}

/// What may be completed.
#[derive(Default)]
struct Known<'a> {
    options: Vec<ParameterOption>,
    /// Each with the names of its parameters.
    steps: Vec<(String, Vec<String>)>,
    entry_points: Vec<String>,
    /// Reads the names of the experiments.
    experiments: Option<&'a dyn Fn() -> Vec<String>>,
}

/// What the last of the words may become, for a pipeline if there is one.
pub(crate) fn candidates(
    words: &[OsString],
    pipeline: Option<&Pipeline>,
    experiments: &dyn Fn() -> Vec<String>,
) -> Vec<String> {
    let known = pipeline.map(|pipeline| Known {
        options: pipeline.options(),
        steps: pipeline.steps.iter().map(with_parameters_of).collect(),
        entry_points: pipeline.entry_point_names(),
        experiments: Some(experiments),
    });
    complete(words, &known.unwrap_or_default())
}

/// A step and the names of its parameters.
fn with_parameters_of(step: &Step) -> (String, Vec<String>) {
    let project = step.project.as_ref().ok();
    let entry_point = project.and_then(|it| it.entry_point(step.entry_point_name(MAIN)));
    let parameters = entry_point.map(|it| it.parameters.iter().map(|known| known.name.clone()));
    let parameters = parameters.map(Iterator::collect);
    (step.name.clone(), parameters.unwrap_or_default())
}

fn complete(words: &[OsString], known: &Known) -> Vec<String> {
    let options = &known.options;
    let text = |word: &OsString| word.to_string_lossy().into_owned();
    let (last, before) = match words.split_last() {
        Some((last, before)) => (text(last), before),
        None => (String::new(), words),
    };
    // bash makes words of their own of `--steps`, `=` and what follows. The value of a parameter may be
    // anything.
    let is_sign = |word: &&OsString| *word == "=";
    let sign = words.iter().rev().take(2).position(|word| is_sign(&word));
    if let Some(behind) = sign
        && let Some(name) = words.len().checked_sub(behind + 2)
        && !text(&words[name]).starts_with('-')
    {
        return Vec::new();
    }
    let (last, option) = match (last.as_str(), before) {
        ("=", [.., option]) => (String::new(), Some(text(option))),
        (_, [.., option, equals]) if equals == "=" => (last, Some(text(option))),
        (_, [.., option]) => (last, Some(text(option))),
        (_, []) => (last, None),
    };
    let (start, value) = match last.split_once('=') {
        Some((option, value)) if last.starts_with("--") => (format!("{option}="), value),
        _ => (String::new(), last.as_str()),
    };
    let option = if start.is_empty() {
        option.unwrap_or_default()
    } else {
        start.trim_end_matches('=').to_owned()
    };
    let offered = |names: &mut dyn Iterator<Item = &String>| {
        let plain = names.filter(|name| is_plain(name) && !name.starts_with('-'));
        plain.cloned().collect::<Vec<String>>()
    };
    let steps = offered(&mut known.steps.iter().map(|(name, _)| name));
    let mut found = match option.as_str() {
        "--steps" => lists_or_all(value, &steps),
        "--from" | "--until" | "--skip" | "--force" => lists(value, &steps),
        "--logs" => steps,
        "--entry-point" | "-e" => offered(&mut known.entry_points.iter()),
        "--param-list" | "-P" => assignable(value, known),
        "--experiment-name" => known.experiments.map(|read| read()).unwrap_or_default(),
        _ if start.is_empty() && last.starts_with('-') => return named(&last, options),
        // Behind what is no option, or one that takes no value, stands a step.
        option if start.is_empty() && !takes_value(option, options) => {
            let mut steps = lists_or_all(value, &steps);
            steps.retain(|step| before.iter().all(|word| word != step.as_str()));
            steps
        }
        option => possible_values(option),
    };
    // What was typed before may hold anything.
    found.retain(|word| word.starts_with(value) && is_plain(word) && !word.starts_with('-'));
    for word in &mut found {
        word.insert_str(0, &start);
    }
    found
}

/// Lists of names that begin with what is typed: another name behind its last comma.
fn lists(typed: &str, names: &[String]) -> Vec<String> {
    let (before, _) = typed
        .rsplit_once(',')
        .map_or(("", typed), |(before, last)| {
            (&typed[..=before.len()], last)
        });
    let is_new = |name: &&String| before.split(',').all(|known| known != **name);
    let new = names.iter().filter(is_new);
    new.map(|name| format!("{before}{name}")).collect()
}

/// As [`lists`], or all steps.
fn lists_or_all(typed: &str, names: &[String]) -> Vec<String> {
    let mut lists = lists(typed, names);
    if !typed.contains(',') {
        lists.push("all".to_owned());
    }
    lists
}

/// What `-P` can give a value to: parameters, and behind the name of a step and a dot those of the step.
fn assignable(typed: &str, known: &Known) -> Vec<String> {
    let parameters = known.options.iter();
    let mut names: Vec<String> = parameters.map(|it| format!("{}=", it.name)).collect();
    for (step, parameters) in &known.steps {
        let begin = format!("{step}.");
        if typed.starts_with(&begin) {
            names.extend(parameters.iter().map(|name| format!("{begin}{name}=")));
        } else if !parameters.is_empty() {
            names.push(begin);
        }
    }
    names
}

/// The options that begin with what is typed.
fn named(typed: &str, options: &[ParameterOption]) -> Vec<String> {
    let mut command = with_parameters(Cli::command(), options);
    command.build();
    let visible = command.get_arguments().filter(|arg| !arg.is_hide_set());
    let names = visible.filter_map(|arg| Some(format!("--{}", arg.get_long()?)));
    let mut found: Vec<String> = names
        .filter(|name| name.starts_with(typed) && is_plain(name))
        .collect();
    found.sort();
    found
}

/// Whether the word behind an option is its value.
fn takes_value(option: &str, options: &[ParameterOption]) -> bool {
    if !option.starts_with('-') || option.contains('=') {
        return false;
    }
    let mut command = with_parameters(fixed(), options);
    command.build();
    command.get_arguments().any(|arg| {
        let short = arg.get_short().map(|short| format!("-{short}"));
        let long = arg.get_long().map(|long| format!("--{long}"));
        let aliases = arg.get_all_aliases().unwrap_or_default();
        let is_alias = aliases
            .iter()
            .any(|alias| option[1..] == format!("-{alias}"));
        let is_named = is_alias || [short, long].iter().flatten().any(|name| name == option);
        is_named && arg.get_action().takes_values() && !arg.is_require_equals_set()
    })
}

/// The values that one of our options takes, if they are few.
fn possible_values(option: &str) -> Vec<String> {
    let command = Cli::command();
    let argument = command.get_arguments().find(|arg| {
        let short = arg.get_short().map(|short| format!("-{short}"));
        let long = arg.get_long().map(|long| format!("--{long}"));
        [short, long].iter().flatten().any(|name| name == option)
    });
    let values = argument.map(clap::Arg::get_possible_values);
    let values = values.unwrap_or_default();
    values
        .iter()
        .map(|value| value.get_name().to_owned())
        .collect()
}

/// Whether every shell reads a text as one word that means itself.
fn is_plain(word: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./,:=@%+".contains(&byte);
    !word.is_empty() && word.bytes().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(typed: &[&str]) -> Vec<String> {
        let words: Vec<OsString> = typed.iter().map(OsString::from).collect();
        let option = |name: &str| ParameterOption {
            name: name.into(),
            help: String::new(),
        };
        let options = ["data_url", "$(x)", "q\u{1b}[1m"].map(option);
        let names = ["get", "clean", "$(touch pwned)", "a b", "-x", "`x`"];
        let of_step = |name: &str| {
            (
                name.to_owned(),
                vec![format!("{name}_url"), "$x".to_owned()],
            )
        };
        let known = Known {
            options: options.into(),
            steps: names.map(of_step).into(),
            entry_points: vec!["main".to_owned()],
            experiments: Some(&|| vec!["first".to_owned(), "a b".to_owned()]),
        };
        complete(&words, &known)
    }

    #[test]
    fn plain_words_are_offered_and_no_others() {
        for (typed, expected) in [
            (&["--steps", ""][..], &["get", "clean", "all"][..]),
            (&["--steps", "g"], &["get"]),
            (&["--steps", "get,"], &["get,clean"]),
            (&["--steps", "get,c"], &["get,clean"]),
            (&["--steps=c"], &["--steps=clean"]),
            (&["--steps", "=", "c"], &["clean"]),
            (&["--steps", "="], &["get", "clean", "all"]),
            (&["--logs", ""], &["get", "clean"]),
            (&["-e", ""], &["main"]),
            (&["--env-manager", "v"], &["virtualenv"]),
            (&["--da"], &["--data_url"]),
            (&["--dry"], &["--dry-run"]),
            (&["--$"], &[]),
            (&["x"], &[]),
            (&[""], &["get", "clean", "all"]),
            (&[], &["get", "clean", "all"]),
            (&["g"], &["get"]),
            (&["get", ""], &["clean", "all"]),
            (&["get,"], &["get,clean"]),
            (&["--dry-run", "c"], &["clean"]),
            (&["--cached", "c"], &["clean"]),
            (&["--data_url", ""], &[]),
            (&["--data-url", ""], &[]),
            (&["--data_url=x", "c"], &["clean"]),
            (&["-C", ""], &[]),
            (&["-P", ""], &["data_url=", "get.", "clean."]),
            (&["-P", "get."], &["get.get_url="]),
            (&["-P", "data_url", "="], &[]),
            (&["-P", "data_url", "=", "g"], &[]),
            (&["-P", "data_url=g"], &[]),
            (&["--experiment-name", ""], &["first"]),
            (&["--from", "get,"], &["get,clean"]),
            (&["--from", ""], &["get", "clean"]),
        ] {
            assert_eq!(found(typed), expected, "{typed:?}");
        }
        assert!(found(&["--"]).iter().all(|word| is_plain(word)));
    }
}
