//! What a histogram held at one moment.
//!
//! Filled by sources, merged and read by exporters. Knows neither the worker nor the exporter.

use super::{Scale, ScaleMismatch};

/// Buckets and sum of one histogram at one moment, or of several added.
///
/// The default has no scale and no buckets: nothing was read yet.
///
/// # Examples
///
/// ```
/// use worker_metrics::histogram::{HistogramSnapshot, Scale};
///
/// let scale = Scale::from_bucket_ends_ns(&[1_000, u64::MAX])?;
/// let mut one = HistogramSnapshot::new(&scale, [3, 1], None);
/// let other = HistogramSnapshot::new(&scale, [2, 0], None);
/// one.merge(&other)?;
/// assert_eq!((one.buckets.as_slice(), one.count()), ([5, 1].as_slice(), 6));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct HistogramSnapshot {
    /// How values map to the buckets; `None` when nothing was read.
    pub scale: Option<Scale>,
    /// Values counted in each bucket.
    pub buckets: Vec<u64>,
    /// Sum of all values, in nanoseconds.
    ///
    /// **Absent when** the origin does not track it, as Tokio.
    pub sum_ns: Option<u64>,
}

impl HistogramSnapshot {
    /// What was read of a histogram on `scale`; the sum in nanoseconds, where it was measured.
    #[must_use]
    pub fn new(scale: &Scale, buckets: impl IntoIterator<Item = u64>, sum_ns: Option<u64>) -> Self {
        let mut snapshot = Self::default();
        snapshot.fill(scale, buckets, sum_ns);
        snapshot
    }

    /// Number of values: the sum of the buckets, so that both agree.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.buckets.iter().fold(0, |count, &bucket| count.saturating_add(bucket))
    }

    /// Replaces everything with what was read of a histogram on `scale`.
    ///
    /// **Cost**: allocates nothing when there were as many buckets before, also before a
    /// [`clear`](Self::clear) (test `a_snapshot_keeps_its_buffer`).
    pub fn fill(&mut self, scale: &Scale, buckets: impl IntoIterator<Item = u64>, sum_ns: Option<u64>) {
        self.scale = Some(scale.clone());
        self.buckets.clear();
        self.buckets.extend(buckets);
        self.sum_ns = sum_ns;
    }

    /// Forgets everything and keeps the buffer.
    pub fn clear(&mut self) {
        self.scale = None;
        self.buckets.clear();
        self.sum_ns = None;
    }

    /// Adds another histogram, as of another worker, on the same scale.
    ///
    /// One that was never filled adds nothing, and takes over what is added to it. The sum stays
    /// known only if it is known of both.
    ///
    /// # Errors
    ///
    /// When the scales or the numbers of buckets differ; nothing is added then.
    pub fn merge(&mut self, other: &HistogramSnapshot) -> Result<(), ScaleMismatch> {
        let Some(scale) = &other.scale else { return Ok(()) };
        if self.scale.is_none() {
            self.fill(scale, other.buckets.iter().copied(), other.sum_ns);
            return Ok(());
        }
        if self.scale != other.scale || self.buckets.len() != other.buckets.len() {
            return Err(ScaleMismatch { buckets: self.buckets.len(), other_buckets: other.buckets.len() });
        }
        for (bucket, &added) in self.buckets.iter_mut().zip(&other.buckets) {
            *bucket = bucket.saturating_add(added);
        }
        let sums_ns = self.sum_ns.zip(other.sum_ns);
        self.sum_ns = sums_ns.map(|(sum_ns, added_ns)| sum_ns.saturating_add(added_ns));
        Ok(())
    }
}
