//! A median, and how well it is known.

/// A value, and the ends between which it lies with a probability of 95 %.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Estimate {
    pub(crate) value: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl Estimate {
    /// The median of what some values are a sample of.
    ///
    /// The ends are values of the sample: how many lie below the median follows the binomial
    /// distribution, here its normal approximation. A sample of less than 6 values cannot tell; the
    /// ends are the least and the largest then.
    pub(crate) fn median(mut sample: Vec<f64>) -> Self {
        sample.sort_unstable_by(f64::total_cmp);
        let last = sample.len().checked_sub(1).expect("something was measured");
        // 1.96 standard deviations to each side of the middle, rounded outwards.
        let between = (sample.len() * 38_416 / 10_000).isqrt() + 1;
        let from_end = sample.len().saturating_sub(between) / 2;
        Self {
            value: (sample[last / 2] + sample[last.div_ceil(2)]) / 2.0,
            low: sample[from_end],
            high: sample[last - from_end],
        }
    }

    /// Of a time of which `share` is spent as in `other`, the rest as here.
    pub(crate) fn mixed(self, other: Self, share: f64) -> Self {
        let mix = |own: f64, other: f64| own + (other - own) * share;
        Self {
            value: mix(self.value, other.value),
            low: mix(self.low, other.low),
            high: mix(self.high, other.high),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_come_closer_with_more_values() {
        let of = |values: u32| Estimate::median((1..=values).map(f64::from).collect());
        assert_eq!(of(1), Estimate { value: 1.0, low: 1.0, high: 1.0 });
        assert_eq!(of(4), Estimate { value: 2.5, low: 1.0, high: 4.0 });
        assert_eq!(of(99), Estimate { value: 50.0, low: 40.0, high: 60.0 });
        assert_eq!(of(10_000), Estimate { value: 5_000.5, low: 4_902.0, high: 5_099.0 });
    }

    #[test]
    fn a_share_counts_as_much_as_it_is() {
        let exact = |value| Estimate { value, low: value, high: value };
        assert_eq!(exact(1.0).mixed(exact(0.5), 0.25), exact(0.875));
    }
}
