//! Logs while they are written.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read};
use std::time::{Duration, Instant};

use super::TrackingError;
use super::leftover::is_written;
use super::look::{Records, is_of};
use super::past::PastRun;
use process::console::say;
use process::printable::one_line;

/// How long to wait for more of a log.
const PAUSE: Duration = Duration::from_millis(50);

/// How often the store is asked what runs now.
const LOOK: Duration = Duration::from_millis(500);

/// The logs of a pipeline's run, one after the other as they are written, up to its end.
#[derive(Debug)]
struct Follow {
    records: Records,
    /// The only step whose logs are wanted.
    step: Option<String>,
    /// The pipeline's run, as it was last seen.
    run: PastRun,
    log: Option<Log>,
    /// The runs whose logs were read, or are not wanted.
    seen: HashSet<String>,
    /// Whether no more logs will come.
    is_over: bool,
    /// When the store was asked; none if something has ended since then.
    looked: Option<Instant>,
}

/// A log that is read.
#[derive(Debug)]
struct Log {
    run: String,
    file: File,
    /// Whether nothing is added to it any more.
    is_complete: bool,
}

impl Records {
    /// The log of a step in the run that goes on, as it grows, or of the step that started last and those that
    /// start afterwards, to the end of the run; where none goes on, the newest log.
    ///
    /// It waits until there is a log. Errs as [`Records::newest_log`] does.
    pub fn follow(mut self, step: Option<&str>) -> Result<Box<dyn Read>, TrackingError> {
        let newest = self.runs(1, &|_| true)?.pop();
        let Some(run) = newest.filter(|run| self.goes_on(run)) else {
            return self.newest_log(step);
        };
        let mut follow = Follow {
            records: self,
            step: step.map(str::to_owned),
            run,
            log: None,
            seen: HashSet::new(),
            is_over: false,
            looked: None,
        };
        follow.skip_earlier()?;
        let mut is_told = false;
        loop {
            follow.look()?;
            if follow.log.is_some() {
                return Ok(Box::new(follow));
            }
            if follow.is_over {
                return follow.records.newest_log(step);
            }
            if let (Some(step), false) = (step, is_told) {
                is_told = true;
                say(&format!("waiting for step `{}`", one_line(step)));
            }
            std::thread::sleep(LOOK);
        }
    }

    /// Whether a run goes on, on this machine: one whose process was killed has no end in the store.
    fn goes_on(&self, run: &PastRun) -> bool {
        run.is_running() && is_written(self.root())
    }
}

impl Follow {
    /// Without a step's name, begins with the one that started last.
    fn skip_earlier(&mut self) -> Result<(), TrackingError> {
        if self.step.is_none() {
            let mut steps = self.steps()?;
            steps.pop();
            self.seen.extend(steps.into_iter().map(|run| run.id));
        }
        Ok(())
    }

    fn steps(&mut self) -> Result<Vec<PastRun>, TrackingError> {
        let mut steps = self.records.steps(&self.run)?;
        steps.retain(|run| is_of(run, self.step.as_deref()));
        Ok(steps)
    }

    /// Finds out what has become of the run, and which log is next.
    fn look(&mut self) -> Result<(), TrackingError> {
        self.looked = Some(Instant::now());
        self.records.refresh()?;
        let run = self.records.run(&self.run.id)?;
        let goes_on = run.as_ref().is_some_and(|run| self.records.goes_on(run));
        self.run = run.unwrap_or_else(|| std::mem::take(&mut self.run));
        let steps = self.steps()?;
        if let Some(log) = &mut self.log {
            let mut own = steps.iter().filter(|run| run.id == log.run);
            log.is_complete = !goes_on || own.any(|run| !run.is_running());
            return Ok(());
        }
        let next = steps.iter().find(|run| !self.seen.contains(&run.id));
        if let Some(next) = next
            && let Some(file) = self.records.local_log(next)?
        {
            self.seen.insert(next.id.clone());
            self.log = Some(Log {
                run: next.id.clone(),
                file,
                is_complete: !goes_on || !next.is_running(),
            });
            return Ok(());
        }
        // A step that failed may be tried again.
        let is_done = self.step.is_some() && steps.iter().any(PastRun::is_finished);
        self.is_over = !goes_on || is_done;
        Ok(())
    }
}

impl Read for Follow {
    /// Waits for more, and ends with the run.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some(log) = &mut self.log {
                let was_complete = log.is_complete;
                let count = log.file.read(buffer)?;
                if count > 0 {
                    return Ok(count);
                }
                if was_complete {
                    (self.log, self.looked) = (None, None);
                }
            } else if self.is_over {
                return Ok(0);
            }
            if self.looked.is_some() {
                std::thread::sleep(PAUSE);
            }
            let is_due = self.looked.is_none_or(|at| at.elapsed() >= LOOK);
            // A store that is away for a moment says nothing of the log.
            if is_due && self.look().is_err() && !is_written(self.records.root()) {
                (self.log, self.is_over) = (None, true);
            }
        }
    }
}
