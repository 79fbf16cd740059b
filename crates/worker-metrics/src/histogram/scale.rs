//! How durations map to buckets.
//!
//! Built by the user of a histogram and shared by all of its workers. Never changes.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use super::ScaleError;
use super::exponential::{Exponential, ExponentialLayout};
use super::linear::Linear;
use super::log::Log;
use super::thresholds::Thresholds;

/// Most buckets that a scale can have.
///
/// The finest log scale over all durations has 56 320; the first index of a table's search fits 16
/// bits.
pub const MAX_BUCKETS: usize = 1 << 16;

/// How values in nanoseconds map to buckets.
///
/// The first bucket begins at 0, each begins where the one before it ends, and the last is open:
/// every value has a bucket.
///
/// **Cost**: a clone copies a few words and counts references to the tables.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use worker_metrics::histogram::Scale;
///
/// let scale = Scale::linear(Duration::from_micros(100), 10)?;
/// assert_eq!(scale.buckets(), 10);
/// assert_eq!(scale.bucket_of(250_000), 2);
/// assert_eq!(scale.bucket_range(2), Some(200_000..300_000));
/// # Ok::<(), worker_metrics::histogram::ScaleError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Scale {
    layout: Layout,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Layout {
    Linear(Linear),
    Log(Log),
    Table { thresholds: Thresholds, bounds: Bounds },
}

/// Where the bounds in seconds of a table come from.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Bounds {
    /// Its nanoseconds.
    Thresholds,
    /// The user.
    Explicit(Arc<[f64]>),
    /// The definition of OTLP's exponential buckets.
    Exponential(Exponential),
}

impl Scale {
    /// Smallest value of [`preset`](Self::preset): its first bucket ends there or below.
    pub const PRESET_MIN: Duration = Duration::from_micros(10);
    /// Largest value of [`preset`](Self::preset): its last bucket begins there or above.
    pub const PRESET_MAX: Duration = Duration::from_secs(10);
    /// Precision of [`preset`](Self::preset): a doubling is one bucket.
    pub const PRESET_PRECISION: u32 = 0;

    pub(super) fn new(layout: Layout) -> Self {
        Self { layout }
    }

    /// Number of buckets, at least 1.
    #[must_use]
    pub fn buckets(&self) -> usize {
        1 + match &self.layout {
            Layout::Linear(linear) => linear.last(),
            Layout::Log(log) => log.last(),
            Layout::Table { thresholds, .. } => thresholds.last(),
        }
    }

    /// Bucket of a value.
    ///
    /// **Unit**: nanoseconds. **Cost**: a multiplication or a few shifts, for a table two look-ups
    /// beside that (tests `every_value_falls_where_a_scan_of_the_ranges_puts_it` and
    /// `bounds_decide_as_the_comparison_in_seconds_does`).
    #[inline]
    #[must_use]
    pub fn bucket_of(&self, value_ns: u64) -> usize {
        // The preset is one of these: it is to be inlined, which all layouts together are too large
        // for.
        if let Layout::Log(log) = &self.layout {
            return log.bucket_of(value_ns);
        }
        self.bucket_of_another_layout(value_ns)
    }

    #[inline(never)]
    fn bucket_of_another_layout(&self, value_ns: u64) -> usize {
        match &self.layout {
            Layout::Linear(linear) => linear.bucket_of(value_ns),
            Layout::Log(log) => log.bucket_of(value_ns),
            Layout::Table { thresholds, .. } => thresholds.bucket_of(value_ns),
        }
    }

    /// Values of a bucket, with the end excluded; `None` from [`buckets`](Self::buckets) on.
    ///
    /// **Unit**: nanoseconds. An end of `u64::MAX` means no end. A range is empty where two bounds
    /// lie within one nanosecond, or above `u64::MAX` nanoseconds.
    #[must_use]
    pub fn bucket_range(&self, bucket: usize) -> Option<Range<u64>> {
        let buckets = self.buckets();
        let end_ns = || if bucket + 1 == buckets { u64::MAX } else { self.start_ns(bucket + 1) };
        (bucket < buckets).then(|| self.start_ns(bucket)..end_ns())
    }

    fn start_ns(&self, bucket: usize) -> u64 {
        match &self.layout {
            Layout::Linear(linear) => linear.start_ns(bucket),
            Layout::Log(log) => log.start_ns(bucket),
            Layout::Table { thresholds, .. } => thresholds.start_ns(bucket),
        }
    }

    /// Upper bounds of all buckets but the last, for OTLP's `explicit_bounds`.
    ///
    /// **Unit**: seconds. The given bounds of an [`explicit`](Self::explicit) scale, the powers of
    /// the base of an [`exponential`](Self::exponential) one, or else the ends of the ranges. A
    /// value that is such an end counts above the bound, where OTLP counts it below.
    ///
    /// **Cost**: computes and allocates; ask once.
    #[must_use]
    pub fn bounds_s(&self) -> Vec<f64> {
        match &self.layout {
            Layout::Table { bounds: Bounds::Explicit(bounds_s), .. } => bounds_s.to_vec(),
            Layout::Table { bounds: Bounds::Exponential(exponential), thresholds } => {
                exponential.bounds_s().take(thresholds.last()).collect()
            }
            _ => (1..self.buckets()).map(|bucket| self.start_ns(bucket) as f64 / 1e9).collect(),
        }
    }

    /// Where the buckets stand in OTLP's exponential histogram; `None` for every scale but
    /// [`exponential`](Self::exponential).
    #[must_use]
    pub fn as_exponential(&self) -> Option<ExponentialLayout> {
        match &self.layout {
            Layout::Table { bounds: Bounds::Exponential(exponential), .. } => Some(exponential.layout()),
            _ => None,
        }
    }
}

/// Whether a scale may have so many buckets.
pub(super) fn check_buckets(required: usize) -> Result<(), ScaleError> {
    match required {
        0 => Err(ScaleError::NoBuckets),
        1..=MAX_BUCKETS => Ok(()),
        _ => Err(ScaleError::TooManyBuckets { required, allowed: MAX_BUCKETS }),
    }
}
