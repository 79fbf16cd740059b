//! Buckets that somebody else laid out.
//!
//! Called through `Scale`, by sources whose runtime tells where its buckets end. Never guesses the
//! rule behind them.

use super::scale::{Bounds, Layout, check_buckets};
use super::thresholds::Thresholds;
use super::{Scale, ScaleError};

impl Scale {
    /// A scale of buckets that end, exclusively, where `ends_ns` says, the first beginning at 0.
    ///
    /// **Unit**: nanoseconds. The last bucket is open, whatever its end.
    ///
    /// # Errors
    ///
    /// When there are no or more than [`MAX_BUCKETS`](super::MAX_BUCKETS) ends, or they do not
    /// ascend from above 0.
    pub fn from_bucket_ends_ns(ends_ns: &[u64]) -> Result<Scale, ScaleError> {
        check_buckets(ends_ns.len())?;
        let mut previous_ns = 0;
        for (index, &end_ns) in ends_ns.iter().enumerate() {
            if end_ns <= previous_ns {
                return Err(ScaleError::EndsNotAscending { index, previous_ns, end_ns });
            }
            previous_ns = end_ns;
        }
        let but_the_last = &ends_ns[..ends_ns.len() - 1];
        let thresholds = Thresholds::new(but_the_last.iter().map(|end_ns| end_ns - 1).collect());
        Ok(Scale::new(Layout::Table { thresholds, bounds: Bounds::Thresholds }))
    }
}
