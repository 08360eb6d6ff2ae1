//! The recorder on a thread of its own, which does what it is told in order: of a run only what needs an
//! answer waits for the store.

use std::io;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use super::recorder::Recorder;

/// Something to be done. There is no recorder any more after the end of the run.
type Work = Box<dyn FnOnce(&mut Option<Recorder>) + Send>;

/// Whom to tell. Clones tell the same thread.
#[derive(Debug, Clone)]
pub(crate) struct RecorderThread(Sender<Work>);

/// What became of work that nobody could wait for any longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    /// It is going on.
    Begun,
    /// It will not be done.
    Refused,
}

impl RecorderThread {
    pub(crate) fn start(recorder: Recorder) -> io::Result<RecorderThread> {
        let (sender, works) = channel::<Work>();
        let run = move || {
            let mut recorder = Some(recorder);
            for work in works {
                work(&mut recorder);
            }
        };
        std::thread::Builder::new()
            .name("recorder".into())
            .spawn(run)?;
        Ok(RecorderThread(sender))
    }

    /// Has something done, at some time.
    pub(crate) fn tell(&self, work: impl FnOnce(&mut Recorder) + Send + 'static) {
        // A thread that has panicked said so.
        self.0
            .send(Box::new(|recorder| {
                recorder.as_mut().map(work);
            }))
            .ok();
    }

    /// Has something done and waits for its result; none after the end of the run.
    pub(crate) fn ask<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Recorder) -> T + Send + 'static,
    ) -> Option<T> {
        let (answer, answered) = channel();
        self.tell(move |recorder| drop(answer.send(work(recorder))));
        answered.recv().ok()
    }

    /// Has the last thing done and waits for its end.
    pub(crate) fn end(&self, work: impl FnOnce(Recorder) + Send + 'static) {
        self.end_within(Duration::MAX, Duration::MAX, work);
    }

    /// Has the last thing done if that can begin soon, and waits for it no longer than a time.
    pub(crate) fn end_within(
        &self,
        aside: Duration,
        time: Duration,
        work: impl FnOnce(Recorder) + Send + 'static,
    ) -> Outcome {
        let (begins, has_begun) = channel();
        let (ends, has_ended) = channel::<()>();
        let last = move |recorder: &mut Option<Recorder>| {
            // Else nobody waits for it any more, and has done without it.
            if begins.send(()).is_ok() {
                recorder.take().map(work);
                ends.send(()).ok();
            }
        };
        self.0.send(Box::new(last)).ok();
        if has_begun.recv_timeout(aside).is_err() {
            return Outcome::Refused;
        }
        match has_ended.recv_timeout(time) {
            Ok(()) => Outcome::Done,
            Err(_) => Outcome::Begun,
        }
    }
}
