//! What Tokio publishes of a worker without `--cfg tokio_unstable`.
//!
//! Called at each collection. It must not be called with the index of a worker that does not exist:
//! Tokio panics.

use std::time::Duration;

use tokio::runtime::RuntimeMetrics;

/// Whether this target has the 64-bit atomics that Tokio's counters need.
pub(crate) const COUNTERS: bool = cfg!(target_has_atomic = "64");

/// What one worker had published when it was looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Look {
    pub(crate) busy_duration: Duration,
    pub(crate) park_count: u64,
    pub(crate) park_unpark_count: u64,
}

impl Look {
    /// **Absent when** the target has no 64-bit atomics.
    #[cfg(target_has_atomic = "64")]
    pub(crate) fn at(metrics: &RuntimeMetrics, worker: usize) -> Option<Self> {
        Some(Self {
            busy_duration: metrics.worker_total_busy_duration(worker),
            park_count: metrics.worker_park_count(worker),
            park_unpark_count: metrics.worker_park_unpark_count(worker),
        })
    }

    #[cfg(not(target_has_atomic = "64"))]
    pub(crate) fn at(_: &RuntimeMetrics, _: usize) -> Option<Self> {
        None
    }

    /// Tokio publishes the count before the worker parks and after it unparks: odd while it is
    /// parked.
    pub(crate) fn is_parked(&self) -> bool {
        !self.park_unpark_count.is_multiple_of(2)
    }

    /// Parks and unparks alternate, beginning with a park: one word tells, where the difference of
    /// two could go backwards.
    pub(crate) fn unpark_count(&self) -> u64 {
        self.park_unpark_count / 2
    }

    /// Whether the worker has published anything in its life.
    pub(crate) fn is_blank(&self) -> bool {
        *self == Self::default()
    }
}
