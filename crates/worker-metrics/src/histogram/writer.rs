//! The right to measure straight into a shared histogram.
//!
//! For a writer that has no moment of its own to submit at. Never allocates, locks, fails or panics
//! once it is made.

use std::sync::Arc;

use super::Histogram;

/// The one writer of a [`Histogram`], where every value is to be seen at once.
///
/// A [`LocalHistogram`](super::LocalHistogram) is cheaper for a worker that submits every few polls
/// anyway; this is for values that come from nowhere in particular, such as an instrumented future.
/// Making it consumes the histogram, so that a second writer does not compile.
///
/// # Examples
///
/// ```
/// use worker_metrics::histogram::{Histogram, HistogramWriter, Scale};
///
/// let mut writer = HistogramWriter::new(Histogram::new(&Scale::preset()));
/// let shared = writer.histogram().clone(); // for the readers
/// writer.measure(3_000_000);
/// assert_eq!(shared.snapshot().count(), 1);
/// ```
#[derive(Debug)]
pub struct HistogramWriter {
    histogram: Arc<Histogram>,
}

impl HistogramWriter {
    /// Takes the right to write `histogram`.
    #[must_use]
    pub fn new(histogram: Histogram) -> Self {
        Self { histogram: Arc::new(histogram) }
    }

    /// The histogram, for readers.
    #[must_use]
    pub fn histogram(&self) -> &Arc<Histogram> {
        &self.histogram
    }

    /// Counts one value.
    ///
    /// **Unit**: nanoseconds. **Cost**: finding the bucket, two relaxed loads and two relaxed
    /// stores; nothing is added to a shared line atomically. It saturates: a number that would
    /// overflow stays at `u64::MAX`.
    #[inline]
    pub fn measure(&mut self, value_ns: u64) {
        self.histogram.raise(value_ns);
    }
}
