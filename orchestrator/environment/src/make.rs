//! Makes what is not there yet: different environments at once, each by one run at a time.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Write};
use std::panic::resume_unwind;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::store::{Lock, Store};
use super::{Environment, Failure, MakeError};
use process::Interruption;
use process::console::say;
use process::log;

/// How often one who waits for another run looks whether it is done.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// How environments are made in a run.
#[derive(Debug, Clone, Copy)]
pub struct BuildOptions<'a> {
    /// The folder that they are made in.
    pub store: &'a Store,
    /// How many are made at once.
    pub jobs: usize,
    /// The time that the tools have to end after a signal; what is left then is killed.
    pub grace: Duration,
    /// What stops the tools, and lets no other start.
    pub interruption: &'a Interruption,
}

/// Environments that nobody removes as long as this lives.
#[derive(Debug)]
pub struct Leases {
    _locks: Vec<Lock>,
}

/// An environment that several steps may have in common.
struct Build<'a> {
    environment: &'a Environment,
    name: &'a str,
    steps: Vec<&'a str>,
}

/// Sees to it that the environment of every step is there; tells all that could not be made.
///
/// Nothing is started for an environment that is there.
pub fn make_all<'a>(
    steps: impl Iterator<Item = (&'a str, &'a Environment)>,
    options: BuildOptions<'_>,
) -> Result<Leases, Vec<Failure>> {
    let (mut locks, mut failures, mut missing) = (Vec::new(), Vec::new(), VecDeque::new());
    for build in distinct(steps) {
        if !build.environment.is_recorded() && build.environment.is_ready(options.store) {
            // The engine keeps it, so it needs no folder of ours.
            continue;
        }
        match ready(&build, options.store) {
            Ok(Some(lock)) => locks.push(lock),
            Ok(None) => missing.push_back(build),
            Err(error) => failures.push(build.failure(error)),
        }
    }
    let workers = options.jobs.clamp(1, missing.len().max(1));
    let missing = Mutex::new(missing);
    let next = || {
        missing
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_front()
    };
    let work = || {
        let (mut locks, mut failures) = (Vec::new(), Vec::new());
        while let Some(build) = next() {
            match make(&build, options) {
                Ok(lock) => locks.push(lock),
                Err(error) => failures.push(build.failure(error)),
            }
        }
        (locks, failures)
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            let (made, failed) = worker.join().unwrap_or_else(|panic| resume_unwind(panic));
            locks.extend(made);
            failures.extend(failed);
        }
    });
    if failures.is_empty() {
        Ok(Leases { _locks: locks })
    } else {
        Err(failures)
    }
}

/// The environments without those that are named twice, and without `local`.
fn distinct<'a>(steps: impl Iterator<Item = (&'a str, &'a Environment)>) -> Vec<Build<'a>> {
    let mut builds: Vec<Build> = Vec::new();
    for (step, environment) in steps {
        let Some(name) = environment.name.as_deref() else {
            continue;
        };
        match builds.iter_mut().find(|known| known.name == name) {
            Some(known) => known.steps.push(step),
            None => builds.push(Build {
                environment,
                name,
                steps: vec![step],
            }),
        }
    }
    builds
}

impl Build<'_> {
    fn failure(&self, error: MakeError) -> Failure {
        Failure {
            steps: self.steps.iter().map(|&step| step.to_owned()).collect(),
            name: self.name.to_owned(),
            error,
        }
    }
}

/// The shared lock on an environment that is complete.
fn ready(build: &Build, store: &Store) -> Result<Option<Lock>, MakeError> {
    let key = build.environment.key();
    // The record is looked at under the lock, or it could be removed meanwhile.
    if !build.environment.is_ready(store) {
        return Ok(None);
    }
    let lock = store.share(&key).map_err(|source| MakeError::Write {
        path: store.path(&key, "lock"),
        source,
    })?;
    let lock = lock.filter(|_| build.environment.is_ready(store));
    if lock.is_some() {
        store.touch(&key);
    }
    Ok(lock)
}

/// Makes an environment, or waits until another run has made it.
fn make(build: &Build, options: BuildOptions<'_>) -> Result<Lock, MakeError> {
    let (store, key) = (options.store, build.environment.key());
    let label = format!("environment {} ({})", build.name, build.environment.tool());
    let mut has_told = false;
    loop {
        if let Some(lock) = ready(build, store)? {
            return Ok(lock);
        }
        if options.interruption.signal().is_some() {
            return Err(MakeError::Interrupted);
        }
        let lock = store.lock(&key).map_err(|source| MakeError::Write {
            path: store.path(&key, "lock"),
            source,
        })?;
        let Some(lock) = lock else {
            if !std::mem::replace(&mut has_told, true) {
                say(&format!("{label}: waiting for another run that makes it"));
            }
            std::thread::sleep(LOOK_AGAIN);
            continue;
        };
        if build.environment.is_ready(store) {
            continue;
        }
        make_now(build, options, &lock, &label)?;
        if !build.environment.is_recorded() {
            // An engine keeps its images itself; the lock only kept others from building at once.
            return Ok(lock);
        }
    }
}

/// Makes it, with the lock in our hands; what could not be made is taken away.
fn make_now(
    build: &Build,
    options: BuildOptions<'_>,
    lock: &Lock,
    label: &str,
) -> Result<(), MakeError> {
    let (store, key) = (options.store, build.environment.key());
    let origin = match build.environment.from_pypi.as_slice() {
        [] => String::new(),
        packages => format!("; from PyPI: {}", packages.join(", ")),
    };
    say(&format!(
        "{label}: making it for {}{origin}",
        build.steps.join(", ")
    ));
    let start = Instant::now();
    let builder = Builder::open(options, &key, lock)?;
    let record = build.environment.make(&builder);
    if matches!(record, Err(ref error) if !matches!(error, MakeError::Interrupted)) {
        // What is half-made takes up room. That it cannot be removed is told by the next run.
        store.remove(&key).ok();
    }
    let record = record?;
    if let Some(record) = record {
        let path = store.path(&key, "json");
        let written = store.write_record(&key, &record);
        written.map_err(|source| MakeError::Write { path, source })?;
    }
    store.end(&key);
    if build.environment.is_recorded() && !build.environment.is_ready(store) {
        store.remove(&key).ok();
        let command = build.environment.tool();
        return Err(MakeError::Lost { command });
    }
    say(&format!(
        "{label}: made in {:.1} s",
        start.elapsed().as_secs_f64()
    ));
    Ok(())
}

/// Where one environment is made: commands run, their output goes to the log.
pub(crate) struct Builder<'a> {
    options: BuildOptions<'a>,
    key: &'a str,
    lock: &'a Lock,
    log: File,
}

impl<'a> Builder<'a> {
    /// Clears away what a run that was killed has left.
    fn open(
        options: BuildOptions<'a>,
        key: &'a str,
        lock: &'a Lock,
    ) -> Result<Builder<'a>, MakeError> {
        let store = options.store;
        store.remove(key).map_err(|left| MakeError::Write {
            path: store.prefix(key),
            source: left.into(),
        })?;
        let log = store
            .create(key, "log")
            .map_err(|source| MakeError::Write {
                path: store.path(key, "log"),
                source,
            })?;
        Ok(Builder {
            options,
            key,
            lock,
            log,
        })
    }

    pub(crate) fn store(&self) -> &Store {
        self.options.store
    }

    /// Notes, before there is anything of it, that the environment is ours.
    pub(crate) fn begin(&self) -> Result<(), MakeError> {
        let begun = self.store().begin(self.key);
        begun.map_err(|source| MakeError::Write {
            path: self.store().prefix(self.key),
            source,
        })
    }

    /// Writes a file for the tool beside the environment.
    pub(crate) fn write(&self, extension: &str, text: &str) -> Result<PathBuf, MakeError> {
        let path = self.store().path(self.key, extension);
        let file = self.store().create(self.key, extension);
        let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
        written.map_err(|source| MakeError::Write {
            path: path.clone(),
            source,
        })?;
        Ok(path)
    }

    /// Runs a command line to its end.
    pub(crate) fn run(&self, command: &str) -> Result<(), MakeError> {
        if self.options.interruption.signal().is_some() {
            return Err(MakeError::Interrupted);
        }
        let status = self.start(command).map_err(|source| MakeError::Start {
            command: command.to_owned(),
            source,
        })?;
        match status.success() {
            true => Ok(()),
            false if self.options.interruption.signal().is_some() => Err(MakeError::Interrupted),
            false => {
                let log = self.store().path(self.key, "log");
                Err(MakeError::Tool {
                    command: command.to_owned(),
                    status,
                    last_lines: last_lines(&log),
                    log,
                })
            }
        }
    }

    fn start(&self, command: &str) -> io::Result<std::process::ExitStatus> {
        let mut log = self.log.try_clone()?;
        writeln!(log, "$ {command}")?;
        let input = self.lock.as_input()?;
        let (grace, interruption) = (self.options.grace, self.options.interruption);
        process::run_logged(
            command,
            &self.store().root,
            &input,
            log,
            grace,
            interruption,
        )
    }
}

/// What a tool said at last, without the commands.
fn last_lines(log: &std::path::Path) -> String {
    let mut lines = log::tail(log).unwrap_or_default();
    lines.retain(|line| !line.starts_with("$ "));
    lines.join("\n")
}
