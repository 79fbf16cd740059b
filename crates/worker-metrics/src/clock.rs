//! The time line that a worker's times are measured on.
//!
//! A [`Batch`](crate::Batch) reads it on the worker's thread, a [`Pool`](crate::Pool) at
//! collection. It must never go backwards and never panic.

use std::time::{Duration, Instant};

/// A monotonic time line in nanoseconds since its own creation.
///
/// All times of one worker must come from one clock: take it from
/// [`WorkerMetrics::clock`](crate::WorkerMetrics::clock) or [`Pool::clock`](crate::Pool::clock)
/// instead of making another.
///
/// **Cost**: one `Instant::now()` for each reading, that is a vDSO call of 20 to 30 ns on Linux.
///
/// # Examples
///
/// ```
/// use worker_metrics::{Batch, WorkerMetrics};
///
/// let mut batch = Batch::new(WorkerMetrics::new());
/// let now_ns = batch.clock().now_ns(); // one reading for two events
/// batch.start_poll_at(now_ns);
/// batch.submit_at(now_ns);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    epoch: Option<Instant>,
}

impl Clock {
    /// Whether this target has a clock: `wasm32-unknown-unknown` has none, and `Instant::now`
    /// panics there.
    ///
    /// Where it is `false`, every reading is 0, and a [`Pool`](crate::Pool) leaves out what needs a
    /// time.
    pub const AVAILABLE: bool =
        !cfg!(all(target_arch = "wasm32", target_os = "unknown", target_vendor = "unknown"));

    /// Starts a time line at 0, now.
    #[must_use]
    pub fn new() -> Self {
        Self { epoch: Self::AVAILABLE.then(Instant::now) }
    }

    /// The time since the clock was made.
    ///
    /// **Unit**: nanoseconds. Stays at `u64::MAX` after 584 years.
    #[inline]
    #[must_use]
    pub fn now_ns(&self) -> u64 {
        self.epoch.map_or(0, |epoch| saturating_ns(epoch.elapsed()))
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

/// `duration` in nanoseconds, `u64::MAX` where it does not fit.
#[inline]
pub(crate) fn saturating_ns(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
