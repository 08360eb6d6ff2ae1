//! How an attempt at a step ended, if not well.

use std::fmt;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use process::Unwritten;
use process::text::{describe, seconds, signal_name};

/// An attempt at a step that did not succeed.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) step: String,
    pub(crate) command: String,
    pub(crate) cause: Cause,
    /// Why its output could not be passed on, if that is so.
    pub(crate) unwritten: Option<Unwritten>,
    /// What has become of its job, in words, if it was one of a cluster and that says more than the cause.
    pub(crate) job: Option<String>,
    pub(crate) duration: Duration,
    pub(crate) log: PathBuf,
    pub(crate) last_lines: Vec<String>,
    /// Whether somebody has just seen them.
    pub(crate) was_seen: bool,
    /// Whether the next run could leave out what is finished, and was not asked to.
    pub(crate) is_resumable: bool,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Cause {
    /// The command ended like this.
    Status(ExitStatus),
    /// It was stopped after this time.
    Timeout(Duration),
    /// We were asked to stop by this signal; the step's processes have ended.
    Interruption(i32),
    /// Its supervisor was killed and ended like this; the step's processes were ended by us.
    Supervisor(ExitStatus),
    /// Nobody has told how it ended, as when the node of a cluster has died.
    Lost,
    /// It succeeded, but what it printed could not be passed on.
    Unwritten(Unwritten),
}

impl std::error::Error for Failure {}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (step, time) = (&self.step, seconds(self.duration));
        match self.cause {
            Cause::Status(status) => {
                write!(formatter, "step `{step}` {} after {time}", describe(status))?;
                self.job
                    .iter()
                    .try_for_each(|job| write!(formatter, ": {job}"))
            }
            Cause::Lost => {
                let job = self.job.as_deref().unwrap_or("nothing is known of its job");
                write!(formatter, "step `{step}` was lost after {time}: {job}")
            }
            Cause::Timeout(timeout) => {
                let timeout = humantime::format_duration(timeout);
                write!(
                    formatter,
                    "step `{step}` was stopped after its timeout of {timeout}"
                )
            }
            Cause::Interruption(signal) => {
                let signal = signal_name(signal);
                write!(
                    formatter,
                    "stopped by {signal} while step `{step}` was running"
                )
            }
            Cause::Supervisor(status) => {
                let ended = describe(status);
                write!(
                    formatter,
                    "the supervisor of step `{step}` {ended} after {time}"
                )
            }
            Cause::Unwritten(unwritten) => {
                write!(formatter, "step `{step}` succeeded, but {unwritten}")
            }
        }
    }
}

impl Failure {
    /// The signal to us by which it was stopped.
    pub(crate) fn signal(&self) -> Option<i32> {
        match self.cause {
            Cause::Interruption(signal) => Some(signal),
            _ => None,
        }
    }

    /// The exit code of the command, if that ended by itself.
    pub(crate) fn code(&self) -> Option<i32> {
        match self.cause {
            Cause::Status(status) => status.code(),
            _ => None,
        }
    }
}
