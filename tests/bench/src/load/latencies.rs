//! Latencies, and their quantiles.

use std::sync::LazyLock;
use std::time::Duration;

use worker_metrics::histogram::Scale;

/// Which latencies are told: how many of 1,000 are below.
pub(crate) const QUANTILES: [(&str, f64); 3] = [("p50", 500.0), ("p99", 990.0), ("p99.9", 999.0)];

/// Microseconds with three digits, for a table.
pub(crate) fn micros(us: f64) -> String {
    match us {
        ..10.0 => format!("{us:.2} µs"),
        10.0..100.0 => format!("{us:.1} µs"),
        _ => format!("{us:.0} µs"),
    }
}

/// A doubling is 64 buckets: one is at most 1.6 % wide.
const PRECISION: u32 = 6;

/// The scale of all latencies.
pub(super) fn scale() -> &'static Scale {
    static SCALE: LazyLock<Scale> = LazyLock::new(|| {
        Scale::log()
            .min_value(Duration::from_nanos(100))
            .max_value(Duration::from_secs(1))
            .precision_exact(PRECISION)
            .build()
            .expect("a good scale")
    });
    &SCALE
}

/// How many latencies each bucket holds, or the share of them.
#[derive(Clone, Debug)]
pub(crate) struct Latencies {
    buckets: Vec<f64>,
}

impl Latencies {
    pub(crate) fn new() -> Self {
        Self { buckets: vec![0.0; scale().buckets()] }
    }

    pub(super) fn add_counts(&mut self, counts: &[u64]) {
        for (own, count) in self.buckets.iter_mut().zip(counts) {
            *own += *count as f64;
        }
    }

    /// Adds `others`, each of which counts `weight`.
    pub(crate) fn add(&mut self, others: &Self, weight: f64) {
        for (own, other) in self.buckets.iter_mut().zip(&others.buckets) {
            *own += other * weight;
        }
    }

    /// One for each of [`QUANTILES`], in µs.
    pub(crate) fn quantiles_us(&self) -> Vec<f64> {
        QUANTILES.iter().map(|(_, per_1000)| self.quantile_ns(*per_1000) / 1e3).collect()
    }

    /// The latency that `per_1000` of 1,000 do not exceed; within a bucket they are spread evenly.
    fn quantile_ns(&self, per_1000: f64) -> f64 {
        let rank = self.buckets.iter().sum::<f64>() * per_1000 / 1_000.0;
        let mut below = 0.0;
        for (bucket, &held) in self.buckets.iter().enumerate() {
            if held > 0.0 && below + held >= rank {
                let range = scale().bucket_range(bucket).expect("it is one of the scale");
                // The last bucket has no end.
                let width = if range.end == u64::MAX { 0 } else { range.end - range.start };
                return range.start as f64 + width as f64 * (rank - below) / held;
            }
            below += held;
        }
        panic!("no latency was measured");
    }
}

#[cfg(test)]
mod tests {
    use worker_metrics::histogram::LocalHistogram;

    use super::*;

    fn of(values_us: impl Iterator<Item = u64>) -> Latencies {
        let mut histogram = LocalHistogram::new(scale());
        values_us.for_each(|us| histogram.measure(us * 1_000));
        let mut latencies = Latencies::new();
        latencies.add_counts(histogram.buckets());
        latencies
    }

    #[track_caller]
    fn assert_near(actual: f64, expected: f64) {
        assert!((actual / expected - 1.0).abs() < 0.02, "{actual} is not {expected}");
    }

    #[test]
    fn a_quantile_is_the_value_of_its_rank() {
        let quantiles = of(1..=1_000).quantiles_us();
        for (actual, expected) in quantiles.into_iter().zip([500.0, 990.0, 999.0]) {
            assert_near(actual, expected);
        }
        assert_near(of([7].into_iter()).quantiles_us()[2], 7.0);
    }

    #[test]
    fn what_is_added_counts_as_much_as_its_weight() {
        let mut mixed = Latencies::new();
        mixed.add(&of([10; 600].into_iter()), 1.0);
        mixed.add(&of([100; 4_000].into_iter()), 0.1);
        assert_near(mixed.quantile_ns(500.0), 10_000.0);
        assert_near(mixed.quantile_ns(700.0), 100_000.0);
    }

    #[test]
    #[should_panic(expected = "no latency was measured")]
    fn nothing_has_no_quantile() {
        Latencies::new().quantiles_us();
    }
}
