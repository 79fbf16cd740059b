//! When an export is made.

use std::time::{SystemTime, UNIX_EPOCH};

/// A cycle of a ledger, and its time.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Moment {
    pub(crate) cycle: u64,
    pub(crate) time_ns: u64,
}

impl Moment {
    /// The moment of the next cycle.
    pub(crate) fn next(self, time: SystemTime) -> Self {
        Self { cycle: self.cycle + 1, time_ns: unix_ns(time) }
    }

    /// When something began. A source that is attached while a cycle is under way must not begin after it.
    pub(crate) fn began_ns(self, start: SystemTime) -> u64 {
        unix_ns(start).min(self.time_ns.saturating_sub(1))
    }
}

/// Nanoseconds since 1970, with 0 for what is before and `u64::MAX` for what does not fit.
fn unix_ns(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
