//! The stalls of a worker at one moment, by cause.
//!
//! Part of a [`WorkerSnapshot`](crate::WorkerSnapshot). Plain data.

use crate::StallCause;
use crate::histogram::HistogramSnapshot;

/// The stalls of one worker so far, by cause.
///
/// # Examples
///
/// ```
/// use worker_metrics::{Snapshot, StallCause};
///
/// let mut snapshot = Snapshot::new();
/// let stalls = &mut snapshot.begin(1)[0].stalls;
/// assert_eq!(stalls.total(), None, "unknown is absent, not 0");
/// stalls.set_counts(StallCause::ALL.map(|cause| u64::from(cause == StallCause::Lock)));
/// assert_eq!((stalls.total(), stalls.count(StallCause::Lock)), (Some(1), Some(1)));
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StallSnapshot {
    counts: Option<[u64; StallCause::ALL.len()]>,
    /// By cause, as far as there was one to be filled: most workers never stall.
    duration_histograms: Vec<HistogramSnapshot>,
}

/// The histogram of a cause of which there is none.
static NONE: HistogramSnapshot = HistogramSnapshot { scale: None, buckets: Vec::new(), sum_ns: None };

impl StallSnapshot {
    /// How often the worker stalled for that cause.
    ///
    /// **Absent when** the stalls are not known, or there was none of this cause yet; of
    /// [`StallCause::Unknown`] there is a 0. Seven series of zeros for each worker would fill a
    /// backend.
    #[must_use]
    pub fn count(&self, cause: StallCause) -> Option<u64> {
        let count = self.counts?[cause.index()];
        (count > 0 || cause == StallCause::Unknown).then_some(count)
    }

    /// How often the worker stalled.
    ///
    /// **Absent when** the stalls are not known.
    #[must_use]
    pub fn total(&self) -> Option<u64> {
        self.counts.map(|counts| counts.iter().sum())
    }

    /// Whether the worker ever stalled for that cause, or there is a 0 of it.
    pub(crate) fn has(&self, cause: StallCause) -> bool {
        self.count(cause).is_some()
    }

    /// Sets how often the worker stalled, in the order of [`StallCause::ALL`].
    pub fn set_counts(&mut self, counts: [u64; StallCause::ALL.len()]) {
        self.counts = Some(counts);
    }

    /// Stalls of that cause that have ended by duration; without buckets where unknown, or where
    /// there was none yet.
    #[must_use]
    pub fn duration_histogram(&self, cause: StallCause) -> &HistogramSnapshot {
        self.duration_histograms.get(cause.index()).unwrap_or(&NONE)
    }

    /// The histogram of that cause, to be filled.
    pub fn duration_histogram_mut(&mut self, cause: StallCause) -> &mut HistogramSnapshot {
        if self.duration_histograms.len() <= cause.index() {
            self.duration_histograms.resize_with(cause.index() + 1, HistogramSnapshot::default);
        }
        &mut self.duration_histograms[cause.index()]
    }

    /// Forgets every value and keeps the buffers.
    pub(crate) fn clear(&mut self) {
        self.counts = None;
        self.duration_histograms.iter_mut().for_each(HistogramSnapshot::clear);
    }
}
