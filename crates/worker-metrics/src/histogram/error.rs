//! Why a scale cannot be built, and why two histograms cannot be added.
//!
//! Returned while a program sets itself up or merges snapshots. Never returned by recording.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use super::exponential::{MAX_SCALE, MIN_SCALE};
use super::log::MAX_PRECISION;

/// What is wrong with the options of a [`Scale`](super::Scale).
///
/// Each message names the value and the remedy (test `each_error_names_the_value_and_the_remedy`).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ScaleError {
    /// No bucket was asked for.
    NoBuckets,
    /// The buckets of a linear scale have no width.
    ZeroWidth,
    /// The buckets of a linear scale reach beyond what 64 bits of nanoseconds hold.
    WidthTimesBuckets {
        /// Width asked for.
        bucket_width: Duration,
        /// Number of buckets asked for.
        buckets: usize,
    },
    /// The largest value is zero.
    MaxZero,
    /// The smallest value is above the largest.
    MinAboveMax {
        /// Smallest value asked for.
        min: Duration,
        /// Largest value asked for.
        max: Duration,
    },
    /// The error of a log scale is not between 0 and 1, or not a number.
    MaxError {
        /// Error asked for.
        max_error: f64,
    },
    /// The precision of a log scale is above 10.
    Precision {
        /// Precision asked for.
        precision: u32,
    },
    /// There are no bounds.
    BoundsEmpty,
    /// A bound is infinite or not a number.
    BoundNotFinite {
        /// Position of the bound, from 0.
        index: usize,
        /// The bound, in seconds.
        bound_s: f64,
    },
    /// A bound is below zero.
    BoundNegative {
        /// Position of the bound, from 0.
        index: usize,
        /// The bound, in seconds.
        bound_s: f64,
    },
    /// A bound is not above the one before it.
    BoundsNotAscending {
        /// Position of the second of the two, from 0.
        index: usize,
        /// The bound before it, in seconds.
        previous_s: f64,
        /// The bound, in seconds.
        bound_s: f64,
    },
    /// A bucket does not end after the one before it, or the first ends at 0.
    EndsNotAscending {
        /// Position of the bucket, from 0.
        index: usize,
        /// End of the bucket before it; 0 for the first.
        previous_ns: u64,
        /// End of the bucket.
        end_ns: u64,
    },
    /// More buckets are needed than are allowed.
    TooManyBuckets {
        /// Number of buckets that the options need.
        required: usize,
        /// Number of buckets allowed.
        allowed: usize,
    },
    /// The scale of an exponential histogram is outside -4 to 6.
    ExponentialScale {
        /// Scale asked for.
        scale: i32,
    },
}

impl fmt::Display for ScaleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoBuckets => write!(f, "0 buckets can count nothing: ask for at least 1"),
            Self::ZeroWidth => {
                write!(f, "buckets of width 0 cover nothing: give bucket_width at least 1 ns")
            }
            Self::WidthTimesBuckets { bucket_width, buckets } => write!(
                f,
                "{buckets} buckets of {bucket_width:?} end beyond {:?}, the longest duration that is counted: \
                 use fewer or narrower buckets",
                Duration::from_nanos(u64::MAX)
            ),
            Self::MaxZero => write!(f, "a largest value of 0 leaves no range: give at least 1 ns"),
            Self::MinAboveMax { min, max } => write!(
                f,
                "the smallest value, {min:?}, is above the largest, {max:?}: lower the first or raise the second"
            ),
            Self::MaxError { max_error } => write!(
                f,
                "max_error is {max_error}: give a fraction above 0 and below 1, such as 0.25 for 25 %"
            ),
            Self::Precision { precision } => {
                write!(f, "precision_exact is {precision}: give at most {MAX_PRECISION}, an error of 0.1 %")
            }
            Self::BoundsEmpty => {
                write!(f, "0 bounds make one bucket of everything: give at least 1 bound, in seconds")
            }
            Self::BoundNotFinite { index, bound_s } => write!(
                f,
                "bound {index} is {bound_s}: give finite seconds; the bucket above the last bound is there anyway"
            ),
            Self::BoundNegative { index, bound_s } => {
                write!(f, "bound {index} is {bound_s} s, and no duration is below 0: leave it out")
            }
            Self::BoundsNotAscending { index, previous_s, bound_s } => write!(
                f,
                "bound {index} is {bound_s} s and the one before it is {previous_s} s: sort them and drop duplicates"
            ),
            Self::EndsNotAscending { index, previous_ns, end_ns } => write!(
                f,
                "bucket {index} ends at {end_ns} ns and begins at {previous_ns} ns: give ends that ascend from above 0"
            ),
            Self::TooManyBuckets { required, allowed } => write!(
                f,
                "{required} buckets are needed and {allowed} allowed: narrow the range, lower the precision or allow \
                 more, up to {}",
                super::MAX_BUCKETS
            ),
            Self::ExponentialScale { scale } => write!(
                f,
                "exponential scale {scale} is outside {MIN_SCALE} to {MAX_SCALE}: give one inside; at {MAX_SCALE} there \
                 are 64 buckets for each power of two, each 1.1 % wide, at {MIN_SCALE} each is 65536 times the one before"
            ),
        }
    }
}

impl Error for ScaleError {}

/// Two histograms stand on different scales, so that their buckets cannot be added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScaleMismatch {
    /// Buckets of the histogram that was to be added to.
    pub buckets: usize,
    /// Buckets of the histogram that was to be added.
    pub other_buckets: usize,
}

impl fmt::Display for ScaleMismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a histogram of {} buckets cannot be added to one of {} on another scale: give both the same Scale",
            self.other_buckets, self.buckets
        )
    }
}

impl Error for ScaleMismatch {}
