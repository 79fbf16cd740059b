//! The totals of a histogram of a source, on the buckets of the source.
//!
//! They never go backwards, whatever the source says.

use std::iter::repeat;

use worker_metrics::histogram::HistogramSnapshot;

/// Counts of each bucket, and the measured sum; `default()` has no buckets.
#[derive(Clone, Debug, Default)]
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

    /// Whether there are no buckets.
    pub(super) fn is_empty(&self) -> bool {
        self.buckets.is_empty()
    }

    /// Becomes a copy of `other`, in the memory that is there.
    pub(super) fn copy_from(&mut self, other: &Self) {
        self.buckets.clone_from(&other.buckets);
        self.sum_ns = other.sum_ns;
    }

    /// The totals of a snapshot; none if it has counted nothing.
    pub(super) fn of(snapshot: &HistogramSnapshot) -> Self {
        let mut totals = Self::default();
        if snapshot.buckets.iter().any(|&count| count > 0) {
            totals.raise(snapshot);
        }
        totals
    }

    /// Keeps the sum of earlier totals: of these it was not measured.
    pub(super) fn keep_sum_of(&mut self, earlier: &Self) {
        self.sum_ns = earlier.sum_ns;
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

/// Whether each later count is surely at least the earlier one: the usual case, without a branch
/// for each.
fn is_at_least(later: &[u64], earlier: &[u64]) -> bool {
    let differences = later.iter().zip(earlier).map(|(later, earlier)| later.wrapping_sub(*earlier) | later);
    differences.fold(0, |all, difference| all | difference) < 1 << 63
}
