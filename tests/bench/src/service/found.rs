//! What one process has found.

use std::error::Error;
use std::fmt;
use std::str::FromStr;

/// Ratios of the throughput, attached to bare, of each pair of slices, and latencies.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Found {
    /// Of pairs without an export.
    pub(super) without: Vec<f64>,
    /// Of pairs with an export in the attached slice.
    pub(super) with: Vec<f64>,
    /// Of these, those whose export was answered within the slice.
    pub(super) answered: usize,
    /// Pairs that are left out.
    pub(super) strays: usize,
    /// In µs, one for each of [`QUANTILES`](crate::load::QUANTILES).
    pub(super) bare_us: Vec<f64>,
    pub(super) attached_us: Vec<f64>,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for values in [&self.without, &self.with, &self.bare_us, &self.attached_us] {
            values.iter().try_for_each(|value| write!(f, "{value} "))?;
            writeln!(f)?;
        }
        write!(f, "{} {}", self.answered, self.strays)
    }
}

impl FromStr for Found {
    type Err = Box<dyn Error>;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut lines = text.lines();
        let mut line = || lines.next().unwrap_or_default().split_whitespace();
        let mut values = || line().map(str::parse).collect::<Result<Vec<f64>, _>>();
        let [without, with, bare_us, attached_us] = [values()?, values()?, values()?, values()?];
        let counts: Vec<usize> = line().map(str::parse).collect::<Result<_, _>>()?;
        let [answered, strays] = counts[..] else { return Err("two counts are missing".into()) };
        Ok(Self { without, with, answered, strays, bare_us, attached_us })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_found_is_read_as_it_was_printed() {
        let found = Found {
            without: vec![0.75, 1.25],
            with: vec![1.0],
            answered: 1,
            strays: 3,
            bare_us: vec![1.5, 20.25, 300.0],
            attached_us: vec![1.75, 20.5, 301.0],
        };
        assert_eq!(found.to_string().parse::<Found>().expect("it was printed"), found);
        assert!("1 2\n3".parse::<Found>().is_err());
    }
}
