//! The histogram that a worker measures into.
//!
//! Called by the worker's batch at each poll. Never allocates, locks, fails or panics once it is
//! made.

use super::padded::Padded;
use super::{Histogram, Scale};

/// Totals that one thread owns: plain integers.
///
/// Recording never fails or panics, whatever the value and the count (test
/// `recording_survives_every_extreme`), and neither allocates nor locks. It saturates: a number
/// that would overflow stays at `u64::MAX`.
///
/// # Examples
///
/// ```
/// use worker_metrics::histogram::{LocalHistogram, Scale};
///
/// let mut polls = LocalHistogram::new(&Scale::preset());
/// polls.measure(20_000);
/// assert_eq!(polls.buckets().iter().sum::<u64>(), 1);
/// ```
#[derive(Debug)]
pub struct LocalHistogram {
    scale: Scale,
    buckets: Padded<u64>,
    sum_ns: u64,
}

impl LocalHistogram {
    /// A histogram of zeros.
    #[must_use]
    pub fn new(scale: &Scale) -> Self {
        Self { buckets: Padded::new(scale.buckets()), scale: scale.clone(), sum_ns: 0 }
    }

    /// Counts one value.
    ///
    /// **Unit**: nanoseconds. **Cost**: finding the bucket and two additions.
    #[inline]
    pub fn measure(&mut self, value_ns: u64) {
        self.measure_n(value_ns, 1);
    }

    /// Counts one value `count` times.
    ///
    /// **Unit**: nanoseconds. **Cost**: as [`measure`](Self::measure), whatever the count.
    #[inline]
    pub fn measure_n(&mut self, value_ns: u64, count: u64) {
        if let Some(bucket) = self.buckets.get_mut(self.scale.bucket_of(value_ns)) {
            *bucket = bucket.saturating_add(count);
        }
        self.sum_ns = self.sum_ns.saturating_add(value_ns.saturating_mul(count));
    }

    /// Publishes the totals: each is stored, none is added (test
    /// `submitting_twice_does_not_double`).
    ///
    /// **Cost**: one relaxed store a bucket. Where `to` has another number of buckets, only those
    /// that both have are stored; make both from one [`Scale`].
    #[inline]
    pub fn submit(&self, to: &Histogram) {
        to.store(&self.buckets, self.sum_ns);
    }

    /// How values map to the buckets.
    #[must_use]
    pub fn scale(&self) -> &Scale {
        &self.scale
    }

    /// Values counted in each bucket.
    #[must_use]
    pub fn buckets(&self) -> &[u64] {
        self.buckets.as_slice()
    }

    /// Sum of all measured values.
    ///
    /// **Unit**: nanoseconds. Stays at `u64::MAX` when it gets there, after 584 years.
    #[must_use]
    pub fn sum_ns(&self) -> u64 {
        self.sum_ns
    }
}
