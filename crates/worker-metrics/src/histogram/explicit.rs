//! Buckets between bounds that the user gives.
//!
//! Called through `Scale`. Never compares in floating point while a value is recorded.

use super::scale::{Bounds, Layout, check_buckets};
use super::thresholds::{Thresholds, largest};
use super::{Scale, ScaleError};

impl Scale {
    /// A scale between the given bounds, with the bound in the bucket below it, as in OTLP.
    ///
    /// **Unit**: seconds. A value of `v` nanoseconds is in the first bucket whose bound is at least
    /// `v as f64 / 1e9`, else in the last, exactly so for every `u64` (test
    /// `bounds_decide_as_the_comparison_in_seconds_does`).
    ///
    /// # Errors
    ///
    /// When there are no or [`MAX_BUCKETS`](super::MAX_BUCKETS) bounds or more, one is negative,
    /// infinite or not a number, or they do not ascend.
    ///
    /// **Source**: `explicit_bounds` of `HistogramDataPoint` in
    /// `opentelemetry/proto/metrics/v1/metrics.proto`.
    pub fn explicit(bounds_s: &[f64]) -> Result<Scale, ScaleError> {
        check_bounds(bounds_s)?;
        check_buckets(bounds_s.len() + 1)?;
        let thresholds = Thresholds::new(bounds_s.iter().map(|&bound_s| last_within(bound_s)).collect());
        Ok(Scale::new(Layout::Table { thresholds, bounds: Bounds::Explicit(bounds_s.into()) }))
    }
}

fn check_bounds(bounds_s: &[f64]) -> Result<(), ScaleError> {
    if bounds_s.is_empty() {
        return Err(ScaleError::BoundsEmpty);
    }
    let mut previous_s = f64::NEG_INFINITY;
    for (index, &bound_s) in bounds_s.iter().enumerate() {
        if !bound_s.is_finite() {
            return Err(ScaleError::BoundNotFinite { index, bound_s });
        }
        if bound_s < 0.0 {
            return Err(ScaleError::BoundNegative { index, bound_s });
        }
        if bound_s <= previous_s {
            return Err(ScaleError::BoundsNotAscending { index, previous_s, bound_s });
        }
        previous_s = bound_s;
    }
    Ok(())
}

/// The largest number of nanoseconds that is, in seconds, at most `bound_s`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a guess, and the cast saturates"
)]
fn last_within(bound_s: f64) -> u64 {
    largest((bound_s * 1e9) as u64, |value_ns| value_ns as f64 / 1e9 <= bound_s)
}
