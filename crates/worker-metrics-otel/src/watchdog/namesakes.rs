//! Threads that may have taken over a worker whose own thread is asleep.
//!
//! Tokio's `block_in_place` hands a worker to a thread of the blocking pool, which has the same
//! name as the workers. Asked only while a worker's thread sleeps, and nothing is concluded from
//! that yet.

use std::collections::HashMap;

use worker_metrics_thread_dump::{LookError, Thread, ThreadId, threads};

/// The threads of the same name as a worker's that are no known worker, since that one fell asleep.
#[derive(Debug, Default)]
pub(super) struct Namesakes {
    /// How often each had been given a CPU when it was first seen.
    since: Option<HashMap<ThreadId, u64>>,
    /// Whether one has run since.
    has_run: bool,
}

/// A process with more threads than that is not searched: another thread may have the worker.
const MOST_THREADS: usize = 4_096;

impl Namesakes {
    /// The worker's thread has run: whatever was seen says nothing any more.
    pub(super) fn forget(&mut self) {
        self.since = None;
        self.has_run = false;
    }

    /// Whether one of them has run since the first call after [`forget`](Self::forget).
    pub(super) fn have_run(&mut self, worker: &Thread, known: &[u32]) -> bool {
        if !self.has_run {
            self.has_run = self.look(worker, known).unwrap_or(true);
        }
        self.has_run
    }

    /// `None` if the threads cannot be seen.
    fn look(&mut self, worker: &Thread, known: &[u32]) -> Option<bool> {
        let name = worker.name()?;
        let all = threads().ok().filter(|all| all.len() <= MOST_THREADS)?;
        let mut now = HashMap::new();
        for id in all {
            if id == worker.id() || known.contains(&id.as_u32()) {
                continue;
            }
            let Ok(thread) = Thread::open(id) else { continue };
            if thread.name().is_none_or(|its| its != name) {
                continue;
            }
            match thread.look() {
                Ok(look) => drop(now.insert(id, look.time_slices)),
                Err(LookError::Ended) => {}
                Err(_) => return None,
            }
        }
        let Some(since) = &self.since else {
            self.since = Some(now);
            return Some(false);
        };
        Some(now.iter().any(|(id, slices)| since.get(id) != Some(slices)))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn a_thread_of_the_same_name_that_runs_may_have_the_worker() {
        let named = |run: Box<dyn FnOnce() + Send>| {
            std::thread::Builder::new().name("namesake".to_owned()).spawn(run).unwrap()
        };
        let (id, ids) = channel();
        let (stop, stopped) = channel::<()>();
        let (turn, turns) = channel::<()>();
        let (done, dones) = channel();
        let tell = id.clone();
        let worker = named(Box::new(move || {
            tell.send(ThreadId::current()).unwrap();
            let _ = stopped.recv();
        }));
        let worker_id = ids.recv().unwrap();
        let other = named(Box::new(move || {
            id.send(ThreadId::current()).unwrap();
            while turns.recv().is_ok() {
                done.send(()).unwrap();
            }
        }));
        let other_id = ids.recv().unwrap();
        if let (Ok(worker_id), Ok(other_id)) = (worker_id, other_id)
            && let Ok(thread) = Thread::open(worker_id)
        {
            // Both sleep for good once they have told their number.
            let asleep = |id| loop {
                let look = Thread::open(id).unwrap().look().unwrap();
                std::thread::yield_now();
                if Thread::open(id).unwrap().look().unwrap().has_not_run_since(&look) {
                    return;
                }
            };
            let mut namesakes = Namesakes::default();
            asleep(other_id);
            assert!(!namesakes.have_run(&thread, &[]));
            assert!(!namesakes.have_run(&thread, &[]));
            turn.send(()).unwrap();
            dones.recv().unwrap();
            assert!(!Namesakes::default().have_run(&thread, &[other_id.as_u32()]));
            assert!(namesakes.have_run(&thread, &[]));
            namesakes.forget();
            asleep(other_id);
            assert!(!namesakes.have_run(&thread, &[other_id.as_u32()]));
        }
        drop((stop, turn));
        worker.join().unwrap();
        other.join().unwrap();
    }
}
