//! Bounds of exported histograms, and why some cannot be had.
//!
//! Errors are returned while a program sets itself up. An export falls back to the source's own
//! buckets.

use std::error::Error;
use std::fmt;

/// What is wrong with the bounds given to
/// [`HistogramOptions::with_bounds`](crate::HistogramOptions::with_bounds).
///
/// Each message names the bound and the remedy (test `each_error_names_the_bound_and_the_remedy`).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum BoundsError {
    /// There are no bounds.
    Empty,
    /// A bound is infinite or not a number.
    NotFinite {
        /// Position of the bound, from 0.
        index: usize,
        /// The bound, in seconds.
        bound_s: f64,
    },
    /// A bound is not above the one before it.
    NotAscending {
        /// Position of the second of the two, from 0.
        index: usize,
        /// The bound before it, in seconds.
        previous_s: f64,
        /// The bound, in seconds.
        bound_s: f64,
    },
    /// No bucket of the source ends at the bound, so that the counts below it are not known.
    NotOfSource {
        /// The bound, in seconds.
        bound_s: f64,
        /// The nearest bound of the source below it, in seconds; `None` if there is none.
        below_s: Option<f64>,
        /// The nearest bound of the source above it, in seconds; `None` if there is none.
        above_s: Option<f64>,
    },
}

impl fmt::Display for BoundsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => {
                write!(f, "0 bounds make one bucket of everything: give at least 1 bound, in seconds")
            }
            Self::NotFinite { index, bound_s } => write!(
                f,
                "bound {index} is {bound_s}: give finite seconds; the bucket above the last bound is there anyway"
            ),
            Self::NotAscending { index, previous_s, bound_s } => write!(
                f,
                "bound {index} is {bound_s} s and the one before it is {previous_s} s: sort them and drop duplicates"
            ),
            Self::NotOfSource { bound_s, below_s, above_s } => {
                write!(f, "no bucket of the source ends at {bound_s} s: ")?;
                match (below_s, above_s) {
                    (Some(below_s), Some(above_s)) => {
                        write!(f, "give {below_s} s or {above_s} s, which are next to it")
                    }
                    (Some(nearest_s), None) | (None, Some(nearest_s)) => {
                        write!(f, "give {nearest_s} s, which is next to it")
                    }
                    (None, None) => write!(f, "it has one bucket, so leave the bounds out"),
                }
            }
        }
    }
}

impl Error for BoundsError {}

/// The position of a bound among those of a source: the last one if several are the same number.
pub(super) fn nearest(bounds_s: &[f64], bound_s: f64) -> Result<usize, BoundsError> {
    let above = bounds_s.partition_point(|&of_source_s| of_source_s <= bound_s);
    let below = above.checked_sub(1);
    let below_s = below.map(|below| bounds_s[below]);
    below.filter(|_| below_s == Some(bound_s)).ok_or_else(|| BoundsError::NotOfSource {
        bound_s,
        below_s,
        above_s: bounds_s.get(above).copied(),
    })
}

/// The positions of bounds among those of a source, if it has them all.
#[cfg(feature = "otlp")]
pub(crate) fn positions_of_bounds(bounds_s: &[f64], asked_s: &[f64]) -> Option<Vec<usize>> {
    asked_s.iter().map(|&asked_s| nearest(bounds_s, asked_s).ok()).collect()
}
