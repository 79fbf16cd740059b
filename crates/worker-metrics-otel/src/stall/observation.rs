//! What one look at a worker saw: all that its stalls are judged by.

use std::time::{Duration, Instant};

use worker_metrics_thread_dump::Look;

/// One look at a worker, and at its thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Observation {
    pub(crate) at: Instant,
    /// Whether the worker runs: it is not parked, and its thread exists.
    pub(crate) is_running: bool,
    /// Whether some thread drives the worker, where that is known.
    pub(crate) is_driven: Option<bool>,
    /// Equal at two looks: no sign of life in between.
    pub(crate) progress: u64,
    /// The exact age of the poll in progress, where it is known.
    pub(crate) poll_age: Option<Duration>,
    /// What the system says of the thread. `None` where the thread is not known, or cannot be
    /// looked at.
    pub(crate) thread: Option<Look>,
    /// Whether another thread may have taken the worker over since it fell asleep.
    pub(crate) may_be_elsewhere: bool,
}

/// By what a worker is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// The time from one look to the next.
    pub(crate) interval: Duration,
    /// The time from which a worker that does not get on is stalled.
    pub(crate) threshold: Duration,
}

impl Limits {
    /// The time that healthy polls of up to 20 ms can keep a Tokio worker silent: it publishes
    /// every 61 turns of up to four polls.
    const LONGEST_SILENCE: Duration = Duration::from_secs(5);

    /// The time for which the watchdog itself was held up, by a suspended process or a busy
    /// machine, if a look comes `elapsed` after the last one: a late look counts as one interval.
    pub(super) fn missed(&self, elapsed: Duration) -> Duration {
        if elapsed > self.interval.saturating_mul(5) / 2 {
            elapsed.saturating_sub(self.interval)
        } else {
            Duration::ZERO
        }
    }

    /// The own time from which a worker that computes is stalled, whatever it did before.
    pub(super) fn own_time_floor(&self) -> Duration {
        Self::LONGEST_SILENCE.max(self.threshold)
    }
}
