//! A worker in a dump.

use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use worker_metrics::{Source, StallCause, WorkerInfo, WorkerSnapshot, WorkerState};
use worker_metrics_thread_dump::{Activity, Call, Stack, Thread, ThreadId};

use crate::stall::Doing;
use crate::watchdog::{Sight, Testimony, Witness};

/// A worker at one moment. What is not known is absent.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct WorkerDump {
    /// Its index.
    pub worker: usize,
    /// What it is doing, as the metrics say.
    #[cfg_attr(feature = "serde", serde(serialize_with = "as_state"))]
    pub state: Option<WorkerState>,
    /// Time for which it has published nothing while it ran.
    #[cfg_attr(feature = "serde", serde(serialize_with = "as_seconds"))]
    pub progress_age: Option<Duration>,
    /// Age of the poll in progress, where that is known exactly.
    #[cfg_attr(feature = "serde", serde(serialize_with = "as_seconds"))]
    pub poll_age: Option<Duration>,
    /// What keeps a worker that runs from getting on, if it does not.
    #[cfg_attr(feature = "serde", serde(serialize_with = "as_cause"))]
    pub cause: Option<StallCause>,
    /// Tasks in its queue.
    pub local_queue_size: Option<u64>,
    /// The name of its thread.
    pub thread_name: Option<Arc<str>>,
    /// The number of its thread in the system.
    pub thread_id: Option<ThreadId>,
    /// What the thread does: its system call, and what that waits on.
    pub activity: Option<Activity>,
    /// The group of the task in progress.
    pub task_group: Option<Arc<str>>,
    /// Where the task in progress was spawned.
    #[cfg_attr(feature = "serde", serde(serialize_with = "as_location"))]
    pub spawn_location: Option<&'static Location<'static>>,
    /// The stack of the thread, if it is blocked in a system call.
    pub stack: Option<Arc<Stack>>,
}

impl WorkerDump {
    /// The worker as it is now, without what needs names, and what there is to see of its thread.
    pub(super) fn see(
        source: &dyn Source,
        worker: usize,
        snapshot: &WorkerSnapshot,
        witness: &mut Witness,
    ) -> (Self, Sight) {
        let evidence = source.evidence(worker).unwrap_or_default();
        let thread = evidence.thread_id.and_then(|id| Thread::open(ThreadId::from_u32(id)).ok());
        let look = thread.as_ref().and_then(|thread| thread.look().ok());
        let sight = match (&thread, &look) {
            (Some(thread), Some(look)) => witness.see(thread, look),
            _ => Sight::default(),
        };
        let WorkerInfo { thread_name, task_group, spawn_location, .. } = source.worker_info(worker);
        let is_running = snapshot.state.is_some_and(|state| state != WorkerState::Idle);
        let dump = Self {
            worker,
            state: snapshot.state,
            progress_age: snapshot.progress_age.filter(|_| is_running),
            poll_age: evidence.poll_age.filter(|_| is_running),
            cause: None,
            local_queue_size: snapshot.local_queue_depth,
            thread_name,
            thread_id: thread.map(|thread| thread.id()),
            activity: None,
            task_group,
            spawn_location,
            stack: None,
        };
        (dump, sight)
    }

    /// Adds what was seen of the thread, with its names.
    pub(super) fn name(&mut self, testimony: Testimony) {
        let doing = match testimony.activity.as_ref().map(|activity| activity.look.call) {
            Some(Call::In(_)) => Doing::Blocked,
            Some(Call::Running | Call::Kernel) => Doing::Running,
            None => Doing::Unknown,
        };
        let is_running = self.state.is_some_and(|state| state != WorkerState::Idle);
        self.cause = (is_running && doing != Doing::Unknown).then(|| testimony.cause(doing));
        self.thread_name = self.thread_name.take().or_else(|| testimony.thread_name());
        self.activity = testimony.activity;
        self.stack = testimony.stack;
    }
}

#[cfg(feature = "serde")]
mod serialized {
    use std::time::{SystemTime, UNIX_EPOCH};

    use serde::{Serialize, Serializer};

    use super::{Duration, Location, StallCause, WorkerState};

    pub(in crate::dump) fn as_seconds<S: Serializer>(
        time: &Option<Duration>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        time.map(|time| time.as_secs_f64()).serialize(to)
    }

    pub(in crate::dump) fn as_unix_seconds<S: Serializer>(
        time: &SystemTime,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64().serialize(to)
    }

    pub(in crate::dump) fn as_cause<S: Serializer>(
        cause: &Option<StallCause>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        cause.map(StallCause::as_str).serialize(to)
    }

    pub(in crate::dump) fn as_state<S: Serializer>(
        state: &Option<WorkerState>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        state.map(super::state).serialize(to)
    }

    pub(in crate::dump) fn as_location<S: Serializer>(
        location: &Option<&'static Location<'static>>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        location.map(ToString::to_string).serialize(to)
    }
}

#[cfg(feature = "serde")]
pub(super) use serialized::{as_cause, as_location, as_seconds, as_state, as_unix_seconds};

/// The value that the attribute of the state has.
pub(super) fn state(state: WorkerState) -> &'static str {
    match state {
        WorkerState::Idle => "idle",
        WorkerState::Stalled => "stalled",
        _ => "busy",
    }
}
