//! Where runs are recorded and under what: the options, and the variables that MLflow's client reads.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::TrackingError;
use super::alias::Alias;
use crate::Options;
use mlproject::paths::absolute;
use process::host;
use process::redact::without_credentials;

/// Whether the user names the store, instead of the one that lies in the pipeline's folder.
pub(crate) fn names_store(options: &Options) -> bool {
    options.uri.is_some() || variable("MLFLOW_TRACKING_URI").is_some()
}

/// A tracking store that we can write to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// The address of a server, without a slash at the end; it may hold credentials.
    Server(String),
    /// An sqlite file.
    Database(Database),
}

/// A database file, and how MLflow's client is to open it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Database {
    /// Absolute.
    pub path: PathBuf,
    /// What stands behind the `?` of the URI: for the steps, whose client reads it, too.
    query: Option<String>,
    /// How long another process that has locked it is waited for, if the URI says so.
    pub timeout: Option<Duration>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Experiment {
    Name(String),
    Id(String),
}

#[derive(Debug)]
pub(crate) struct Settings {
    /// None with `--no-tracking`.
    pub place: Option<Place>,
    /// By default that of MLflow, with id 0.
    pub experiment: Option<Experiment>,
    pub run_name: Option<String>,
    /// The run in which we are started.
    pub run_id: Option<String>,
}

/// The value of a variable; an empty one counts as not set, as for MLflow.
pub(crate) fn variable(name: &str) -> Option<String> {
    host::variable(name)?.into_string().ok()
}

/// A variable with a number, or the default.
pub(crate) fn number(name: &'static str, default: f64) -> Result<f64, TrackingError> {
    let Some(value) = variable(name) else {
        return Ok(default);
    };
    match value.parse() {
        Ok(number) if f64::is_finite(number) && number >= 0.0 => Ok(number),
        _ => Err(TrackingError::Variable {
            name,
            expected: "a number",
        }),
    }
}

/// A variable that is true or false, by MLflow's words.
pub(crate) fn switch(name: &'static str) -> Result<bool, TrackingError> {
    match variable(name).map(|value| value.to_lowercase()).as_deref() {
        None | Some("false" | "0") => Ok(false),
        Some("true" | "1") => Ok(true),
        Some(_) => Err(TrackingError::Variable {
            name,
            expected: "true or false",
        }),
    }
}

impl Settings {
    /// Options first, then variables, then MLflow's own defaults. `root` is the pipeline's folder.
    ///
    /// Inside of a run (`MLFLOW_RUN_ID`) the experiment is that run's: `mlflow run` leaves an
    /// exported `MLFLOW_EXPERIMENT_NAME` beside the id, so the variables do not count there.
    pub(crate) fn new(
        options: &Options,
        root: &Path,
        caller: &Path,
    ) -> Result<Settings, TrackingError> {
        if options.off {
            return Ok(Settings {
                place: None,
                experiment: None,
                run_name: None,
                run_id: None,
            });
        }
        let place = match options
            .uri
            .clone()
            .or_else(|| variable("MLFLOW_TRACKING_URI"))
        {
            Some(uri) => Place::parse(uri.trim(), caller)?,
            None => Place::Database(Database::at(root.join("mlflow.db"))),
        };
        let run_id = variable("MLFLOW_RUN_ID");
        let of_variable = |name| match run_id {
            None => variable(name),
            Some(_) => None,
        };
        let given = |option: &Option<String>, name| option.clone().or_else(|| of_variable(name));
        let name = given(&options.experiment_name, "MLFLOW_EXPERIMENT_NAME");
        let id = given(&options.experiment_id, "MLFLOW_EXPERIMENT_ID");
        let experiment = match (name, id) {
            (Some(_), Some(_)) => return Err(TrackingError::TwoExperiments),
            (Some(name), None) => Some(Experiment::Name(name)),
            (None, id) => id.map(Experiment::Id),
        };
        if let (Some(run), Some(_)) = (&run_id, &experiment) {
            return Err(TrackingError::ExperimentOfRun(run.clone()));
        }
        Ok(Settings {
            place: Some(place),
            experiment,
            run_name: given(&options.run_name, "MLFLOW_RUN_NAME"),
            run_id,
        })
    }
}

impl Place {
    /// A tracking URI; relative database files start from the caller's folder, as for MLflow.
    fn parse(uri: &str, caller: &Path) -> Result<Place, TrackingError> {
        if uri.starts_with("http://") || uri.starts_with("https://") {
            return Ok(Place::Server(uri.trim_end_matches('/').to_owned()));
        }
        let refused = || TrackingError::Store(without_credentials(uri));
        let path = uri.strip_prefix("sqlite:///").ok_or_else(refused)?;
        let (path, query) = match path.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (path, None),
        };
        if path.is_empty() || path == ":memory:" {
            return Err(refused());
        }
        Ok(Place::Database(Database {
            path: absolute(caller, unquoted(path)),
            query: query.map(str::to_owned),
            timeout: timeout(query.unwrap_or_default())?,
        }))
    }

    /// The URI for a step, which runs in another folder and has perhaps another name for that of a database.
    pub(crate) fn uri(&self, alias: Option<&Alias>) -> String {
        let database = match self {
            Place::Server(url) => return url.clone(),
            Place::Database(database) => database,
        };
        let uri = match alias {
            Some(alias) => uri_of(&alias.path(&database.path)),
            None => uri_of(&database.path),
        };
        match &database.query {
            Some(query) => format!("{uri}?{query}"),
            None => uri,
        }
    }

    /// The URI for people and records. How a database is opened is no part of it.
    pub(crate) fn shown(&self) -> String {
        match self {
            Place::Server(url) => without_credentials(url),
            Place::Database(database) => without_credentials(&uri_of(&database.path)),
        }
    }
}

impl Database {
    pub(crate) fn at(path: PathBuf) -> Database {
        Database {
            path,
            query: None,
            timeout: None,
        }
    }
}

fn uri_of(path: &Path) -> String {
    let path = path.to_string_lossy();
    format!("sqlite:///{}", path.replace('%', "%25").replace('?', "%3F"))
}

/// What only Python's `sqlite3.connect` has a use for; SQLAlchemy hands it on.
const OF_CLIENT: [&str; 4] = [
    "cached_statements",
    "check_same_thread",
    "detect_types",
    "isolation_level",
];

/// The seconds that `timeout=` in a query says, as for `sqlite3.connect`. Whatever would change which
/// database it is, or how it is opened, is an error.
fn timeout(query: &str) -> Result<Option<Duration>, TrackingError> {
    let mut timeout = None;
    for part in query.split('&').filter(|part| !part.is_empty()) {
        let refused = || TrackingError::Query(part.to_owned());
        match part.split_once('=') {
            Some(("timeout", seconds)) => {
                let seconds = seconds.parse().map_err(|_| refused())?;
                let time = Duration::try_from_secs_f64(seconds).map_err(|_| refused())?;
                timeout = Some(time);
            }
            Some((key, _)) if OF_CLIENT.contains(&key) => {}
            _ => return Err(refused()),
        }
    }
    Ok(timeout)
}

/// The text with its `%XX` replaced, as SQLAlchemy 2.1 reads the path of a database.
pub(crate) fn unquoted(text: &str) -> String {
    String::from_utf8_lossy(&mlproject::uri::unquoted(text)).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_is_a_server_or_a_database() {
        let parse = |uri| Place::parse(uri, Path::new("/caller")).ok();
        let database = |path: &str| Some(Place::Database(Database::at(path.into())));
        let server = |url: &str| Some(Place::Server(url.into()));
        assert_eq!(parse("sqlite:///a.db"), database("/caller/a.db"));
        assert_eq!(parse("sqlite:////x/50%25 é.db"), database("/x/50% é.db"));
        assert_eq!(parse("http://h:1/p/"), server("http://h:1/p"));
        for refused in [
            "",
            "mlruns",
            "file:///x",
            "sqlite://",
            "sqlite:///",
            "sqlite:///:memory:",
            "sqlite+pysqlite:///a.db",
            "postgresql://u:p@h/d",
            "databricks",
        ] {
            assert_eq!(parse(refused), None, "{refused}");
        }
    }

    #[test]
    fn a_database_says_how_long_it_may_be_locked() {
        let parse = |uri: &str| Place::parse(uri, Path::new("/"));
        for (query, expected) in [
            ("", None),
            ("?", None),
            ("?check_same_thread=false", None),
            ("?timeout=30", Some(30_000)),
            ("?check_same_thread=false&timeout=0.5", Some(500)),
        ] {
            let uri = format!("sqlite:////x/a.db{query}");
            let place = parse(&uri).unwrap();
            // The step's client opens it as ours does, but it is the same database.
            assert_eq!(
                (place.uri(None), place.shown()),
                (uri, "sqlite:////x/a.db".to_owned())
            );
            let Place::Database(database) = place else {
                panic!("it is no server");
            };
            assert_eq!(
                database.timeout,
                expected.map(Duration::from_millis),
                "{query}"
            );
        }
        for query in [
            "timeout",
            "timeout=",
            "timeout=x",
            "timeout=-1",
            "timeout=inf",
            "uri=true",
            "mode=ro",
            "a",
        ] {
            let refused = parse(&format!("sqlite:////x/a.db?{query}")).unwrap_err();
            assert!(matches!(refused, TrackingError::Query(part) if part == query));
        }
    }

    #[test]
    fn a_step_gets_a_uri_that_means_the_same() {
        let place = Place::Database(Database::at("/x/50%?.db".into()));
        assert_eq!(place.uri(None), "sqlite:////x/50%25%3F.db");
        assert_eq!(
            Place::parse(&place.uri(None), Path::new("/")).ok(),
            Some(place)
        );
        let place = Place::Server("https://u:p@h".into());
        assert_eq!(
            (place.uri(None).as_str(), place.shown().as_str()),
            ("https://u:p@h", "https://h")
        );
    }
}
