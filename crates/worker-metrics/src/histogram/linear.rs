//! Buckets of one width.
//!
//! Called through `Scale`. Never divides while a value is recorded.

use std::time::Duration;

use crate::clock::saturating_ns;

use super::scale::{Layout, check_buckets};
use super::{Scale, ScaleError};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Linear {
    width_ns: u64,
    /// `2^64 / width`, rounded down or, where that is a whole number, one less.
    reciprocal: u64,
    last: usize,
}

impl Scale {
    /// A scale of `buckets` buckets, each `bucket_width` wide but the last, which is open.
    ///
    /// It has the ranges of `HistogramConfiguration::linear` of Tokio (test
    /// `linear_has_the_ranges_of_tokio`).
    ///
    /// # Errors
    ///
    /// When there are no or more than [`MAX_BUCKETS`](super::MAX_BUCKETS) buckets, their width is
    /// 0, or they end above `u64::MAX` nanoseconds.
    pub fn linear(bucket_width: Duration, buckets: usize) -> Result<Scale, ScaleError> {
        Ok(Scale::new(Layout::Linear(Linear::new(bucket_width, buckets)?)))
    }
}

impl Linear {
    fn new(bucket_width: Duration, buckets: usize) -> Result<Self, ScaleError> {
        check_buckets(buckets)?;
        let width_ns = saturating_ns(bucket_width);
        if width_ns == 0 {
            return Err(ScaleError::ZeroWidth);
        }
        if u128::from(width_ns) * buckets as u128 > u128::from(u64::MAX) {
            return Err(ScaleError::WidthTimesBuckets { bucket_width, buckets });
        }
        Ok(Self { width_ns, reciprocal: u64::MAX / width_ns, last: buckets - 1 })
    }

    pub(super) fn last(&self) -> usize {
        self.last
    }

    #[inline]
    pub(super) fn bucket_of(&self, value_ns: u64) -> usize {
        // The reciprocal is short of the true one by at most 1, so the product is short by less
        // than one whole bucket.
        let product = (u128::from(value_ns) * u128::from(self.reciprocal)) >> 64;
        let quotient = u64::try_from(product).unwrap_or(u64::MAX);
        let rest_ns = value_ns.wrapping_sub(quotient.wrapping_mul(self.width_ns));
        let bucket = quotient + u64::from(rest_ns >= self.width_ns);
        usize::try_from(bucket).map_or(self.last, |bucket| bucket.min(self.last))
    }

    pub(super) fn start_ns(&self, bucket: usize) -> u64 {
        self.width_ns.saturating_mul(bucket as u64)
    }
}
