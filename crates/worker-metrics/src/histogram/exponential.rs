//! OTLP's base-2 exponential buckets.
//!
//! Called through `Scale`. Never trusts floating point with the end of a bucket.

use std::time::Duration;

use crate::clock::saturating_ns;

use super::natural::Natural;
use super::scale::{Bounds, Layout};
use super::thresholds::{Thresholds, largest};
use super::{Scale, ScaleError};

/// Coarsest scale: the 64 bits of a duration in nanoseconds fill 5 buckets.
pub(super) const MIN_SCALE: i32 = -4;
/// Finest scale: 64 buckets for each power of two, each `2^(1/64) - 1` = 1.1 % wide.
pub(super) const MAX_SCALE: i32 = 6;
/// 1 ns is above `2^OCTAVE_BELOW_ALL` s.
const OCTAVE_BELOW_ALL: i32 = -30;
/// `u64::MAX` ns are below `2^OCTAVE_ABOVE_ALL` s.
const OCTAVE_ABOVE_ALL: i32 = 35;

/// Where the buckets of a scale stand in OTLP's exponential histogram.
///
/// Bucket 0 is the zero bucket and bucket `n` from 1 on has the index `offset + n - 1` among the
/// positive ones.
///
/// **Source**: <https://opentelemetry.io/docs/specs/otel/metrics/data-model/#exponentialhistogram>.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ExponentialLayout {
    /// Resolution: the base is `2^(2^-scale)`.
    pub scale: i32,
    /// Index of the first positive bucket, which is bucket 1.
    pub offset: i32,
    /// Upper end of the zero bucket, in seconds, included.
    pub zero_threshold_s: f64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Exponential {
    scale: i32,
    offset: i32,
}

impl Scale {
    /// A scale of OTLP's base-2 exponential buckets in seconds, from the one of `min` to the one of
    /// `max`.
    ///
    /// Bucket 0 takes 0 and all that is below the bucket of `min`; a `min` of 0 stands for 1 ns. A
    /// last, open bucket takes all that is above the bucket of `max`, unless nothing is. All others
    /// hold exactly the nanoseconds that are above `base^index` and at most `base^(index + 1)`
    /// seconds (test `every_end_is_exact`), though for the shortest durations on a fine scale that
    /// may be none.
    ///
    /// # Errors
    ///
    /// When `scale` is outside -4 to 6, `max` is 0, or `min` above `max`.
    ///
    /// **Source**:
    /// <https://opentelemetry.io/docs/specs/otel/metrics/data-model/#exponentialhistogram>.
    pub fn exponential(scale: i32, min: Duration, max: Duration) -> Result<Scale, ScaleError> {
        if !(MIN_SCALE..=MAX_SCALE).contains(&scale) {
            return Err(ScaleError::ExponentialScale { scale });
        }
        if max.is_zero() {
            return Err(ScaleError::MaxZero);
        }
        if min > max {
            return Err(ScaleError::MinAboveMax { min, max });
        }
        let base = Base::new(scale);
        let offset = base.index_of(saturating_ns(min).max(1));
        let last = base.index_of(saturating_ns(max));
        let mut thresholds: Vec<_> = (offset..=last + 1).map(|exponent| base.last_within(exponent)).collect();
        thresholds.pop_if(|last_ns| *last_ns == u64::MAX);
        let bounds = Bounds::Exponential(Exponential { scale, offset });
        Ok(Scale::new(Layout::Table { thresholds: Thresholds::new(thresholds), bounds }))
    }
}

impl Exponential {
    pub(super) fn layout(self) -> ExponentialLayout {
        let Self { scale, offset } = self;
        ExponentialLayout { scale, offset, zero_threshold_s: power_s(scale, offset) }
    }

    /// Upper ends of the buckets, from that of the zero bucket on, without end.
    pub(super) fn bounds_s(self) -> impl Iterator<Item = f64> {
        (self.offset..).map(move |exponent| power_s(self.scale, exponent))
    }
}

/// `base^exponent`, in seconds.
fn power_s(scale: i32, exponent: i32) -> f64 {
    (f64::from(exponent) / f64::from(scale).exp2()).exp2()
}

/// The base of a scale, with what exact comparisons with its powers need.
///
/// `n` nanoseconds are at most `base^exponent` seconds when `n <= 10^9 * 2^(exponent / 2^scale)`.
/// Raised to the power of `2^scale` where that is above 1, both sides are whole numbers but for a
/// power of two, which moves to the left where its exponent is negative.
struct Base {
    scale: i32,
    squarings: u32,
    second: Natural,
}

impl Base {
    fn new(scale: i32) -> Self {
        let squarings = scale.max(0).unsigned_abs();
        Self { scale, squarings, second: Natural::from(1_000_000_000).squared(squarings) }
    }

    /// Whether `value_ns` nanoseconds are at most `base^exponent` seconds.
    fn reaches(&self, exponent: i32, value_ns: u64) -> bool {
        let value = Natural::from(value_ns).squared(self.squarings);
        let twos = exponent << self.scale.min(0).unsigned_abs();
        if twos < 0 {
            value.shifted(twos.unsigned_abs()) <= self.second
        } else {
            value <= self.second.shifted(twos.unsigned_abs())
        }
    }

    /// Index of the bucket of `value_ns`, which is not 0.
    fn index_of(&self, value_ns: u64) -> i32 {
        let exponent_below = |octave: i32| match self.scale {
            0.. => octave << self.scale,
            _ => octave >> self.scale.unsigned_abs(),
        };
        let (mut below, mut reaching) =
            (exponent_below(OCTAVE_BELOW_ALL), exponent_below(OCTAVE_ABOVE_ALL) + 1);
        while reaching - below > 1 {
            let middle = below.midpoint(reaching);
            if self.reaches(middle, value_ns) {
                reaching = middle;
            } else {
                below = middle;
            }
        }
        below
    }

    /// The largest number of nanoseconds that is at most `base^exponent` seconds.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a guess, and the cast saturates"
    )]
    fn last_within(&self, exponent: i32) -> u64 {
        let guess = power_s(self.scale, exponent) * 1e9;
        largest(guess as u64, |value_ns| self.reaches(exponent, value_ns))
    }
}
