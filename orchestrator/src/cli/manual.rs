//! What stands at the end of `--help`, and the manual page, which is made of `--help` and of more.

use std::fmt::Write;

use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use super::fixed;

/// A section, and its lines: what it is, and what it means.
type Section = (&'static str, &'static [(&'static str, &'static str)]);

const EXAMPLES: Section = (
    "Examples",
    &[
        ("orchestrator --list", "the steps and their parameters"),
        (
            "orchestrator --check",
            "every problem, before anything runs",
        ),
        (
            "orchestrator --rows 5000",
            "all steps, with a parameter's value",
        ),
        ("orchestrator train evaluate", "only these steps"),
        (
            "orchestrator --cached -j 4",
            "what is not up to date, 4 at once",
        ),
        (
            "orchestrator --from train -P train.lr=0.1",
            "from a step on, with a value for it",
        ),
        ("orchestrator --logs train", "what the step printed last"),
        (
            "source <(orchestrator --completions bash)",
            "completion, in ~/.bashrc",
        ),
    ],
);

const EXIT_CODES: Section = (
    "Exit codes",
    &[
        ("0", "all steps succeeded"),
        ("1", "the run failed or could not be planned"),
        ("2", "bad command line"),
        ("128+n", "stopped by signal n"),
    ],
);

/// The files that a user may look for.
const FILES: Section = (
    "Files",
    &[
        (
            "MLproject",
            "The pipeline: `steps:` at the root, and one such file for each step.",
        ),
        (
            "mlflow.db",
            "The records of runs, unless a tracking URI is given; MLflow reads it.",
        ),
        ("mlruns/", "Logs and artifacts of the runs."),
        (
            "mlruns/unsent/",
            "Records that could not be sent yet; --resend sends them.",
        ),
        (
            "mlruns/.cached/",
            "What the outputs of steps were made from; --cached compares it.",
        ),
        (
            "$XDG_CACHE_HOME/orchestrator/",
            "Environments and fetched projects; by default ~/.cache/orchestrator/.",
        ),
    ],
);

const VARIABLES: Section = (
    "Environment",
    &[
        (
            "MLFLOW_TRACKING_URI",
            "Where runs are recorded, unless --tracking-uri says so. MLFLOW_TRACKING_USERNAME, \
             MLFLOW_TRACKING_PASSWORD and MLFLOW_TRACKING_TOKEN are used as by MLflow.",
        ),
        (
            "MLFLOW_EXPERIMENT_NAME, MLFLOW_EXPERIMENT_ID",
            "The experiment, unless an option names it.",
        ),
        (
            "MLFLOW_RUN_ID",
            "A run that takes the place of the pipeline's own, as under `mlflow run`. Each step gets that of its run.",
        ),
        (
            "MLFLOW_ENV_ROOT",
            "The folder for environments, unless --env-root names it.",
        ),
        (
            "MLFLOW_CONDA_HOME, CONDA_EXE",
            "Where conda is, if it is not on PATH.",
        ),
        ("DOCKER_HOST", "Where the container engine listens."),
        (
            "PIPELINE_METRICS",
            "Set for each step: a file to which it may add lines `NAME VALUE`, its metrics.",
        ),
    ],
);

/// What `--help` ends with.
pub(super) fn ending() -> String {
    let mut text = String::new();
    for (title, lines) in [EXAMPLES, EXIT_CODES] {
        let width = lines.iter().map(|(what, _)| what.len()).max();
        let width = width.unwrap_or_default().min(41);
        writeln!(text, "{title}:").expect("writing to a String cannot fail");
        for (what, meaning) in lines {
            writeln!(text, "  {what:width$}  {meaning}").expect("as above");
        }
        text.push('\n');
    }
    text.trim_end().to_owned()
}

/// The manual page in the language of `man`, without the parameters of any pipeline.
pub(crate) fn page() -> String {
    // What `-h` leaves out stands in the page.
    let command = fixed().mut_args(|argument| argument.hide_short_help(false));
    let page = Man::new(command).source(concat!("orchestrator ", env!("CARGO_PKG_VERSION")));
    let mut written = Vec::new();
    page.render_title(&mut written)
        .and_then(|()| page.render_name_section(&mut written))
        .and_then(|()| page.render_synopsis_section(&mut written))
        .and_then(|()| page.render_description_section(&mut written))
        .and_then(|()| page.render_options_section(&mut written))
        .expect("writing to memory cannot fail");
    let mut roff = Roff::new();
    for (title, lines) in [EXAMPLES, EXIT_CODES, FILES, VARIABLES] {
        roff.control("SH", [title.to_uppercase().as_str()]);
        for (what, meaning) in lines {
            roff.control("TP", []);
            roff.text([bold(*what)]);
            roff.text([roman(*meaning)]);
        }
    }
    String::from_utf8_lossy(&written).into_owned() + &roff.render()
}
