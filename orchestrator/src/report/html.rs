//! The report of a run: what happens in it becomes an HTML page, among the artifacts of the pipeline's run
//! and in the file that was asked for.

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use mlproject::paths::shown;
use page::{Attempt, Change, Changes, Output, Run, State, Step, most_important, render};
use plan::freshness::made_by;
use plan::{Plan, PlannedStep};
use process::console::{say, warn};
use process::files::replace;
use process::log;
use process::redact::redact;
use process::text::signal_name;
use tracking::{Before, Tracker, as_recorded};

use super::failure;
use super::plan::environment;
use crate::run::error::RunError;
use crate::run::event::{Event, Position};
use crate::run::outcome::Cause;

/// How often the page is written while steps end, at most: it is there for whoever looks meanwhile, and
/// for the end of a run that is killed.
const PAUSE: Duration = Duration::from_secs(1);

/// Listens to a run and writes its page.
#[derive(Debug)]
pub(crate) struct Report {
    told: Mutex<Told>,
    /// Where the page is written to at the end, beside the artifacts.
    file: Option<PathBuf>,
}

/// What has happened so far.
#[derive(Debug)]
struct Told {
    run: Run,
    start: Instant,
    /// The logs of the last attempts, by steps.
    logs: Vec<Option<PathBuf>>,
    /// The pipeline's own values.
    parameters: Vec<(String, String)>,
    /// Who writes it; none if nobody wants a page, and when the last one is written.
    tracker: Option<Tracker>,
    /// The page among the artifacts, if the run is recorded.
    artifact: Option<PathBuf>,
    /// When it was written last.
    written: Option<Instant>,
    root: PathBuf,
    /// The files that steps make.
    outputs: Vec<Vec<PathBuf>>,
}

/// Finds out whether a report can be written to a file, which may be a link.
pub(crate) fn writable(file: &Path) -> io::Result<PathBuf> {
    let file = file.canonicalize().unwrap_or_else(|_| file.to_owned());
    let folder = file.parent().unwrap_or(Path::new("/"));
    if file.is_dir() {
        return Err(io::Error::other("it is a folder"));
    }
    if file.exists() && !file.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    // The page takes its place at the end; what is there until then stays.
    let mut probe = file.file_name().unwrap_or_default().to_owned();
    probe.push(format!(".{}.new", std::process::id()));
    let probe = folder.join(probe);
    std::fs::File::create_new(&probe)?;
    std::fs::remove_file(&probe)?;
    Ok(file)
}

impl Report {
    /// A report of the run of a plan, which this command line has asked for.
    pub(crate) fn new(plan: &Plan, command_line: String, file: Option<PathBuf>) -> Report {
        let steps = plan.steps.iter().enumerate();
        let steps =
            steps.map(|(number, planned)| step(planned, plan.graph.waits(number), &plan.root));
        let run = Run {
            pipeline: redact(&plan.pipeline),
            state: State::Running,
            start: SystemTime::now(),
            time: Duration::ZERO,
            user: String::new(),
            commit: None,
            id: None,
            command_line,
            error: None,
            steps: steps.collect(),
            changes: None,
        };
        let outputs = plan.steps.iter().map(|step| {
            let outputs = step.files.outputs.iter();
            outputs.map(|file| file.path.clone()).collect()
        });
        let told = Told {
            run,
            start: Instant::now(),
            logs: vec![None; plan.steps.len()],
            parameters: as_recorded(plan.parameters.iter().cloned()),
            tracker: None,
            artifact: None,
            written: None,
            root: plan.root.clone(),
            outputs: outputs.collect(),
        };
        Report {
            told: Mutex::new(told),
            file,
        }
    }

    /// Notes what happens. The page is written at the begin, at the end, and now and then between.
    pub(crate) fn hear(&self, event: Event) {
        // Nothing in it can be half-done.
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let told = &mut *told;
        match event {
            Event::Begun { tracker } => told.begun(tracker, self.file.is_some()),
            Event::Started { position, why } => {
                let step = told.step(position);
                step.state = State::Running;
                step.why = Some(why.map_or_else(|| "always runs".to_owned(), redact));
            }
            Event::UpToDate { position, made } => {
                let step = told.step(position);
                step.state = State::UpToDate;
                step.why = Some(made_by(made));
            }
            Event::LeftOut { position, maker } => {
                let step = told.step(position);
                step.state = State::LeftOut;
                step.why = Some(redact(&format!("it needs what `{maker}` did not make")));
            }
            Event::Attempted { .. } => told.attempted(event),
            Event::Ended { result } => {
                // A step's timeout stops the step alone.
                let state = match result {
                    Ok(()) => State::Finished,
                    Err(error) if error.signal().is_some() => State::Stopped,
                    Err(_) => State::Failed,
                };
                told.find_changes(true);
                told.ended(state, result.err().map(message), self.file.as_deref());
            }
            Event::Stopped { signal } => {
                let message = format!("stopped by {} while no step ran", signal_name(signal));
                told.find_changes(false);
                told.ended(State::Stopped, Some(message), self.file.as_deref());
            }
            Event::Queued { .. }
            | Event::OnNode { .. }
            | Event::Retry { .. }
            | Event::Finished { .. }
            | Event::Unfinished { .. }
            | Event::Failed { .. }
            | Event::Waiting { .. }
            | Event::Done { .. } => {}
        }
    }
}

impl Told {
    fn step(&mut self, position: Position) -> &mut Step {
        &mut self.run.steps[position.number - 1]
    }

    fn begun(&mut self, tracker: &Tracker, has_file: bool) {
        self.start = Instant::now();
        self.run.start = SystemTime::now();
        if !tracker.is_recording() && !has_file {
            return;
        }
        let origin = tracker.origin(&self.run.pipeline, &self.root);
        self.run.user = origin.user;
        self.run.commit = origin.commit;
        self.run.id = origin.run;
        self.artifact = origin.page;
        self.tracker = Some(tracker.clone());
        self.write();
    }

    /// Finds out what has changed since the run before; a signal does not wait for a store.
    fn find_changes(&mut self, waits: bool) {
        let before = self.tracker.as_ref();
        let before = before.and_then(|tracker| tracker.before(waits));
        self.run.changes = before.map(|before| self.changes(before));
    }

    /// How the parameters differ from those of the run before, as far as both have the step.
    fn changes(&self, before: &Before) -> Changes {
        let mut parameters = changed("", &before.parameters, &self.parameters);
        for step in &self.run.steps {
            let mut tries = before.steps.iter().rev();
            if let Some((name, earlier)) = tries.find(|(name, _)| *name == step.name) {
                parameters.extend(changed(&format!("{name}."), earlier, &step.parameters));
            }
        }
        Changes {
            since: before.start(),
            parameters,
        }
    }

    fn attempted(&mut self, event: Event) {
        let Event::Attempted {
            position,
            start,
            time,
            result,
            log,
            metrics,
        } = event
        else {
            return;
        };
        let state = result.map_or_else(state, |()| State::Finished);
        let attempt = Attempt {
            start: start.saturating_duration_since(self.start),
            time,
            state,
        };
        self.logs[position.number - 1] = log.map(Path::to_owned);
        let step = self.step(position);
        step.state = state;
        step.ending = result.err().map(message);
        step.attempts.push(attempt);
        step.numbers = metrics.to_vec();
        if self
            .written
            .is_none_or(|written| written.elapsed() >= PAUSE)
        {
            self.write();
        }
    }

    fn ended(&mut self, state: State, error: Option<String>, file: Option<&Path>) {
        self.run.state = state;
        self.run.error = error;
        for step in &mut self.run.steps {
            // Stopped between two tries, or never begun.
            if step.state == State::Running {
                step.state = state;
            }
        }
        let Some(page) = self.write() else {
            return;
        };
        // What a signal has ended may end here a second time.
        self.tracker = None;
        if let Some(file) = file
            && let Err(error) = replace(file, page.as_bytes())
        {
            warn(&format!(
                "the report {} cannot be written: {error}",
                shown(file)
            ));
        }
        let place = file.or(self.artifact.as_deref());
        if let Some(place) = place.filter(|_| io::stderr().is_terminal()) {
            say(&format!("report: {}", shown(place)));
        }
    }

    /// Writes the page as it is now, and gives it; none if nobody wants one.
    fn write(&mut self) -> Option<String> {
        let tracker = self.tracker.as_ref()?;
        self.run.time = self.start.elapsed();
        for place in most_important(&self.run.steps) {
            let step = &mut self.run.steps[place];
            let lines = self.logs[place].as_deref().map(log::tail);
            let lines = lines.and_then(Result::ok).unwrap_or_default();
            step.last_lines = lines.iter().map(|line| redact(line)).collect();
            for (output, path) in step.outputs.iter_mut().zip(&self.outputs[place]) {
                let found = path.metadata().ok().filter(std::fs::Metadata::is_file);
                output.bytes = found.map(|found| found.len());
            }
        }
        let page = render(&self.run);
        tracker.write_page(page.clone());
        self.written = Some(Instant::now());
        Some(page)
    }
}

/// A step that has not begun.
fn step(planned: &PlannedStep, waits: &[usize], root: &Path) -> Step {
    let outputs = planned.files.outputs.iter().map(|file| {
        let path = file.path.strip_prefix(root).unwrap_or(&file.path);
        Output {
            name: file.name.clone(),
            path: redact(&path.to_string_lossy()),
            bytes: None,
        }
    });
    Step {
        name: redact(&planned.name),
        state: State::NotStarted,
        why: None,
        waits: waits.to_vec(),
        attempts: Vec::new(),
        numbers: Vec::new(),
        ending: None,
        command: redact(planned.shown_command.trim_end()),
        parameters: as_recorded(planned.parameters.iter().cloned()),
        environment: redact(&environment(&planned.environment)),
        variables: as_recorded(planned.variables.iter().cloned()),
        outputs: outputs.collect(),
        last_lines: Vec::new(),
    }
}

/// The parameters that are not what they were.
fn changed(prefix: &str, before: &[(String, String)], now: &[(String, String)]) -> Vec<Change> {
    let value = |pairs: &[(String, String)], name: &str| {
        let mut pairs = pairs.iter();
        pairs
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.clone())
    };
    let gone = before.iter().filter(|(name, _)| value(now, name).is_none());
    let names = now.iter().chain(gone).map(|(name, _)| name);
    let changes = names.map(|name| Change {
        name: format!("{prefix}{name}"),
        before: value(before, name),
        now: value(now, name),
    });
    changes
        .filter(|change| change.before != change.now)
        .collect()
}

/// What a failure makes of a step.
fn state(error: &RunError) -> State {
    let is_timeout =
        matches!(error, RunError::Failed(failure) if matches!(failure.cause, Cause::Timeout(_)));
    if is_timeout || error.signal().is_some() {
        State::Stopped
    } else {
        State::Failed
    }
}

/// What went wrong. What a step printed last stands elsewhere.
fn message(error: &RunError) -> String {
    let text = match error {
        RunError::Several(errors) => {
            let messages: Vec<String> = errors.iter().map(message).collect();
            return messages.join("\n");
        }
        RunError::Environments(_) => failure::text(error),
        error => {
            let mut text = format!("{error}\n");
            failure::causes(&mut text, std::error::Error::source(error), "");
            text
        }
    };
    redact(text.trim_end())
}
