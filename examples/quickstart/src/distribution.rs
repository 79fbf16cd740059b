//! A histogram in words.

use otlp_receiver::Point;

use crate::units;

/// The number of values up to each bound, in seconds; the last bucket has none.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Distribution {
    bounds: Vec<f64>,
    counts: Vec<u64>,
}

impl Distribution {
    /// What `now` has beyond `before`, the same series at an earlier time.
    ///
    /// **Absent when** it is no histogram with explicit bounds.
    pub(crate) fn since(before: Option<&Point>, now: &Point) -> Option<Self> {
        let now = now.histogram()?;
        let before = before.and_then(Point::histogram).filter(|before| before.bounds == now.bounds);
        let earlier =
            |bucket: usize| before.and_then(|before| before.bucket_counts.get(bucket)).copied().unwrap_or(0);
        let counts = now.bucket_counts.iter().enumerate();
        Some(Self {
            bounds: now.bounds.clone(),
            counts: counts.map(|(bucket, count)| count.saturating_sub(earlier(bucket))).collect(),
        })
    }

    /// The counts of several series of one metric, bucket by bucket.
    pub(crate) fn add(&mut self, other: &Self) {
        if self.counts.is_empty() {
            self.bounds.clone_from(&other.bounds);
            self.counts.resize(other.counts.len(), 0);
        }
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
    }

    fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The bound within which `part` of the values lie, `0..=1`; infinite for the last bucket.
    fn within(&self, part: f64) -> f64 {
        let wanted = self.count() as f64 * part;
        let mut seen = 0;
        let bucket = self.counts.iter().position(|count| {
            seen += count;
            seen as f64 >= wanted && seen > 0
        });
        bucket.and_then(|bucket| self.bounds.get(bucket)).copied().unwrap_or(f64::INFINITY)
    }

    /// Where the values lie, such as
    /// `half within 16 µs, 90 % within 66 µs, 99 % within 1 ms, all within 4.29 s`.
    pub(crate) fn text(&self) -> String {
        if self.count() == 0 {
            return "none".to_owned();
        }
        let parts = [("half", 0.5), ("90 %", 0.9), ("99 %", 0.99), ("all", 1.0)];
        let texts = parts.map(|(name, part)| match self.within(part) {
            bound if bound.is_finite() => format!("{name} within {}", units::time(bound)),
            _ => format!("{name} above {}", units::time(self.bounds.last().copied().unwrap_or(0.0))),
        });
        texts.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn distribution(counts: &[u64]) -> Distribution {
        Distribution { bounds: vec![0.001, 0.002, 0.004], counts: counts.to_vec() }
    }

    #[test]
    fn quantiles_are_the_bounds_that_hold_them() {
        assert_eq!(
            distribution(&[50, 40, 10, 0]).text(),
            "half within 1 ms, 90 % within 2 ms, 99 % within 4 ms, all within 4 ms"
        );
    }

    #[test]
    fn what_is_above_all_bounds_is_said_to_be() {
        assert_eq!(
            distribution(&[0, 99, 0, 1]).text(),
            "half within 2 ms, 90 % within 2 ms, 99 % within 2 ms, all above 4 ms"
        );
    }

    #[test]
    fn no_values_have_no_quantiles() {
        assert_eq!(distribution(&[0, 0, 0, 0]).text(), "none");
        assert_eq!(Distribution::default().text(), "none");
    }

    #[test]
    fn series_add_up() {
        let mut all = Distribution::default();
        all.add(&distribution(&[1, 0, 0, 0]));
        all.add(&distribution(&[0, 2, 0, 3]));
        assert_eq!(all, distribution(&[1, 2, 0, 3]));
    }
}
