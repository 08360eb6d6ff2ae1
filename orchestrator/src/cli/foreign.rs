//! Options of other tools (make, dvc, snakemake, mlflow) lead to ours.

use clap::Error;
use clap::error::{ContextKind, ContextValue, ErrorKind};

/// Options that people know from elsewhere, and what does here what they want.
const OURS: [(&[&str], &str); 18] = [
    (
        &["--resume", "--rerun-incomplete", "--continue"],
        "`--cached` leaves out what is up to date",
    ),
    (&["--no-cache"], "`--cached=false` runs everything"),
    (
        &["--forceall", "--always-make", "-F", "-B"],
        "`--force` runs everything",
    ),
    (
        &["--forcerun", "-R"],
        "`--force=STEP` runs a step although it is up to date",
    ),
    (
        &["-k", "--ignore-errors"],
        "`--keep-going` goes on with the steps that do not need the failed one",
    ),
    (
        &["--target", "--targets", "--to", "-U"],
        "name the steps: `orchestrator STEP`, or `--until STEP` for all before it",
    ),
    (
        &["--step", "--only", "--single-item", "-s"],
        "name the steps: `orchestrator STEP`, or `--steps A,B`",
    ),
    (
        &["--downstream"],
        "`--from STEP` runs a step and all that wait for it",
    ),
    (
        &["--exclude", "--omit-from", "-O"],
        "`--skip STEP` leaves a step out",
    ),
    (
        &["--dryrun", "--just-print", "-n"],
        "`--dry-run` shows what would run",
    ),
    (
        &["--dag", "--rulegraph"],
        "`--graph` shows which step waits for which",
    ),
    (
        &["--summary", "--status"],
        "`--cached --dry-run` shows what would run, and why",
    ),
    (
        &["--cores", "--parallel", "-c"],
        "`-j N` runs up to N steps at once",
    ),
    (
        &["--param", "--params", "--set-param", "-p"],
        "`-P NAME=VALUE` gives a parameter a value",
    ),
    (
        &["--experiment"],
        "`--experiment-name NAME` names the experiment",
    ),
    (
        &["--follow", "--tail", "--log"],
        "`--logs -f` prints the newest log as it grows",
    ),
    (&["-l"], "`--list` shows the steps"),
    (
        &["-q", "-v", "--quiet", "--silent", "--verbose"],
        "what steps print goes to standard output, our own messages to standard error; `--logs` prints a log",
    ),
];

/// The error with what we have in place of an option that is unknown here.
pub(super) fn explained(mut error: Error) -> Error {
    let unknown = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(unknown)) if error.kind() == ErrorKind::UnknownArgument => {
            unknown.clone()
        }
        _ => return error,
    };
    let ours = OURS.iter().find(|(theirs, _)| theirs.contains(&&*unknown));
    let is_similar = error.get(ContextKind::SuggestedArg).is_some();
    let tip = match ours {
        Some((_, ours)) => ours,
        None if is_similar => return error,
        None if unknown.starts_with("--") => {
            "the parameters of the pipeline are options, too: `--list` shows them"
        }
        None => "`-h` shows the options",
    };
    // What is merely spelled alike, or to take it for the name of a step, would lead astray.
    error.remove(ContextKind::SuggestedArg);
    error.remove(ContextKind::Suggested);
    with_tip(error, tip.to_owned())
}

/// Adds what to do about a wrong command line.
pub(crate) fn with_tip(mut error: Error, tip: String) -> Error {
    let mut tips = match error.remove(ContextKind::Suggested) {
        Some(ContextValue::StyledStrs(tips)) => tips,
        _ => Vec::new(),
    };
    tips.push(tip.into());
    error.insert(ContextKind::Suggested, ContextValue::StyledStrs(tips));
    error
}
