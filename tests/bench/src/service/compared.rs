//! What was found of one row of a workload.

use super::found::Found;
use super::row::Row;
use super::slices::share_of_a_slice;
use crate::estimate::Estimate;

/// All processes of a row.
#[derive(Clone, Debug)]
pub(super) struct Compared {
    pub(super) row: Row,
    pub(super) found: Vec<Found>,
}

impl Compared {
    /// The throughput, attached to bare, as in use.
    pub(super) fn ratio(&self) -> Estimate {
        self.without().mixed(self.with(), share_of_a_slice(self.row.interval))
    }

    pub(super) fn without(&self) -> Estimate {
        Estimate::median(self.found.iter().flat_map(|found| &found.without).copied().collect())
    }

    pub(super) fn with(&self) -> Estimate {
        Estimate::median(self.found.iter().flat_map(|found| &found.with).copied().collect())
    }
}
