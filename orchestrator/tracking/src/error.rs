//! Why nothing can be recorded, or nothing be read from the records.

use std::io;
use std::path::PathBuf;

use super::stored::StoreError;
use process::printable::one_line;

/// Why nothing can be recorded, or nothing be read from the records.
#[derive(Debug, thiserror::Error)]
pub enum TrackingError {
    /// Neither a server nor an sqlite file: its URI, without credentials.
    #[error("runs cannot be recorded in `{0}`")]
    Store(String),
    /// Something behind the `?` of an sqlite file's URI.
    #[error("`{0}` in the tracking URI cannot be followed")]
    Query(String),
    /// It begins with `http` but is no URL: without credentials.
    #[error("`{0}` is no address of a tracking server")]
    Address(String),
    /// It does not answer, or has not the experiment or run that is named.
    #[error("the tracking store {store} cannot be used")]
    Open {
        /// The store, without credentials.
        store: String,
        /// What it says.
        source: StoreError,
    },
    /// It was reached, but does not take the pipeline's run.
    #[error("the run cannot be recorded in {store}")]
    Start {
        /// The store, without credentials.
        store: String,
        /// What it says.
        source: StoreError,
    },
    /// From options or variables; `mlflow run` refuses it, too.
    #[error(
        "two experiments are named, by --experiment-name or MLFLOW_EXPERIMENT_NAME and by --experiment-id or MLFLOW_EXPERIMENT_ID"
    )]
    TwoExperiments,
    /// An option names an experiment inside of a run: the id of the run.
    #[error("MLFLOW_RUN_ID says that this is run `{0}`, whose experiment cannot be changed")]
    ExperimentOfRun(String),
    /// A variable of MLflow's has a value that means nothing.
    #[error("the value of {name} should be {expected}")]
    Variable {
        /// Its name.
        name: &'static str,
        /// What it should be, with an article: `a number`.
        expected: &'static str,
    },
    /// A variable asks for a login that only MLflow's own client knows: its name.
    #[error("{0} is set, which needs MLflow's own client")]
    Unsupported(&'static str),
    /// MLflow's client refuses both together, too.
    #[error(
        "MLFLOW_TRACKING_INSECURE_TLS and MLFLOW_TRACKING_SERVER_CERT_PATH contradict each other"
    )]
    InsecureAndCertificate,
    /// The file of a certificate, ours or the server's, cannot be read.
    #[error("cannot read `{path}`, which {name} names")]
    Certificate {
        /// The variable.
        name: &'static str,
        /// Its value.
        path: String,
        /// What the system says.
        source: io::Error,
    },
    /// TLS cannot be set up, as with a file that is no certificate: why, in words.
    #[error("no client for the tracking server can be made: {0}")]
    Client(String),
    /// It was reached, but its runs cannot be read.
    #[error("the records cannot be read from {store}")]
    Read {
        /// The store, without credentials.
        store: String,
        /// What it says.
        source: StoreError,
    },
    /// Something was left after all was tried, each with its reason.
    #[error("records of earlier runs were not sent")]
    Resend(Vec<Waiting>),
    /// The file for records on their way cannot be made.
    #[error("records cannot be kept in `mlruns/unsent` until they are sent")]
    Spool(#[source] io::Error),
    /// It is no folder, or cannot be made; one that we may not write to is no error.
    #[error("nothing can be kept in `mlruns`")]
    Folder(#[source] io::Error),
    /// The system has no more threads for us.
    #[error("cannot start the thread that records")]
    Thread(#[source] io::Error),
    /// A database that nobody has named, and that may have come with the folder, says where a log is.
    #[error("the log of {step} is {}, which is not below `mlruns`", file.display())]
    LogElsewhere {
        /// Whose log: "step `train`".
        step: String,
        /// Where it is said to be.
        file: PathBuf,
    },
    /// Records are asked for and switched off.
    #[error("with --no-tracking there are no records")]
    Off,
    /// Nothing is recorded with an id that begins so.
    #[error("there is no run `{}` of this pipeline", one_line(.0))]
    UnknownRun(String),
    /// A part of an id stands for several.
    #[error("several runs have an id that begins with `{begin}`: {}", ids.iter().map(|id| one_line(id)).collect::<Vec<_>>().join(", "))]
    SeveralRuns {
        /// As it was typed.
        begin: String,
        /// The ids.
        ids: Vec<String>,
    },
    /// It is the run of a step, where one of a pipeline is asked for.
    #[error("`{}` is a run of step `{}` alone", one_line(run), one_line(step))]
    RunOfStep {
        /// As it was typed.
        run: String,
        /// The step.
        step: String,
        /// The id of the pipeline's run in which it was.
        pipeline: String,
    },
    /// Nothing is recorded, or no log was kept: "step `train`" or "this pipeline".
    #[error("there is no log of {0}")]
    NoLog(String),
}

/// Records that could not be sent, in a file.
#[derive(Debug)]
pub struct Waiting {
    /// The file, below the pipeline's folder in `mlruns/unsent`.
    pub file: PathBuf,
    /// Where they belong, without credentials and fit for a terminal; none for a file that says nothing
    /// of it that can be believed.
    pub store: Option<String>,
    /// Why it was not sent, in words.
    pub reason: String,
}

impl TrackingError {
    /// What to type next, if there is something; several lines for [`TrackingError::Resend`].
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            TrackingError::Store(uri) if uri == "databricks" || uri.starts_with("databricks:") => {
                "Databricks lets in MLflow's own client only, by its profiles: name another store with --tracking-uri, such as sqlite:///mlflow.db, or --no-tracking".into()
            }
            TrackingError::Store(uri) if uri.starts_with("file:") || !uri.contains(':') => {
                "folders of files are MLflow's old form: use `--tracking-uri sqlite:///mlflow.db` (`mlflow migrate-filestore` takes old runs along), or --no-tracking".into()
            }
            TrackingError::Query(_) => "behind `sqlite:///FILE?` may stand `timeout=SECONDS`, which is how long a locked file is waited for".into(),
            TrackingError::Store(_) => {
                "expected http(s)://HOST, a tracking server in front of other stores, or sqlite:///FILE; or --no-tracking".into()
            }
            TrackingError::Open { source, .. } | TrackingError::Start { source, .. } => match source {
                StoreError::NoExperiment(_) => "--experiment-name makes an experiment that does not exist".into(),
                StoreError::DeletedExperiment { id, .. } => format!("`mlflow experiments restore --experiment-id {id}` brings it back"),
                StoreError::NoRun(_) => "unset MLFLOW_RUN_ID if it is left over from an earlier run, or name the store of that run with --tracking-uri".into(),
                StoreError::DeletedRun(run) => format!("unset MLFLOW_RUN_ID, or bring the run back by `mlflow runs restore --run-id {run}`"),
                _ => "another store can be named with --tracking-uri or MLFLOW_TRACKING_URI; --no-tracking records nothing".into(),
            },
            TrackingError::TwoExperiments => "leave one of them out".into(),
            TrackingError::ExperimentOfRun(_) => "leave --experiment-name and --experiment-id out, or unset MLFLOW_RUN_ID".into(),
            TrackingError::Spool(_) => "move it away, or run with --no-tracking".into(),
            TrackingError::Folder(_) => "move it away: the logs of the steps are kept there".into(),
            TrackingError::LogElsewhere { .. } => "it is read from there when --tracking-uri or MLFLOW_TRACKING_URI names the database".into(),
            TrackingError::UnknownRun(_) => "`--history=all` lists the runs with the beginnings of their ids, `--show RUN` those of the steps of one".into(),
            TrackingError::RunOfStep { pipeline, .. } => format!("it is part of run `{}`", one_line(pipeline)),
            TrackingError::SeveralRuns { .. } => "type more of the id".into(),
            TrackingError::Unsupported(_) => "unset it, or run with --no-tracking".into(),
            TrackingError::Resend(waiting) => {
                let line = |waiting: &Waiting| {
                    let store = waiting.store.as_ref();
                    let store = store.map(|store| format!(" (for {store})")).unwrap_or_default();
                    format!("{}{store}: {}", waiting.file.display(), waiting.reason)
                };
                waiting.iter().map(line).collect::<Vec<_>>().join("\n      ")
            }
            _ => return None,
        })
    }
}
