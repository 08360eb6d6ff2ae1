//! Steps that are jobs of Slurm: what of them is in a folder that the nodes share, how they have ended, and
//! what the queue says of those that wait.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use mlproject::paths::shown;
use plan::engine::slurm::{JobRequest, Submission, job_name};
use plan::request::Request;
use plan::{Plan, PlannedStep, ask_slurm};
use process::Interruption;
use process::console::warn;
use process::files::{is_on_local_disk, make_folder_in, open_folder};
use process::printable::one_line;

use super::Run;
use super::event::Event;

/// How long a network file system may take to show what another machine has written.
const LAG: Duration = Duration::from_mins(1);

/// How often it is looked again, for that and for the state of a job that ends.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// How long the state of a job may take to become its last one.
const COMPLETING: Duration = Duration::from_secs(5);

/// When the queue is looked at first, and how often from then on.
const FIRST_LOOK: Duration = Duration::from_secs(1);
const NEXT_LOOK: Duration = Duration::from_secs(10);

/// Makes the folder for what the nodes have to see, if a step runs on one.
pub(super) fn make_folder(plan: &Plan) -> io::Result<()> {
    if plan.steps.iter().all(|step| step.job.is_none()) {
        return Ok(());
    }
    let runs = plan.root.join("mlruns");
    fs::create_dir_all(&runs)?;
    let folder = make_folder_in(&open_folder(&runs)?, ".attempts")?;
    let name = plan.attempts.file_name().unwrap_or_default();
    make_folder_in(&folder, &name.to_string_lossy())?;
    Ok(())
}

/// Says which files the nodes may not see, or not reliably.
pub(super) fn warn_of_places(plan: &Plan, request: &Request, caller: &Path) {
    let is_here = |path: &Path| {
        let mut folders = path.ancestors();
        folders.find(|it| it.is_dir()).is_some_and(is_on_local_disk)
    };
    let jobs = plan.steps.iter().filter(|step| step.job.is_some());
    let has_made = |step: &PlannedStep| {
        step.environment.name.is_some() && step.environment.container().is_none()
    };
    // Where all is on one disk there may be one machine.
    if jobs.clone().next().is_none() || is_here(&plan.root) {
        return;
    }
    if let Some(store) = &plan.store
        && jobs.clone().any(has_made)
        && is_here(&store.root)
    {
        warn(&format!(
            "environments are made in {}, on a disk of this machine that nodes may not see; `--env-root DIR` names another folder",
            shown(&store.root)
        ));
    }
    let database = tracking::database(&request.tracking, &plan.root, caller);
    if let Some(database) = database.filter(|database| !is_here(database)) {
        warn(&format!(
            "{} is on a network file system: steps that log to MLflow themselves need a tracking server (`--tracking-uri http://HOST`)",
            shown(&database)
        ));
    }
}

/// Removes it.
pub(super) fn remove_folder(plan: &Plan) {
    fs::remove_dir_all(&plan.attempts).ok();
    // Unless another run has its own there.
    plan.attempts.parent().map(fs::remove_dir);
}

/// Waits until a file is there that a node has written; by then it is seen unless it does not exist.
pub(super) fn wait_for(file: &Path, interruption: &Interruption) -> bool {
    let folder = file.parent().unwrap_or(file);
    let lag = if is_on_local_disk(folder) {
        Duration::ZERO
    } else {
        LAG
    };
    // What may be there, but not for us to see, is taken to be.
    let is_there = || !matches!(file.try_exists(), Ok(false));
    until(lag, interruption, is_there)
}

fn until(limit: Duration, interruption: &Interruption, is_so: impl Fn() -> bool) -> bool {
    let deadline = Instant::now() + limit;
    loop {
        if is_so() {
            return true;
        }
        if Instant::now() >= deadline || interruption.pause(LOOK_AGAIN).is_some() {
            return false;
        }
    }
}

/// An attempt at a step as a job.
pub(super) struct Submitted<'a> {
    request: &'a JobRequest,
    name: String,
    witness: PathBuf,
    since: SystemTime,
}

/// What has become of a job.
#[derive(Debug, Default)]
pub(crate) struct Job {
    pub(crate) id: Option<String>,
    /// Slurm's word for how it ended, such as `NODE_FAIL`.
    pub(crate) state: Option<String>,
    /// How long it waited for a node.
    queued: Option<Duration>,
    /// Whether all of its tasks have told that they ended well.
    is_well: bool,
}

impl<'a> Submitted<'a> {
    /// None for a step that runs here.
    pub(super) fn new(step: &'a PlannedStep, plan: &Plan) -> Option<Submitted<'a>> {
        let key = tracking::new_key();
        let name = job_name(&step.name, &key[..8]);
        Some(Submitted {
            request: step.job.as_ref()?,
            witness: plan.attempts.join(&name),
            name,
            since: SystemTime::now(),
        })
    }

    pub(super) fn submission(&self) -> Submission<'_> {
        Submission {
            request: self.request,
            name: &self.name,
            witness: &self.witness,
        }
    }

    /// What has become of the job, of which `srun` says whether it ended well.
    pub(super) fn end(&self, is_well: bool, interruption: &Interruption) -> Job {
        let mut told = self.told();
        if is_well && told.is_none() && !is_on_local_disk(&self.witness_folder()) {
            // What is known to be lost is not waited for.
            let is_lost = self.state().is_some_and(|(_, state)| is_telling(&state));
            let is_told = || self.told().is_some();
            if !is_lost && until(LAG, interruption, is_told) {
                told = self.told();
            }
        }
        let mut job = told.map_or_else(Job::default, |told| told.job(self.since));
        job.is_well &= is_well;
        if job.is_well {
            job.state = Some("COMPLETED".to_owned());
        } else if interruption.signal().is_none() {
            self.look_back(&mut job);
            if is_well {
                self.cancel();
            }
        }
        job
    }

    fn witness_folder(&self) -> PathBuf {
        self.witness
            .parent()
            .map_or_else(PathBuf::new, Path::to_owned)
    }

    /// What the tasks of the job have told, if all of them have.
    fn told(&self) -> Option<Told> {
        let read = |task: usize| {
            let file = self.witness.with_added_extension(task.to_string());
            Told::parse(&fs::read_to_string(file).ok()?)
        };
        let mut told = read(0)?;
        for task in 1..told.tasks {
            let other = read(task)?;
            told.is_well &= other.is_well;
        }
        Some(told)
    }

    /// Finds out how a job ended that did not end well.
    fn look_back(&self, job: &mut Job) {
        if self.request.is_in_allocation {
            return;
        }
        let deadline = Instant::now() + COMPLETING;
        while let Some((id, state)) = self.state() {
            let is_last = !["COMPLETING", "RUNNING"].contains(&state.as_str());
            (job.id, job.state) = (Some(id), Some(state));
            if is_last || Instant::now() >= deadline {
                break;
            }
            std::thread::sleep(LOOK_AGAIN);
        }
    }

    /// Ends a job that is lost, and may still be somewhere.
    fn cancel(&self) {
        if !self.request.is_in_allocation {
            let user = format!("--user={}", rustix::process::getuid().as_raw());
            let name = format!("--name={}", self.name);
            let words = ["--quiet".to_owned(), user, name];
            ask_slurm(self.request, "scancel", |arguments| arguments.extend(words)).ok();
        }
    }

    /// The number and the state of the job, if Slurm still knows it.
    fn state(&self) -> Option<(String, String)> {
        let listed = ask_slurm(self.request, "squeue", |arguments| {
            let name = format!("--name={}", self.name);
            let words = ["--noheader", "--states=all", &name, "--format=%i %T %r"];
            arguments.extend(words.map(str::to_owned));
        });
        let listed = String::from_utf8(listed.ok()?.stdout).ok()?;
        let mut words = listed.split_whitespace();
        let (id, state, reason) = (words.next()?, words.next()?, words.next());
        Some((id.to_owned(), named(state, reason).to_owned()))
    }
}

/// The state of a job that has ended; its reason tells as long as the node tidies up.
fn named<'a>(state: &'a str, reason: Option<&str>) -> &'a str {
    match (state, reason) {
        ("COMPLETING", Some("NodeDown")) => "NODE_FAIL",
        ("COMPLETING", Some("TimeLimit")) => "TIMEOUT",
        ("COMPLETING", Some("OutOfMemory")) => "OUT_OF_MEMORY",
        ("COMPLETING", Some("NonZeroExitCode")) => "FAILED",
        _ => state,
    }
}

/// Whether a state says more than that the command has failed.
pub(crate) fn is_telling(state: &str) -> bool {
    ![
        "FAILED",
        "COMPLETED",
        "COMPLETING",
        "RUNNING",
        "PENDING",
        "CONFIGURING",
    ]
    .contains(&state)
}

impl Job {
    /// Whether nothing is known of the end of a command with which `srun` was content.
    pub(super) fn is_lost(&self) -> bool {
        !self.is_well
    }

    /// Its number and its state in words, if that says more than an exit code; and where there `is_none`.
    pub(super) fn shown(&self, is_none: bool) -> Option<String> {
        let state = self.state.as_deref();
        let state = state.filter(|state| is_none || is_telling(state))?;
        let id = self.id.as_deref().unwrap_or_default();
        Some(format!("its job {id} is {state}"))
    }

    /// Whether its time was over.
    pub(super) fn timed_out(&self) -> bool {
        self.state.as_deref() == Some("TIMEOUT")
    }

    pub(super) fn tags(&self) -> Vec<(String, String)> {
        let named = [
            ("pipeline.slurm_job_id", &self.id),
            ("pipeline.slurm_state", &self.state),
        ];
        let tags = named.into_iter();
        tags.filter_map(|(name, value)| Some((name.to_owned(), value.clone()?)))
            .collect()
    }

    pub(super) fn metrics(&self) -> Vec<(String, f64)> {
        let queued = self.queued.iter();
        queued
            .map(|queued| ("queued_seconds".to_owned(), queued.as_secs_f64()))
            .collect()
    }
}

/// What a node has told of the end of a command.
#[derive(Debug, PartialEq)]
struct Told {
    is_well: bool,
    tasks: usize,
    job: String,
    /// When it began, in seconds since 1970.
    start: f64,
}

impl Told {
    /// A line of the exit code, the number of tasks, the job's number, and the time of the start, which bash
    /// writes with the comma of the user's language.
    fn parse(text: &str) -> Option<Told> {
        let mut words = text.split_whitespace();
        let code: u8 = words.next()?.parse().ok()?;
        let tasks = words.next()?.parse().ok()?;
        let job = words.next()?;
        let start = words.next()?.replace(',', ".").parse().ok()?;
        let is_number = job.bytes().all(|byte| byte.is_ascii_digit());
        (is_number && text.ends_with('\n')).then(|| Told {
            is_well: code == 0,
            tasks,
            job: job.to_owned(),
            start,
        })
    }

    fn job(self, submitted: SystemTime) -> Job {
        let submitted = submitted
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        // Clocks of two machines differ a little.
        let queued = (self.start - submitted.as_secs_f64()).max(0.0);
        Job {
            id: Some(self.job),
            state: None,
            queued: Duration::try_from_secs_f64(queued).ok(),
            is_well: self.is_well,
        }
    }
}

/// The jobs whose end is waited for, by their names.
#[derive(Debug, Default)]
pub(super) struct Queue {
    jobs: Mutex<BTreeMap<String, Waiting>>,
}

#[derive(Debug, Clone)]
struct Waiting {
    /// The step by its number.
    step: usize,
    /// Whether it was told that the job waits.
    is_told: bool,
}

impl Queue {
    /// From here on it is told when the job waits, and where it runs then.
    pub(super) fn enter(&self, submitted: &Submitted, step: usize) {
        let waiting = Waiting {
            step,
            is_told: false,
        };
        self.jobs().insert(submitted.name.clone(), waiting);
    }

    pub(super) fn leave(&self, submitted: &Submitted) {
        self.jobs().remove(&submitted.name);
    }

    fn jobs(&self) -> MutexGuard<'_, BTreeMap<String, Waiting>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Run<'_> {
    /// Tells of the jobs that wait, until the other end of the channel is gone.
    pub(super) fn watch_queue(&self, over: &Receiver<()>) {
        let jobs = self.plan.steps.iter().filter_map(|step| step.job.as_ref());
        let Some(request) = jobs.into_iter().find(|job| !job.is_in_allocation) else {
            return;
        };
        let mut pause = FIRST_LOOK;
        while over.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
            if self.queue.jobs().is_empty() {
                continue;
            }
            pause = NEXT_LOOK;
            let user = rustix::process::getuid().as_raw();
            let listed = ask_slurm(request, "squeue", |arguments| {
                let user = format!("--user={user}");
                let words = [
                    "--noheader",
                    &user,
                    "--states=PENDING,RUNNING",
                    "--format=%j|%T|%r|%N",
                ];
                arguments.extend(words.map(str::to_owned));
            });
            if let Ok(listed) = listed {
                self.tell_queue(&String::from_utf8_lossy(&listed.stdout));
            }
        }
    }

    fn tell_queue(&self, listed: &str) {
        for line in listed.lines() {
            let mut fields = line.split('|');
            let (Some(name), Some(state), Some(reason), Some(node)) =
                (fields.next(), fields.next(), fields.next(), fields.next())
            else {
                continue;
            };
            let mut jobs = self.queue.jobs();
            let Some(job) = jobs.get_mut(name) else {
                continue;
            };
            let position = self.position(job.step);
            match (state, job.is_told) {
                ("PENDING", false) => {
                    job.is_told = true;
                    let reason = &one_line(reason);
                    (self.tell)(Event::Queued { position, reason });
                }
                ("RUNNING", true) => {
                    job.is_told = false;
                    let node = &one_line(node);
                    (self.tell)(Event::OnNode { position, node });
                }
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_tells_a_whole_line() {
        let told = |is_well, tasks, start| {
            let job = "17".to_owned();
            Some(Told {
                is_well,
                tasks,
                job,
                start,
            })
        };
        for (text, expected) in [
            (
                "0 1 17 1700000000.250000\n",
                told(true, 1, 1_700_000_000.25),
            ),
            ("0 4 17 1700000000,25\n", told(true, 4, 1_700_000_000.25)),
            ("3 1 17 1700000000\n", told(false, 1, 1_700_000_000.0)),
            ("0 1 17 1700000000", None),
            ("0 1 17\n", None),
            ("256 1 17 1\n", None),
            ("0 1 1x 1\n", None),
            ("", None),
        ] {
            assert_eq!(Told::parse(text), expected, "{text:?}");
        }
    }

    #[test]
    fn the_state_is_told_by_the_reason_while_the_node_tidies_up() {
        assert_eq!(named("COMPLETING", Some("TimeLimit")), "TIMEOUT");
        assert_eq!(named("COMPLETING", Some("None")), "COMPLETING");
        assert_eq!(named("NODE_FAIL", Some("NodeDown")), "NODE_FAIL");
        assert!(is_telling("PREEMPTED") && !is_telling("FAILED"));
    }
}
