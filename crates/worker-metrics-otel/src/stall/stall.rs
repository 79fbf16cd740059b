//! A stall of a worker, for a person to read.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use worker_metrics::{Identity, StallCause};
use worker_metrics_thread_dump::{Activity, Stack, ThreadId};

use super::proof::Proof;

/// A stall: the worker, since when, why, and in which code.
///
/// Reported while it goes on, as soon as it is proved, and once more when it has ended. Its
/// `Display` is a few lines that say all of it, without a newline at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stall {
    /// The runtime or pool.
    pub identity: Identity,
    /// The index of the worker.
    pub worker: usize,
    /// For how long it had been stalled when it was proved.
    pub age: Duration,
    /// For how long it was stalled, once it has ended.
    pub duration: Option<Duration>,
    /// Why.
    pub cause: StallCause,
    /// What proved it.
    pub proof: Proof,
    /// How much of the age was the thread's own time, waiting for a CPU left out, where the thread
    /// is known.
    pub own_time: Option<Duration>,
    /// The name of the worker's thread, where it is known.
    pub thread_name: Option<Arc<str>>,
    /// The number of the worker's thread in the system, where it is known.
    pub thread_id: Option<ThreadId>,
    /// What the thread was doing: its system call, and what that waits on. Absent where the thread
    /// is not known, or may not be looked at.
    pub activity: Option<Activity>,
    /// The group of the task that the worker polls, where the source knows it.
    pub task_group: Option<Arc<str>>,
    /// Where the task that the worker polls was spawned, where the source knows it.
    pub spawn_location: Option<&'static Location<'static>>,
    /// The stack of the thread, if it was blocked in a system call.
    pub stack: Option<Arc<Stack>>,
}

impl Stall {
    /// Whether the stall is over.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.duration.is_some()
    }

    /// The same stall, ended after `duration`.
    pub(crate) fn ended(&self, duration: Duration) -> Self {
        Self { duration: Some(duration), ..self.clone() }
    }

    /// The first line: which worker, for how long, and why.
    pub(crate) fn headline(&self) -> String {
        let Identity { namespace, id, name, .. } = &self.identity;
        let of = match name {
            Some(name) => format!("{name:?} ({namespace}, id {id})"),
            None => format!("{namespace} {id}"),
        };
        let (stuck_for, time) = match self.duration {
            None => ("has been stuck for", self.age),
            Some(duration) => ("was stuck for", duration),
        };
        format!("worker {} of {of} {stuck_for} {:.2} s: {}", self.worker, time.as_secs_f64(), self.cause)
    }

    /// The code to which this stall is laid: the topmost frames that are neither of the standard
    /// library nor of Tokio.
    pub(crate) fn code(&self) -> Option<String> {
        let stack = self.stack.as_ref()?;
        let functions: Vec<_> = stack.topmost().take(2).map(|frame| frame.label().to_string()).collect();
        (!functions.is_empty()).then(|| functions.join(" < "))
    }

    fn thread(&self) -> Option<String> {
        let thread = match (&self.thread_name, self.thread_id) {
            (Some(name), Some(id)) => Some(format!("{name:?} ({id})")),
            (Some(name), None) => Some(format!("{name:?}")),
            (None, id) => id.map(|id| id.to_string()),
        };
        joined([thread, self.activity.as_ref().map(ToString::to_string)])
    }

    fn task(&self) -> Option<String> {
        let group = self.task_group.as_ref().map(|group| format!("of the group {group:?}"));
        let location = self.spawn_location.map(|location| format!("spawned at {location}"));
        joined([group, location])
    }
}

fn joined<const N: usize>(parts: [Option<String>; N]) -> Option<String> {
    let known: Vec<_> = parts.into_iter().flatten().collect();
    (!known.is_empty()).then(|| known.join(", "))
}

impl fmt::Display for Stall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.headline())?;
        if let Some(own) = self.own_time.filter(|_| self.cause == StallCause::NoCpu) {
            write!(f, ", it ran for {:.2} s of that", own.as_secs_f64())?;
        }
        if let Some(thread) = self.thread() {
            write!(f, "\n  thread: {thread}")?;
        }
        if let Some(task) = self.task() {
            write!(f, "\n  task: {task}")?;
        }
        if let Some(stack) = self.stack.as_ref().filter(|_| !self.has_ended()) {
            f.write_str("\n  stack:")?;
            for line in stack.folded().to_string().lines() {
                write!(f, "\n    {line}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use worker_metrics::Namespace;

    use super::*;

    fn stall() -> Stall {
        Stall {
            identity: Identity::new(Namespace::WORKER_POOL, "7").with_name("render").with_workers(4),
            worker: 2,
            age: Duration::from_millis(1_254),
            duration: None,
            cause: StallCause::Lock,
            proof: Proof::Asleep,
            own_time: Some(Duration::from_millis(350)),
            thread_name: Some("render-2".into()),
            thread_id: Some(ThreadId::from_u32(4_711)),
            activity: None,
            task_group: Some("thumbnails".into()),
            spawn_location: None,
            stack: None,
        }
    }

    #[test]
    fn a_stall_reads_as_a_line_and_what_is_known_beside_it() {
        let mut stall = stall();
        assert_eq!(
            stall.to_string(),
            "worker 2 of \"render\" (worker_pool, id 7) has been stuck for 1.25 s: waiting for a lock\n  \
             thread: \"render-2\" (4711)\n  task: of the group \"thumbnails\""
        );
        assert_eq!(
            stall.ended(Duration::from_secs(3)).headline(),
            "worker 2 of \"render\" (worker_pool, id 7) was stuck for 3.00 s: waiting for a lock"
        );
        stall.identity.name = None;
        (stall.thread_name, stall.thread_id, stall.task_group) = (None, None, None);
        stall.cause = StallCause::NoCpu;
        assert_eq!(
            stall.to_string(),
            "worker 2 of worker_pool 7 has been stuck for 1.25 s: no CPU available, it ran for 0.35 s of that"
        );
        let here = Location::caller();
        stall.spawn_location = Some(here);
        assert!(stall.to_string().ends_with(&format!("\n  task: spawned at {here}")), "{stall}");
    }
}
