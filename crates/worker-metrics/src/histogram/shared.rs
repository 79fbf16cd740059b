//! The histogram that readers share.
//!
//! Stored into by the worker's local histogram or by its one writer, read by sources. Never added
//! to atomically.

use std::sync::atomic::Ordering::Relaxed;

use crate::atomic::AtomicU64;

use super::padded::Padded;
use super::{HistogramSnapshot, Scale};

/// Totals that one worker publishes and any number of readers load.
///
/// **Ordering**: all relaxed. While the worker submits, a reader may see new totals in some buckets
/// and old ones in others; each alone never goes back.
///
/// # Examples
///
/// ```
/// use worker_metrics::histogram::{Histogram, LocalHistogram, Scale};
///
/// let scale = Scale::preset();
/// let (shared, mut local) = (Histogram::new(&scale), LocalHistogram::new(&scale));
/// local.measure(20_000);
/// local.submit(&shared);
/// assert_eq!(shared.snapshot().count(), 1);
/// ```
#[derive(Debug)]
pub struct Histogram {
    scale: Scale,
    buckets: Padded<AtomicU64>,
    sum_ns: AtomicU64,
}

impl Histogram {
    /// A histogram of zeros.
    #[must_use]
    pub fn new(scale: &Scale) -> Self {
        Self { buckets: Padded::new(scale.buckets()), scale: scale.clone(), sum_ns: AtomicU64::new(0) }
    }

    /// How values map to the buckets.
    #[must_use]
    pub fn scale(&self) -> &Scale {
        &self.scale
    }

    /// Values counted in a bucket; `None` where there is no such bucket.
    #[inline]
    #[must_use]
    pub fn bucket(&self, bucket: usize) -> Option<u64> {
        self.buckets.as_slice().get(bucket).map(|count| count.load(Relaxed))
    }

    /// Sum of all measured values.
    ///
    /// **Unit**: nanoseconds. Measured, not estimated, and stays at `u64::MAX` when it gets there,
    /// after 584 years.
    #[must_use]
    pub fn sum_ns(&self) -> u64 {
        self.sum_ns.load(Relaxed)
    }

    /// A copy of what the buckets hold now.
    #[must_use]
    pub fn snapshot(&self) -> HistogramSnapshot {
        let mut snapshot = HistogramSnapshot::default();
        self.snapshot_into(&mut snapshot);
        snapshot
    }

    /// Copies what the buckets hold now over what `snapshot` held.
    ///
    /// **Cost**: one load a bucket; allocates nothing when `snapshot` held as many buckets before
    /// (test `a_snapshot_keeps_its_buffer`).
    pub fn snapshot_into(&self, snapshot: &mut HistogramSnapshot) {
        let counts = self.buckets.as_slice().iter().map(|count| count.load(Relaxed));
        snapshot.fill(&self.scale, counts, Some(self.sum_ns()));
    }

    /// Counts one value on behalf of the only writer.
    #[inline]
    pub(super) fn raise(&self, value_ns: u64) {
        if let Some(count) = self.buckets.get(self.scale.bucket_of(value_ns)) {
            count.store(count.load(Relaxed).saturating_add(1), Relaxed);
        }
        self.sum_ns.store(self.sum_ns.load(Relaxed).saturating_add(value_ns), Relaxed);
    }

    /// Replaces the totals.
    #[inline]
    pub(super) fn store(&self, counts: &Padded<u64>, sum_ns: u64) {
        self.sum_ns.store(sum_ns, Relaxed);
        // Not an empty slice instead of none: to choose between the two takes longer than a branch
        // that is never taken.
        if let (Some(shared), Some(counts)) = (self.buckets.words(), counts.words()) {
            for (shared, &count) in shared.iter().zip(counts) {
                shared.store(count, Relaxed);
            }
        }
    }
}
