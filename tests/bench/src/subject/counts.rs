//! What was counted of one export.

use std::fmt;
use std::str::FromStr;

use super::Delivered;

/// What one export allocates in a steady state, on all threads, and what it delivers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Number of allocations, those included that only grow.
    pub allocations: usize,
    /// Bytes of all of them, however soon they are freed.
    pub allocated_bytes: usize,
    /// What it delivers.
    pub delivered: Delivered,
}

/// As numbers, for the process that asked.
impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { allocations, allocated_bytes, delivered } = self;
        write!(f, "{allocations} {allocated_bytes} {delivered}")
    }
}

impl FromStr for Counts {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut words = text.splitn(3, ' ');
        let mut next = || words.next().unwrap_or_default();
        let bad = |cause: std::num::ParseIntError| format!("{cause}: {text}");
        Ok(Self {
            allocations: next().parse().map_err(bad)?,
            allocated_bytes: next().parse().map_err(bad)?,
            delivered: next().parse().map_err(bad)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_arrive_as_they_were_told() {
        let delivered = Delivered { numbers: 7, histograms: 2, lost: 1, bytes: 800, gzipped: 90 };
        let counts = Counts { allocations: 12, allocated_bytes: 3_400, delivered };
        assert_eq!(counts.to_string().parse(), Ok(counts));
    }
}
