//! A table of the largest value of each bucket, and the index into it.
//!
//! Called by the scales that no formula describes. Never searches further than one part of a
//! doubling.

use std::fmt;
use std::sync::Arc;

use super::MAX_BUCKETS;
use super::octaves::Octaves;

/// Finest cut of a doubling: no narrower than a bucket of the finest exponential scale.
const MAX_PRECISION: u32 = 7;
const _: () = assert!(MAX_BUCKETS - 1 <= u16::MAX as usize, "`below` holds numbers of thresholds");

/// The largest values of all buckets but the last, in nanoseconds, found by way of equal parts of a
/// doubling.
#[derive(Clone)]
pub(super) struct Thresholds {
    /// After the thresholds, `u64::MAX`: no value is above the last bucket.
    upper_ns: Arc<[u64]>,
    /// For each part from `offset` on, the number of thresholds below it; then the number of all.
    below: Arc<[u16]>,
    octaves: Octaves,
    /// Part of the first threshold.
    offset: u64,
    /// Whether one comparison is not enough in some part.
    crowded: bool,
}

impl Thresholds {
    /// `upper_ns` ascends, though not strictly, and is shorter than [`MAX_BUCKETS`].
    pub(super) fn new(mut upper_ns: Vec<u64>) -> Self {
        let octaves = (0..MAX_PRECISION).map(Octaves::new).find(|octaves| !is_crowded(&upper_ns, *octaves));
        let octaves = octaves.unwrap_or(Octaves::new(MAX_PRECISION));
        let crowded = is_crowded(&upper_ns, octaves);
        let part_of = |value: Option<&u64>| value.map_or(0, |&value| octaves.index_of(value));
        let (offset, last) = (part_of(upper_ns.first()), part_of(upper_ns.last()));
        let below_part = |part| upper_ns.partition_point(|&upper| Some(upper) < octaves.first_of(part));
        let below = (offset..=last).map(below_part).chain([upper_ns.len()]);
        let below = below.map(|count| u16::try_from(count).unwrap_or(u16::MAX)).collect();
        upper_ns.push(u64::MAX);
        Self { upper_ns: upper_ns.into(), below, octaves, offset, crowded }
    }

    pub(super) fn last(&self) -> usize {
        self.upper_ns.len() - 1
    }

    #[inline]
    pub(super) fn bucket_of(&self, value_ns: u64) -> usize {
        // Behind the parts of the thresholds every value is above them all.
        let behind = self.below.len() - 1;
        let part = self.octaves.index_of(value_ns).saturating_sub(self.offset);
        let part = usize::try_from(part).map_or(behind, |part| part.min(behind));
        let below = |part| self.below.get(part).map_or(0, |&below| usize::from(below));
        let from = below(part);
        if self.crowded {
            let within = self.upper_ns.get(from..below(part + 1)).unwrap_or_default();
            return from + within.partition_point(|&upper_ns| upper_ns < value_ns);
        }
        from + usize::from(self.upper_ns.get(from).is_some_and(|&upper_ns| upper_ns < value_ns))
    }

    pub(super) fn start_ns(&self, bucket: usize) -> u64 {
        let before = bucket.checked_sub(1).and_then(|before| self.upper_ns.get(before));
        before.map_or(0, |upper_ns| upper_ns.saturating_add(1))
    }
}

/// Whether a part has two thresholds that some value of it is above.
fn is_crowded(upper_ns: &[u64], octaves: Octaves) -> bool {
    let together = |pair: &[u64]| {
        pair[1].checked_add(1).is_some_and(|above| octaves.index_of(above) == octaves.index_of(pair[0]))
    };
    upper_ns.windows(2).any(together)
}

/// The largest value that `holds`, where that holds for 0 and for all below one for which it holds.
///
/// The guess saves time only.
pub(super) fn largest(guess: u64, holds: impl Fn(u64) -> bool) -> u64 {
    let mut value = guess;
    let mut step = 1_u64;
    while value > 0 && !holds(value) {
        value = value.saturating_sub(step);
        step = step.saturating_mul(2);
    }
    let next = |value: u64, step| value.checked_add(step).filter(|&next| holds(next));
    step = 1;
    while let Some(reached) = next(value, step) {
        value = reached;
        step = step.saturating_mul(2);
    }
    while step > 0 {
        value = next(value, step).unwrap_or(value);
        step /= 2;
    }
    value
}

impl PartialEq for Thresholds {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.upper_ns, &other.upper_ns) || self.upper_ns == other.upper_ns
    }
}

impl fmt::Debug for Thresholds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Thresholds").field("upper_ns", &self.upper_ns).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_value_is_found_from_any_guess() {
        let edges = [0, 1, 2, 1000, u64::MAX / 3, u64::MAX - 1, u64::MAX];
        for limit in edges {
            for guess in edges {
                assert_eq!(largest(guess, |value| value <= limit), limit, "from {guess}");
            }
        }
    }
}
