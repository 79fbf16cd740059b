//! Buckets that double, each doubling cut into equal parts.
//!
//! Called through `Scale`. Never looks up a table.

use std::time::Duration;

use crate::clock::saturating_ns;

use super::octaves::Octaves;
use super::scale::{Layout, MAX_BUCKETS};
use super::{Scale, ScaleError};

/// Most parts that a doubling can be cut into, as a power of two: Tokio 1.54 allows the same.
pub(super) const MAX_PRECISION: u32 = 10;
/// Smallest value, largest value and precision of `LogHistogram::builder()` in Tokio 1.54.
const DEFAULT_MIN: Duration = Duration::from_nanos(100);
const DEFAULT_MAX: Duration = Duration::from_secs(60);
const DEFAULT_PRECISION: u32 = 2;
/// Tokio 1.54 derives no coarser precision from an error.
const MIN_PRECISION_OF_ERROR: u32 = 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Log {
    octaves: Octaves,
    /// Part that is the first bucket, together with all parts below.
    offset: u64,
    last: usize,
}

impl Scale {
    /// The scale for poll times and schedule latencies: every power of two from 8 µs to 17 s, 23
    /// buckets.
    ///
    /// It is the log scale of the `PRESET_` constants. It stays below the 31 buckets at which
    /// Splunk Observability drops a histogram (test `the_preset_has_23_buckets`).
    #[must_use]
    pub fn preset() -> Scale {
        let (min_ns, max_ns) = (saturating_ns(Self::PRESET_MIN), saturating_ns(Self::PRESET_MAX));
        Self::new(Layout::Log(Log::spanning(Octaves::new(Self::PRESET_PRECISION), min_ns, max_ns)))
    }

    /// Begins a log scale: each doubling is cut into equal parts.
    #[must_use]
    pub fn log() -> LogScaleBuilder {
        LogScaleBuilder::default()
    }
}

/// The options of a log scale: a range, and how finely it is cut.
///
/// The options, their defaults and the buckets are those of `LogHistogram::builder()` in Tokio
/// (test `log_has_the_ranges_of_tokio`). Where that panics, or makes buckets that no value reaches,
/// [`build`](Self::build) returns an error; for a smallest value that is also the largest, it makes
/// two buckets.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use worker_metrics::histogram::Scale;
///
/// let scale = Scale::log().min_value(Duration::from_micros(1)).max_error(0.1).build()?;
/// assert_eq!(scale.bucket_range(0), Some(0..992));
/// # Ok::<_, worker_metrics::histogram::ScaleError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct LogScaleBuilder {
    min_value: Duration,
    max_value: Duration,
    precision: Precision,
    max_buckets: usize,
}

#[derive(Clone, Copy, Debug)]
enum Precision {
    Exact(u32),
    MaxError(f64),
}

impl Default for LogScaleBuilder {
    fn default() -> Self {
        Self {
            min_value: DEFAULT_MIN,
            max_value: DEFAULT_MAX,
            precision: Precision::Exact(DEFAULT_PRECISION),
            max_buckets: MAX_BUCKETS,
        }
    }
}

impl LogScaleBuilder {
    /// Sets the smallest value that keeps its precision: the first bucket ends there or below.
    ///
    /// By default 100 ns. **Cost**: each halving adds `2^precision` buckets.
    #[must_use]
    pub fn min_value(mut self, min_value: Duration) -> Self {
        self.min_value = min_value;
        self
    }

    /// Sets the largest value that keeps its precision: the last, open bucket begins there or
    /// above.
    ///
    /// By default 60 s. **Cost**: each doubling adds `2^precision` buckets.
    #[must_use]
    pub fn max_value(mut self, max_value: Duration) -> Self {
        self.max_value = max_value;
        self
    }

    /// Sets how wide a bucket may be in proportion to its values, as a ratio between 0 and 1.
    ///
    /// By default 0.25. Becomes the least precision from 2 to 10 whose `2^-precision` is no larger,
    /// or else 10; replaces [`precision_exact`](Self::precision_exact).
    #[must_use]
    pub fn max_error(mut self, max_error: f64) -> Self {
        self.precision = Precision::MaxError(max_error);
        self
    }

    /// Sets into how many buckets a doubling is cut: `2^precision`, with `precision` from 0 to 10.
    ///
    /// By default 2, four buckets. Replaces [`max_error`](Self::max_error).
    #[must_use]
    pub fn precision_exact(mut self, precision: u32) -> Self {
        self.precision = Precision::Exact(precision);
        self
    }

    /// Sets how many buckets there may be.
    ///
    /// By default [`MAX_BUCKETS`], which allows every combination of the other options.
    #[must_use]
    pub fn max_buckets(mut self, max_buckets: usize) -> Self {
        self.max_buckets = max_buckets;
        self
    }

    /// Builds the scale.
    ///
    /// # Errors
    ///
    /// When the range is empty, an option is outside its range, or the scale needs more buckets
    /// than [`max_buckets`](Self::max_buckets).
    pub fn build(self) -> Result<Scale, ScaleError> {
        let octaves = Octaves::new(self.precision()?);
        if self.max_value.is_zero() {
            return Err(ScaleError::MaxZero);
        }
        if self.min_value > self.max_value {
            return Err(ScaleError::MinAboveMax { min: self.min_value, max: self.max_value });
        }
        let log = Log::spanning(octaves, saturating_ns(self.min_value), saturating_ns(self.max_value));
        let (required, allowed) = (log.last + 1, self.max_buckets.min(MAX_BUCKETS));
        if required > allowed {
            return Err(ScaleError::TooManyBuckets { required, allowed });
        }
        Ok(Scale::new(Layout::Log(log)))
    }

    fn precision(&self) -> Result<u32, ScaleError> {
        match self.precision {
            Precision::Exact(precision) if precision > MAX_PRECISION => {
                Err(ScaleError::Precision { precision })
            }
            Precision::Exact(precision) => Ok(precision),
            Precision::MaxError(max_error) if max_error > 0.0 && max_error < 1.0 => {
                let fine_enough = |precision: &u32| 1.0 / f64::from(1 << precision) <= max_error;
                Ok((MIN_PRECISION_OF_ERROR..MAX_PRECISION).find(fine_enough).unwrap_or(MAX_PRECISION))
            }
            Precision::MaxError(max_error) => Err(ScaleError::MaxError { max_error }),
        }
    }
}

impl Log {
    /// The first bucket is the last part that ends at `min_ns` or below, the last is the first that
    /// begins at `max_ns` or above, or else the part of `u64::MAX`.
    fn spanning(octaves: Octaves, min_ns: u64, max_ns: u64) -> Self {
        let offset = octaves.index_of(min_ns).saturating_sub(1);
        let end = octaves.index_of(max_ns.saturating_sub(1)) + 1;
        let last = end.min(octaves.index_of(u64::MAX)).saturating_sub(offset);
        Self { octaves, offset, last: usize::try_from(last).unwrap_or(usize::MAX - 1) }
    }

    pub(super) fn last(&self) -> usize {
        self.last
    }

    #[inline]
    pub(super) fn bucket_of(&self, value_ns: u64) -> usize {
        let bucket = self.octaves.index_of(value_ns).saturating_sub(self.offset);
        usize::try_from(bucket).map_or(self.last, |bucket| bucket.min(self.last))
    }

    pub(super) fn start_ns(&self, bucket: usize) -> u64 {
        match bucket {
            0 => 0,
            _ => self.octaves.first_of(bucket as u64 + self.offset).unwrap_or(u64::MAX),
        }
    }
}
