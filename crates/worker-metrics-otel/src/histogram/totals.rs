//! What a histogram of a source has counted so far.
//!
//! Kept by each series on the buckets of its source. Never goes backwards, whatever the source says.

use std::iter::repeat;

use worker_metrics::histogram::HistogramSnapshot;

/// Totals since the source was attached; none in the default.
#[derive(Debug, Default)]
pub(super) struct Totals {
    buckets: Vec<u64>,
    sum_ns: u64,
}

impl Totals {
    /// Raises each total to that of the snapshot, if that is larger.
    pub(super) fn raise(&mut self, snapshot: &HistogramSnapshot) {
        self.buckets.resize(snapshot.buckets.len(), 0);
        if is_at_least(&snapshot.buckets, &self.buckets) {
            self.buckets.copy_from_slice(&snapshot.buckets);
        } else {
            for (total, &count) in self.buckets.iter_mut().zip(&snapshot.buckets) {
                *total = count.max(*total);
            }
        }
        self.sum_ns = snapshot.sum_ns.map_or(self.sum_ns, |sum_ns| sum_ns.max(self.sum_ns));
    }

    /// The counts of each bucket.
    pub(super) fn counts(&self) -> &[u64] {
        &self.buckets
    }

    /// Whether nothing was ever counted: not even buckets are known.
    pub(super) fn is_empty(&self) -> bool {
        self.buckets.is_empty()
    }

    /// Takes over the counts of later totals.
    pub(super) fn advance_counts(&mut self, later: &Self) {
        self.buckets.clone_from(&later.buckets);
    }

    /// Takes over the sum of later totals.
    pub(super) fn advance_sum(&mut self, later: &Self) {
        self.sum_ns = later.sum_ns;
    }

    /// What each bucket has counted since earlier totals.
    pub(super) fn counts_since<'a>(&'a self, earlier: &'a Self) -> impl Iterator<Item = u64> + 'a {
        let before = earlier.buckets.iter().copied().chain(repeat(0));
        self.buckets.iter().zip(before).map(|(total, before)| total.saturating_sub(before))
    }

    /// What the measured sum has grown by since earlier totals.
    pub(super) fn sum_ns_since(&self, earlier: &Self) -> u64 {
        self.sum_ns.saturating_sub(earlier.sum_ns)
    }
}

/// Whether no count of the later ones is surely below that of the earlier ones: the usual case, told without a branch for each.
fn is_at_least(later: &[u64], earlier: &[u64]) -> bool {
    let differences = later.iter().zip(earlier).map(|(later, earlier)| later.wrapping_sub(*earlier) | later);
    differences.fold(0, |all, difference| all | difference) < 1 << 63
}
