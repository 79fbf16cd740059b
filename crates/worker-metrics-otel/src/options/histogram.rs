//! Options of exported histograms: their sum and their buckets.

use std::sync::Arc;

use worker_metrics::histogram::Scale;

use super::bounds::{BoundsError, nearest};
use crate::setters::setters;

/// How histograms are exported: what their sum is, and on which buckets.
///
/// The default exports every bucket of the source, and an estimate of the sum where the source does
/// not measure it.
///
/// # Examples
///
/// ```
/// use worker_metrics::histogram::Scale;
/// use worker_metrics_otel::HistogramOptions;
///
/// // Every second bound of the preset from 131 µs to 2.1 s.
/// let bounds_s = [0.000131072, 0.000524288, 0.002097152, 0.008388608, 0.033554432, 0.134217728, 0.536870912, 2.147483648];
/// let options = HistogramOptions::default().with_bounds(&bounds_s)?;
/// options.check(&Scale::preset())?;
/// # Ok::<(), worker_metrics_otel::BoundsError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HistogramOptions {
    sum: Sum,
    bounds_s: Option<Arc<[f64]>>,
    max_buckets: Option<usize>,
}

/// What the sum of an exported histogram is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Sum {
    /// Measured where the source measures it, as a [`Pool`](worker_metrics::Pool) does. Otherwise
    /// an estimate, which the metric's description says: every value counts as the middle of its
    /// bucket of the source, and in the last, open one as its beginning.
    ///
    /// It is linear in the counts, so that it never goes backwards, and deltas add up to the
    /// cumulative sum (test `the_estimate_is_linear_in_the_counts`).
    #[default]
    Estimated,
    /// Measured where the source measures it; otherwise there is none.
    ///
    /// Some consumers then take it for 0: the collector's Prometheus exporter and Datadog do.
    Measured,
}

impl HistogramOptions {
    setters! {
        /// Sets what the sum is.
        #[must_use]
        with_sum(sum: Sum) => sum;
    }

    /// Merges the buckets of every source into those between the given bounds, exactly.
    ///
    /// **Unit**: seconds. Each must be one of the [`bounds_s`](Scale::bounds_s) of the source, to
    /// the last bit: [`check`](Self::check) tells. A source that lacks one keeps its own buckets,
    /// reduced to [`with_max_buckets`](Self::with_max_buckets). An exponential histogram becomes
    /// one with explicit bounds.
    ///
    /// # Errors
    ///
    /// When there are no bounds, one is infinite or not a number, or they do not ascend.
    pub fn with_bounds(mut self, bounds_s: &[f64]) -> Result<Self, BoundsError> {
        if bounds_s.is_empty() {
            return Err(BoundsError::Empty);
        }
        for (index, &bound_s) in bounds_s.iter().enumerate() {
            if !bound_s.is_finite() {
                return Err(BoundsError::NotFinite { index, bound_s });
            }
            let previous_s = index.checked_sub(1).map(|previous| bounds_s[previous]);
            if let Some(previous_s) = previous_s.filter(|&previous_s| bound_s <= previous_s) {
                return Err(BoundsError::NotAscending { index, previous_s, bound_s });
            }
        }
        self.bounds_s = Some(bounds_s.into());
        Ok(self)
    }

    /// Merges neighbouring buckets of every source two by two, exactly, until there are no more
    /// than this.
    ///
    /// An exponential histogram is lowered in scale, which does the same, down to 3 buckets at the
    /// least: the one of zero and one on each side of 1 s. 0 counts as 1. By default there is no
    /// limit.
    ///
    /// Splunk Observability drops histograms of more than 30 buckets.
    #[must_use]
    pub fn with_max_buckets(mut self, max_buckets: usize) -> Self {
        self.max_buckets = Some(max_buckets.max(1));
        self
    }

    /// Whether a source on this scale can be exported on the bounds that are set.
    ///
    /// # Errors
    ///
    /// When one of the bounds is not a bound of the source; names the first such and what is next
    /// to it.
    pub fn check(&self, scale: &Scale) -> Result<(), BoundsError> {
        let Some(bounds_s) = &self.bounds_s else { return Ok(()) };
        let of_source_s = scale.bounds_s();
        bounds_s.iter().try_for_each(|&bound_s| nearest(&of_source_s, bound_s).map(|_| ()))
    }

    /// Whether there is anything to [`check`](Self::check).
    pub(crate) fn has_bounds(&self) -> bool {
        self.bounds_s.is_some()
    }

    #[cfg(feature = "otlp")]
    pub(crate) fn sum(&self) -> Sum {
        self.sum
    }

    #[cfg(feature = "otlp")]
    pub(crate) fn bounds_s(&self) -> Option<&[f64]> {
        self.bounds_s.as_deref()
    }

    #[cfg(feature = "otlp")]
    pub(crate) fn max_buckets(&self) -> usize {
        self.max_buckets.unwrap_or(usize::MAX)
    }
}
