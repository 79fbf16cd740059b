//! What a worker records beyond its counters.

use crate::histogram::Scale;

/// What a worker keeps beyond its counters: histograms, each on its scale, and microstates.
///
/// Nothing is on by default: a histogram takes memory (8 bytes a bucket, twice) and, for the poll
/// times, two readings of the clock for each poll.
///
/// # Examples
///
/// ```
/// use worker_metrics::{WorkerConfig, WorkerMetrics, histogram::Scale};
///
/// let config = WorkerConfig::new().with_poll_time_histogram(Scale::preset());
/// assert!(WorkerMetrics::from_config(&config).poll_time_histogram().is_some());
/// ```
#[derive(Clone, Debug, Default)]
pub struct WorkerConfig {
    pub(crate) poll_time_histogram: Option<Scale>,
    pub(crate) schedule_latency_histogram: Option<Scale>,
    pub(crate) microstates: bool,
}

impl WorkerConfig {
    /// Counters alone.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts the polls by their duration.
    ///
    /// **Cost**: two clock readings and one bucket for each poll.
    #[must_use]
    pub fn with_poll_time_histogram(mut self, scale: Scale) -> Self {
        self.poll_time_histogram = Some(scale);
        self
    }

    /// Counts the schedulings by the delay until the poll.
    ///
    /// **Cost**: one bucket for each poll; the executor measures the delay.
    #[must_use]
    pub fn with_schedule_latency_histogram(mut self, scale: Scale) -> Self {
        self.schedule_latency_histogram = Some(scale);
        self
    }

    /// Keeps the time in each [`Microstate`](crate::Microstate).
    ///
    /// **Cost**: two relaxed stores at each change of state, and one clock reading, which the poll
    /// histogram needs anyway: at the beginning and the end of each poll. `docs/benchmarks.md` has
    /// the figures.
    #[must_use]
    pub fn with_microstates(mut self) -> Self {
        self.microstates = true;
        self
    }
}
