//! What one process has measured.

use std::fmt;
use std::num::ParseFloatError;
use std::str::FromStr;

/// A throughput, and latencies where the workload has them.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Outcome {
    pub(super) per_second: f64,
    /// In µs, one for each of [`QUANTILES`].
    pub(super) latencies_us: Vec<f64>,
}

/// Which latencies are told: how many of 1,000 are below.
pub(super) const QUANTILES: [(&str, usize); 3] = [("p50", 500), ("p99", 990), ("p99.9", 999)];

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.per_second)?;
        self.latencies_us.iter().try_for_each(|latency_us| write!(f, " {latency_us}"))
    }
}

impl FromStr for Outcome {
    type Err = ParseFloatError;

    fn from_str(text: &str) -> Result<Self, ParseFloatError> {
        let (per_second, latencies_us) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
        Ok(Self {
            per_second: per_second.parse()?,
            latencies_us: latencies_us.split_whitespace().map(str::parse).collect::<Result<_, _>>()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_is_read_as_it_was_printed() {
        for latencies_us in [vec![], vec![1.5, 20.25, 300.0]] {
            let outcome = Outcome { per_second: 123_456.75, latencies_us };
            assert_eq!(outcome.to_string().parse(), Ok(outcome));
        }
    }
}
