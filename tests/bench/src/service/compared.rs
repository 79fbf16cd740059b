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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn an_export_counts_as_much_as_its_slice_is_of_the_interval() {
        let row = Row { interval: Duration::from_millis(100), is_attached: true, exports: 1, rounds: 2 };
        let found =
            |without: &[f64], with| Found { without: without.to_vec(), with: vec![with], ..Found::default() };
        let compared = Compared { row, found: vec![found(&[1.0, 1.5], 0.5), found(&[0.5], 0.5)] };
        assert_eq!(compared.ratio().value, 0.8 * 1.0 + 0.2 * 0.5);
    }
}
