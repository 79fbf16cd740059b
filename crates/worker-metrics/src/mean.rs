//! The mean poll time, as it follows the polls.
//!
//! A [`Batch`](crate::Batch) moves it at each submit, readers turn it into a duration. Nothing here
//! may divide, or compute in floating point, for a batch of an ordinary size.

use std::time::Duration;

/// Weight of one poll: the `TASK_POLL_TIME_EWMA_ALPHA` of Tokio 1.54's multi-thread scheduler.
const ALPHA: f64 = 0.1;

/// Polls of the largest batch whose weights are kept: Tokio submits every 61.
const KEPT: usize = 64;

/// Below the nanosecond. The other 48 bits hold 78 hours; a longer batch counts as one of 78 hours.
const FRACTION_BITS: u32 = 16;
const MOST_NS: u64 = u64::MAX >> FRACTION_BITS;

/// What a batch of n polls weighs: `(1 - alpha)^n` of the past stays, and each nanosecond of the
/// batch counts the n-th part of the rest.
///
/// **Unit**: the 2^64th part of 1.
#[derive(Clone, Copy)]
struct Weights {
    of_the_past: u64,
    of_the_batch: u64,
}

static WEIGHTS: [Weights; KEPT] = {
    let mut weights = [Weights { of_the_past: 0, of_the_batch: 0 }; KEPT];
    let (mut polls, mut of_the_past) = (0, 1.0);
    while polls < KEPT {
        of_the_past *= 1.0 - ALPHA;
        let of_the_batch = (1.0 - of_the_past) / (polls + 1) as f64;
        weights[polls] = Weights { of_the_past: fraction(of_the_past), of_the_batch: fraction(of_the_batch) };
        polls += 1;
    }
    weights
};

/// The mean of nothing.
pub(crate) const NONE: u64 = 0;

/// [`after`] for a batch of an ordinary size, neither empty nor the first; `None` for any other.
#[inline]
pub(crate) fn after_few_polls(mean: u64, polls: u64, busy_ns: u64) -> Option<u64> {
    if mean == NONE || busy_ns > MOST_NS {
        return None;
    }
    let weights = WEIGHTS.get(usize::try_from(polls.wrapping_sub(1)).ok()?)?;
    let (past, batch) =
        (part(mean, weights.of_the_past), part(busy_ns << FRACTION_BITS, weights.of_the_batch));
    // Both are rounded down; one more, so that it is never none again.
    Some(past + batch + 1)
}

/// Where a mean moves to when `polls` take `busy_ns` together.
///
/// A batch of n polls moves it by 1 - (1 - alpha)^n towards the mean of the batch: Tokio's
/// weighting, which equals n single steps with the batch's mean.
///
/// **Unit**: of a mean, the 2^16th part of a nanosecond.
pub(crate) fn after(mean: u64, polls: u64, busy_ns: u64) -> u64 {
    if polls == 0 {
        return mean;
    }
    let batch_mean = (busy_ns.min(MOST_NS) << FRACTION_BITS) / polls;
    if mean == NONE {
        return batch_mean.max(NONE + 1);
    }
    // After 1,000 polls less than the 10^45th part of the past is left.
    let of_the_past = i32::try_from(polls.min(1_000)).map_or(0, |polls| fraction((1.0 - ALPHA).powi(polls)));
    part(mean, of_the_past) + (batch_mean - part(batch_mean, of_the_past)) + 1
}

/// So much of `value`, rounded down.
#[inline]
fn part(value: u64, weight: u64) -> u64 {
    ((u128::from(value) * u128::from(weight)) >> 64) as u64
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is between 0 and 1")]
const fn fraction(weight: f64) -> u64 {
    (weight * (u64::MAX as f64)) as u64
}

/// The mean as readers see it; at least a nanosecond, so that it does not look like none.
pub(crate) fn rounded(mean: u64) -> Option<Duration> {
    let half = 1 << (FRACTION_BITS - 1);
    (mean != NONE).then(|| Duration::from_nanos((mean.saturating_add(half) >> FRACTION_BITS).max(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE_NS: u64 = 1 << FRACTION_BITS;

    #[test]
    fn a_batch_of_any_size_weighs_as_much_as_its_polls_one_by_one() {
        for polls in 0..1_000 {
            let one_by_one = (0..polls).fold(700 * ONE_NS, |mean, _| after(mean, 1, 5_000));
            let together = after(700 * ONE_NS, polls, 5_000 * polls);
            assert!(one_by_one.abs_diff(together) < 100, "{polls} polls: {one_by_one}, {together}");
            let few = after_few_polls(700 * ONE_NS, polls, 5_000 * polls);
            assert_eq!(few.is_some(), (1..=KEPT as u64).contains(&polls));
            assert!(few.is_none_or(|few| few.abs_diff(together) < 100), "{polls} polls: {few:?}, {together}");
        }
    }

    #[test]
    fn the_first_batch_is_the_mean_and_an_empty_one_changes_nothing() {
        assert_eq!(after(NONE, 4, 100), 25 * ONE_NS);
        assert_eq!(after(NONE, 0, 100), NONE);
        assert_eq!(after(25 * ONE_NS, 0, 100), 25 * ONE_NS);
    }

    #[test]
    fn a_mean_that_was_begun_is_never_none_again() {
        for polls in [1, KEPT as u64, KEPT as u64 + 1, u64::MAX] {
            for mean in [NONE, 1, ONE_NS, u64::MAX] {
                for busy_ns in [0, 1, u64::MAX] {
                    let few = after_few_polls(mean, polls, busy_ns);
                    for mean in few.into_iter().chain([after(mean, polls, busy_ns)]) {
                        assert!(rounded(mean) >= Some(Duration::from_nanos(1)));
                    }
                }
            }
        }
        assert_eq!(rounded(NONE), None);
    }
}
