//! Options of other tools (make, dvc, snakemake, mlflow) lead to ours.

use clap::Error;
use clap::error::{ContextKind, ContextValue, ErrorKind};

/// Options that people know from elsewhere, and what does here what they want.
const OURS: [(&str, &str); 24] = [
    ("--resume", "`--cached` leaves out what is up to date"),
    (
        "--rerun-incomplete",
        "`--cached` leaves out what is up to date",
    ),
    ("--no-cache", "`--cached=false` runs everything"),
    ("--forceall", "`--force` runs everything"),
    (
        "--forcerun",
        "`--force=STEP` runs a step although it is up to date",
    ),
    (
        "--target",
        "name the steps: `orchestrator STEP`, or `--until STEP` for all before it",
    ),
    (
        "--targets",
        "name the steps: `orchestrator STEP`, or `--until STEP` for all before it",
    ),
    (
        "--step",
        "name the steps: `orchestrator STEP`, or `--steps A,B`",
    ),
    (
        "--only",
        "name the steps: `orchestrator STEP`, or `--steps A,B`",
    ),
    ("--single-item", "name the step: `orchestrator STEP`"),
    (
        "--downstream",
        "`--from STEP` runs a step and all that wait for it",
    ),
    ("--exclude", "`--skip STEP` leaves a step out"),
    ("--dryrun", "`--dry-run` shows what would run"),
    ("--just-print", "`--dry-run` shows what would run"),
    ("--dag", "`--graph` shows which step waits for which"),
    (
        "--summary",
        "`--cached --dry-run` shows what would run, and why",
    ),
    (
        "--status",
        "`--cached --dry-run` shows what would run, and why",
    ),
    ("--cores", "`--jobs N` runs so many steps at once"),
    ("--parallel", "`--jobs N` runs so many steps at once"),
    ("--param", "`-P NAME=VALUE` gives a parameter a value"),
    ("--set-param", "`-P NAME=VALUE` gives a parameter a value"),
    ("--params", "`-P NAME=VALUE` gives a parameter a value"),
    (
        "--experiment",
        "`--experiment-name NAME` names the experiment",
    ),
    ("-n", "`--dry-run` shows what would run"),
];

/// The error with what we have in place of an option that is unknown here.
pub(super) fn explained(mut error: Error) -> Error {
    let unknown = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(unknown)) if error.kind() == ErrorKind::UnknownArgument => {
            unknown.clone()
        }
        _ => return error,
    };
    if let Some((_, ours)) = OURS.iter().find(|(theirs, _)| *theirs == unknown) {
        // What is merely spelled alike would lead astray.
        error.remove(ContextKind::SuggestedArg);
        let tip = ContextValue::StyledStrs(vec![(*ours).into()]);
        error.insert(ContextKind::Suggested, tip);
    }
    error
}
