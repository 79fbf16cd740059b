//! What one process has measured.

use std::fmt;
use std::num::ParseFloatError;
use std::str::FromStr;

/// A throughput, what it takes, and latencies where the workload has them.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Outcome {
    pub(super) per_second: f64,
    /// Processor time of each event, where the system tells it.
    pub(super) each_ns: Option<f64>,
    /// In µs, one for each of [`QUANTILES`](crate::load::QUANTILES).
    pub(super) latencies_us: Vec<f64>,
}

const UNKNOWN: &str = "-";

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.per_second)?;
        match self.each_ns {
            Some(each_ns) => write!(f, "{each_ns}")?,
            None => f.write_str(UNKNOWN)?,
        }
        self.latencies_us.iter().try_for_each(|latency_us| write!(f, " {latency_us}"))
    }
}

impl FromStr for Outcome {
    type Err = ParseFloatError;

    fn from_str(text: &str) -> Result<Self, ParseFloatError> {
        let mut words = text.split_whitespace();
        let mut word = || words.next().unwrap_or_default();
        Ok(Self {
            per_second: word().parse()?,
            each_ns: match word() {
                UNKNOWN => None,
                each_ns => Some(each_ns.parse()?),
            },
            latencies_us: words.map(str::parse).collect::<Result<_, _>>()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_is_read_as_it_was_printed() {
        for latencies_us in [vec![], vec![1.5, 20.25, 300.0]] {
            for each_ns in [None, Some(83.5)] {
                let outcome = Outcome { per_second: 123_456.75, each_ns, latencies_us: latencies_us.clone() };
                assert_eq!(outcome.to_string().parse(), Ok(outcome));
            }
        }
    }
}
