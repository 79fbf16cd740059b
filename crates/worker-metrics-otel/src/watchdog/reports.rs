//! What the watchdog says: to the log, and to the program's callbacks.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant, SystemTime};

use opentelemetry::otel_warn;
use worker_metrics::Identity;

use super::event::{Ended, Event, Proved};
use super::limit::Limit;
use super::source::WatchedSource;
use super::thread::Emit;
use super::witness::{Testimony, Witness};
use crate::options::Watchdog;
use crate::stall::{Stall, StallRecord};

/// Reports the events of a watchdog, on a thread of its own: names take their time, and so may a
/// callback, in which the watchdog goes on looking.
pub(super) struct Reports {
    watchdog: Watchdog,
    witness: Witness,
    emit: Emit,
    limit: Limit,
    has_panicked: bool,
    /// The stalls that were reported, and go on.
    ongoing: HashMap<(String, usize), Ongoing>,
    /// When each worker's long polls were last reported.
    long_polls: HashMap<(String, usize), Instant>,
}

struct Ongoing {
    stall: Arc<Stall>,
    serial: u64,
    source: Weak<WatchedSource>,
    is_in_full: bool,
}

/// Time after which it is looked at what is due without an event.
const TICK: Duration = Duration::from_secs(1);
/// Time between two reports of the long polls of one worker.
const LONG_POLLS_AGAIN: Duration = Duration::from_secs(600);
/// Workers whose last report is remembered.
const MOST_WORKERS: usize = 1_024;

/// A line of the log about a stall: the macro below wants its name as a literal.
macro_rules! warn_of {
    ($name:literal, $stall:expr, $message:expr) => {
        otel_warn!(
            name: $name,
            namespace = $stall.identity.namespace.to_string(),
            id = $stall.identity.id.clone(),
            worker = $stall.worker.to_string(),
            cause = $stall.cause.as_str(),
            message = $message
        )
    };
}

impl Reports {
    pub(super) fn new(watchdog: Watchdog, emit: Emit) -> Self {
        Self {
            witness: Witness::new(watchdog.is_discreet()),
            watchdog,
            emit,
            limit: Limit::default(),
            has_panicked: false,
            ongoing: HashMap::new(),
            long_polls: HashMap::new(),
        }
    }

    /// Reports all that comes, until no more can come.
    pub(super) fn run(mut self, events: &Receiver<Event>) {
        loop {
            match events.recv_timeout(TICK) {
                Ok(event) => self.report(event, Instant::now()),
                // Whatever has ended is reported.
                Err(RecvTimeoutError::Timeout) => {
                    self.ongoing.retain(|_, ongoing| ongoing.source.strong_count() > 0);
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
            self.tick(Instant::now());
        }
    }

    fn report(&mut self, event: Event, now: Instant) {
        match event {
            Event::Begun(proved) => self.begun(*proved, now),
            Event::Ended(ended) => self.ended(&ended),
            Event::LongPolls { identity, worker, own_time } => {
                self.long_polls(&identity, worker, own_time, now);
            }
        }
    }

    fn begun(&mut self, proved: Proved, now: Instant) {
        let Proved { identity, source, worker, serial, at, begun, info, thread_id, sight } = proved;
        let testimony = self.witness.name(sight);
        let attached = source.upgrade();
        let settled = begun.doubt.map_or(Some(true), |doubt| testimony.settles(doubt));
        if settled != Some(true) {
            if let Some(source) = attached {
                source.take_back(worker, serial, settled == Some(false));
            }
            return;
        }
        let cause = testimony.cause(begun.doing);
        if let Some(source) = attached {
            source.count(worker, serial, cause);
        }
        let thread_name = info.thread_name.or_else(|| testimony.thread_name());
        let Testimony { activity, stack } = testimony;
        let key = worker_of(&identity, worker);
        let stall = Arc::new(Stall {
            identity,
            worker,
            age: begun.age,
            duration: None,
            cause,
            proof: begun.proof,
            own_time: begun.own_time,
            thread_name,
            thread_id,
            activity,
            task_group: info.task_group,
            spawn_location: info.spawn_location,
            stack,
        });
        let is_in_full = self.limit.admits(now, || stall.code());
        self.ongoing.insert(key, Ongoing { stall: stall.clone(), serial, source, is_in_full });
        if is_in_full {
            warn_of!("WorkerMetrics.WorkerStalled", stall, stall.to_string());
            self.emit(&stall, at);
        }
        self.call(|watchdog| watchdog.call(&stall));
    }

    fn ended(&mut self, ended: &Ended) {
        let &Ended { ref identity, worker, serial, at, duration } = ended;
        let key = worker_of(identity, worker);
        // One that was taken back is none.
        if self.ongoing.get(&key).is_none_or(|ongoing| ongoing.serial != serial) {
            return;
        }
        let Some(ongoing) = self.ongoing.remove(&key) else { return };
        let Ongoing { stall, source, is_in_full, .. } = ongoing;
        if let Some(source) = source.upgrade() {
            source.measure(worker, stall.cause, duration);
        }
        let stall = stall.ended(duration);
        if is_in_full {
            warn_of!("WorkerMetrics.WorkerStallEnded", stall, stall.headline());
            self.emit(&stall, at);
        }
        self.call(|watchdog| watchdog.call_at_end(&stall));
    }

    /// What is due without an event.
    fn tick(&mut self, now: Instant) {
        if let Some(summary) = self.limit.summary(now) {
            otel_warn!(name: "WorkerMetrics.MoreWorkersStalled", message = summary.clone());
        }
    }

    /// Sends the stall as a log record; a logger of the program's may panic.
    fn emit(&mut self, stall: &Stall, at: SystemTime) {
        if self.watchdog.sends_records() {
            let record = StallRecord::of(stall, at);
            // It is logged already.
            let _ = catch_unwind(AssertUnwindSafe(|| (self.emit)(&record)));
        }
    }

    fn call(&mut self, call: impl FnOnce(&Watchdog)) {
        let called = catch_unwind(AssertUnwindSafe(|| call(&self.watchdog)));
        if called.is_err() && !std::mem::replace(&mut self.has_panicked, true) {
            otel_warn!(
                name: "WorkerMetrics.StallCallbackPanicked",
                message = "The callback of the watchdog panicked. It is called again at the next stall; this is not said again."
            );
        }
    }

    fn long_polls(&mut self, identity: &Identity, worker: usize, own_time: Duration, now: Instant) {
        let key = worker_of(identity, worker);
        let is_due =
            self.long_polls.get(&key).is_none_or(|at| now.saturating_duration_since(*at) >= LONG_POLLS_AGAIN);
        if !is_due {
            return;
        }
        if self.long_polls.len() >= MOST_WORKERS {
            self.long_polls.clear();
        }
        self.long_polls.insert(key, now);
        otel_warn!(
            name: "WorkerMetrics.PollsTooLong",
            namespace = identity.namespace.to_string(),
            id = identity.id.clone(),
            worker = worker.to_string(),
            own_time_seconds = own_time.as_secs_f64(),
            message = "The worker's polls are too long, though none is stuck: again and again it computes for that long before it looks \
                       at sockets, timers and the tasks of others. Split the work, or move it to spawn_blocking."
        );
    }
}

/// What tells a worker from all others.
fn worker_of(identity: &Identity, worker: usize) -> (String, usize) {
    (format!("{} {}", identity.namespace, identity.id), worker)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, TryRecvError, channel};

    use worker_metrics::{Namespace, StallCause, WorkerInfo};

    use super::*;
    use crate::stall::{Begun, Doing, Doubt, Proof};
    use crate::watchdog::witness::Sight;

    const SECOND: Duration = Duration::from_secs(1);

    fn reports() -> (Reports, Receiver<Stall>) {
        let (begun, stalls) = channel();
        let ended = begun.clone();
        let watchdog = Watchdog::default()
            .on_stall(move |stall| begun.send(stall.clone()).unwrap())
            .on_stall_end(move |stall| ended.send(stall.clone()).unwrap());
        (Reports::new(watchdog, Box::new(|_| {})), stalls)
    }

    fn identity() -> Identity {
        Identity::new(Namespace::TOKIO, "7").with_workers(1)
    }

    fn begun(serial: u64, doubt: Option<Doubt>) -> Event {
        let begun = Begun { proof: Proof::Asleep, age: SECOND, own_time: None, doing: Doing::Running, doubt };
        Event::Begun(Box::new(Proved {
            identity: identity(),
            source: Weak::new(),
            worker: 0,
            serial,
            at: SystemTime::UNIX_EPOCH,
            begun,
            info: WorkerInfo::default().with_thread_name("main"),
            thread_id: None,
            sight: Sight::default(),
        }))
    }

    fn ended(serial: u64) -> Event {
        let (identity, at) = (identity(), SystemTime::UNIX_EPOCH);
        Event::Ended(Ended { identity, worker: 0, serial, at, duration: 2 * SECOND })
    }

    #[test]
    fn a_stall_is_reported_and_so_is_its_end_though_its_source_is_gone() {
        let (mut reports, stalls) = reports();
        let now = Instant::now();
        reports.report(begun(1, None), now);
        let stall = stalls.try_recv().unwrap();
        assert_eq!((stall.cause, stall.thread_name.as_deref()), (StallCause::Computing, Some("main")));
        assert!(!stall.has_ended());
        reports.report(ended(1), now);
        assert_eq!(stalls.try_recv().unwrap(), stall.ended(2 * SECOND));
        reports.report(ended(1), now);
        assert_eq!(stalls.try_recv(), Err(TryRecvError::Empty));
    }

    #[test]
    fn a_stall_without_a_driver_is_none_and_has_no_end() {
        let (mut reports, stalls) = reports();
        let now = Instant::now();
        reports.report(begun(1, Some(Doubt::Driver)), now);
        reports.report(ended(1), now);
        assert_eq!(stalls.try_recv(), Err(TryRecvError::Empty));
        reports.report(begun(2, None), now);
        reports.report(ended(1), now);
        assert!(!stalls.try_recv().unwrap().has_ended());
        assert_eq!(stalls.try_recv(), Err(TryRecvError::Empty), "the end of another one");
    }
}
