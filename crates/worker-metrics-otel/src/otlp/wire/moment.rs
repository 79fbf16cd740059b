//! The moment of an export.

use std::time::{SystemTime, UNIX_EPOCH};

/// The number of an export and its wall-clock time.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Moment {
    pub(crate) export: u64,
    pub(crate) time_ns: u64,
}

impl Moment {
    /// The moment of the next export.
    pub(crate) fn next(self, time: SystemTime) -> Self {
        Self { export: self.export + 1, time_ns: unix_ns(time) }
    }
}

/// Nanoseconds since 1970: 0 for an earlier time, `u64::MAX` for one that does not fit.
pub(crate) fn unix_ns(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
