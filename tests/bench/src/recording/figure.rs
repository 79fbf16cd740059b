//! One cell of a table: what all passes say together.

use std::fmt;

use super::estimate::Estimate;
use crate::spread::Spread;

/// The estimates of all passes, in their order.
#[derive(Clone, Debug)]
pub(super) struct Figure {
    passes: Vec<Estimate>,
}

impl Figure {
    pub(super) fn new(passes: Vec<Estimate>) -> Self {
        assert!(!passes.is_empty(), "nothing was measured");
        Self { passes }
    }

    /// The pass in the middle.
    pub(super) fn median(&self) -> Estimate {
        let mut passes = self.passes.clone();
        passes.sort_unstable_by(|one, other| one.ns.total_cmp(&other.ns));
        passes[passes.len() / 2]
    }

    /// The ratio of each pass to the same pass of `other`: what slows both down cancels.
    pub(super) fn against(&self, other: &Self) -> Spread {
        Spread::of(self.passes.iter().zip(&other.passes).map(|(one, other)| one.ns / other.ns))
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Estimate { ns, least_ns, most_ns } = self.median();
        let digits = if ns < 10.0 { 2 } else { 1 };
        write!(f, "{ns:.digits$} ns ({least_ns:.digits$} – {most_ns:.digits$})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(passes_ns: [f64; 3]) -> Figure {
        let estimate = |ns| Estimate { ns, least_ns: ns - 0.5, most_ns: ns + 0.5 };
        Figure::new(passes_ns.map(estimate).into())
    }

    #[test]
    fn the_figure_is_the_pass_in_the_middle_with_its_interval() {
        assert_eq!(figure([3.0, 1.0, 2.0]).to_string(), "2.00 ns (1.50 – 2.50)");
        assert_eq!(figure([30.0, 10.0, 90.0]).to_string(), "30.0 ns (29.5 – 30.5)");
    }

    #[test]
    fn a_pass_is_compared_with_the_same_pass_of_the_other() {
        let ratios = figure([20.0, 40.0, 90.0]).against(&figure([10.0, 20.0, 30.0]));
        assert_eq!(ratios, Spread { median: 2.0, least: 2.0, most: 3.0 });
    }
}
