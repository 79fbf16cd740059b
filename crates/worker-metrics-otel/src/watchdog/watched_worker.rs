//! One worker as the watchdog sees it: what its source says, and what the system says of its
//! thread.

use std::time::{Duration, Instant};

use worker_metrics::{Evidence, Source, WorkerSnapshot, WorkerState};
use worker_metrics_thread_dump::{Look, Thread};

use super::namesakes::Namesakes;
use super::worker_thread::{Found, WorkerThread};
use crate::stall::{Observation, Sleep};

/// What is kept of one worker from one look to the next.
#[derive(Debug, Default)]
pub(super) struct WatchedWorker {
    thread: WorkerThread,
    /// The thread that the source named last, of a parked worker as well.
    thread_id: Option<u32>,
    namesakes: Namesakes,
    stated: Stated,
}

/// The progress of a worker whose source has states, and no evidence.
#[derive(Debug, Default)]
struct Stated {
    progress: u64,
    age: Duration,
}

impl WatchedWorker {
    /// Looks at the worker and its thread. `sleep` is what the looks before have found, and `known`
    /// the threads of all workers.
    pub(super) fn look(
        &mut self,
        source: &dyn Source,
        worker: usize,
        sleep: Sleep,
        known: &[u32],
    ) -> Option<Observation> {
        let evidence = source.evidence(worker)?;
        let mut seen = observation(&evidence);
        self.thread_id = evidence.thread_id;
        if sleep == Sleep::None {
            self.namesakes.forget();
        }
        if !evidence.is_running {
            return Some(seen);
        }
        match self.thread.look(evidence.thread_id) {
            Found::Ended if evidence.poll_age.is_none() => seen.is_running = false,
            Found::Ended | Found::Unknown => {}
            Found::Look(look) => {
                // The worker has got on in between: the look may be that of another poll.
                let after = source.evidence(worker)?;
                if after.progress == evidence.progress && after.thread_id == evidence.thread_id {
                    seen.thread = Some(look);
                } else {
                    seen = observation(&after);
                }
            }
        }
        // All threads of the process are searched: only as long as the answer matters.
        if sleep == Sleep::InDoubt
            && !evidence.is_current
            && seen.thread.is_some()
            && let Some(thread) = self.thread.thread()
        {
            seen.may_be_elsewhere = self.namesakes.have_run(thread, known);
        }
        Some(seen)
    }

    /// What a snapshot says of a worker whose source gives no evidence: the state that it reports
    /// is taken for proved.
    pub(super) fn stated(&mut self, snapshot: &WorkerSnapshot, at: Instant) -> Observation {
        let age = snapshot.progress_age.unwrap_or_default();
        let is_stalled = snapshot.state == Some(WorkerState::Stalled);
        // An age that has fallen says that the worker published in between.
        if age < self.stated.age {
            self.stated.progress += 1;
        }
        self.stated.age = age;
        Observation {
            at,
            is_running: is_stalled,
            is_driven: Some(true),
            progress: self.stated.progress,
            // Whatever the threshold of the instrumentation: the source has its own.
            poll_age: Some(age),
            thread: None,
            may_be_elsewhere: false,
        }
    }

    /// The thread of the worker, and what it does now.
    pub(super) fn thread(&self) -> Option<(&Thread, Look)> {
        let thread = self.thread.thread()?;
        Some((thread, thread.look().ok()?))
    }

    pub(super) fn thread_id(&self) -> Option<u32> {
        self.thread_id
    }
}

fn observation(evidence: &Evidence) -> Observation {
    Observation {
        at: Instant::now(),
        is_running: evidence.is_running,
        is_driven: evidence.is_driven,
        progress: evidence.progress,
        poll_age: evidence.poll_age,
        thread: None,
        may_be_elsewhere: false,
    }
}
