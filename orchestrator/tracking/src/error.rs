//! Why nothing can be recorded, or nothing be read from the records.

use std::io;
use std::path::PathBuf;

use super::stored::StoreError;

#[derive(Debug, thiserror::Error)]
pub enum TrackingError {
    #[error("runs cannot be recorded in `{0}`")]
    Store(String),
    #[error("`{0}` is no address of a tracking server")]
    Address(String),
    #[error("the tracking store {store} cannot be used")]
    Open { store: String, source: StoreError },
    #[error("the run cannot be recorded in {store}")]
    Start { store: String, source: StoreError },
    /// From options or variables; `mlflow run` refuses it, too.
    #[error(
        "two experiments are named, by --experiment-name or MLFLOW_EXPERIMENT_NAME and by --experiment-id or MLFLOW_EXPERIMENT_ID"
    )]
    TwoExperiments,
    #[error("MLFLOW_RUN_ID says that this is run `{0}`, whose experiment cannot be changed")]
    ExperimentOfRun(String),
    #[error("the value of {name} should be {expected}")]
    Variable {
        name: &'static str,
        expected: &'static str,
    },
    #[error("{0} is set, which needs MLflow's own client")]
    Unsupported(&'static str),
    #[error(
        "MLFLOW_TRACKING_INSECURE_TLS and MLFLOW_TRACKING_SERVER_CERT_PATH contradict each other"
    )]
    InsecureAndCertificate,
    #[error("cannot read `{path}`, which {name} names")]
    Certificate {
        name: &'static str,
        path: String,
        source: io::Error,
    },
    #[error("no client for the tracking server can be made: {0}")]
    Client(String),
    #[error("the records cannot be read from {store}")]
    Read { store: String, source: StoreError },
    #[error("records of earlier runs were not sent")]
    Resend(Vec<Waiting>),
    #[error("records cannot be kept in `mlruns/unsent` until they are sent")]
    Spool(#[source] io::Error),
    #[error("nothing can be kept in `mlruns`")]
    Folder(#[source] io::Error),
    #[error("cannot start the thread that records")]
    Thread(#[source] io::Error),
    #[error("the log of {step} is {}, which is not below `mlruns`", file.display())]
    LogElsewhere { step: String, file: PathBuf },
    #[error("with --no-tracking there are no records")]
    Off,
    #[error("there is no log of {0}")]
    NoLog(String),
}

/// Records that could not be sent, in a file.
#[derive(Debug)]
pub struct Waiting {
    pub file: PathBuf,
    /// Where they belong; none for a file that says nothing of it that can be believed.
    pub store: Option<String>,
    pub reason: String,
}

impl TrackingError {
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            TrackingError::Store(uri) if uri.starts_with("file:") || !uri.contains(':') => {
                "folders of files are MLflow's old form: use `--tracking-uri sqlite:///mlflow.db` (`mlflow migrate-filestore` takes old runs along), or --no-tracking".into()
            }
            TrackingError::Store(_) => {
                "expected http(s)://HOST, a tracking server in front of other stores, or sqlite:///FILE; or --no-tracking".into()
            }
            TrackingError::Open { source, .. } | TrackingError::Start { source, .. } => match source {
                StoreError::NoExperiment(_) => "--experiment-name makes an experiment that does not exist".into(),
                StoreError::DeletedExperiment { id, .. } => format!("`mlflow experiments restore --experiment-id {id}` brings it back"),
                _ => "another store can be named with --tracking-uri or MLFLOW_TRACKING_URI; --no-tracking records nothing".into(),
            },
            TrackingError::TwoExperiments => "leave one of them out".into(),
            TrackingError::ExperimentOfRun(_) => "leave --experiment-name and --experiment-id out, or unset MLFLOW_RUN_ID".into(),
            TrackingError::Spool(_) => "move it away, or run with --no-tracking".into(),
            TrackingError::Folder(_) => "move it away: the logs of the steps are kept there".into(),
            TrackingError::LogElsewhere { .. } => "it is read from there when --tracking-uri or MLFLOW_TRACKING_URI names the database".into(),
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
