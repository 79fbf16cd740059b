//! The outcomes of a workload as Markdown.

use super::WORKERS;
use super::outcome::{Outcome, QUANTILES};
use super::variant::Variant;
use super::workload::Workload;
use crate::spread::Spread;

/// `outcomes` has the rounds of each variant, the first of which is the bare runtime.
pub(super) fn table(workload: Workload, variants: &[Variant], outcomes: &[Vec<Outcome>]) -> String {
    let [bare, ..] = outcomes else { panic!("nothing was measured") };
    let latencies = bare.first().map_or(0, |outcome| outcome.latencies_us.len());
    let (counts, unit) = workload.counts();
    let mut table = format!("{}\n\n| | {counts} | against bare | least – largest |", workload.description());
    match latencies {
        0 => table += " more time for each |\n|---|---|---|---|---|\n",
        _ => {
            let titles = QUANTILES.map(|(title, _)| title);
            table += &format!(" {} |\n|---|---|---|---|{}\n", titles.join(" | "), "---|".repeat(latencies));
        }
    }
    for (variant, outcomes) in variants.iter().zip(outcomes) {
        let throughput = Spread::of(outcomes.iter().map(|outcome| outcome.per_second / unit));
        let ratio = Spread::of(against(bare, outcomes, |outcome| outcome.per_second));
        table += &format!(
            "| {} | {:.2} | {:.2} | {:.2} – {:.2} |",
            variant.title(),
            throughput.median,
            ratio.median,
            ratio.least,
            ratio.most
        );
        if latencies == 0 {
            let more_ns =
                bare.iter().zip(outcomes).map(|(bare, outcome)| worker_ns(outcome) - worker_ns(bare));
            table += &format!(" {:.0} ns |", Spread::of(more_ns).median);
        }
        for quantile in 0..latencies {
            let latency_us = Spread::of(outcomes.iter().map(|outcome| outcome.latencies_us[quantile]));
            let ratio = Spread::of(against(bare, outcomes, |outcome| outcome.latencies_us[quantile]));
            table += &format!(" {:.0} µs ({:.2}) |", latency_us.median, ratio.median);
        }
        table += "\n";
    }
    table
}

/// The ratio of each round.
fn against<'a>(
    bare: &'a [Outcome],
    outcomes: &'a [Outcome],
    value: impl Fn(&Outcome) -> f64 + 'a,
) -> impl Iterator<Item = f64> + 'a {
    bare.iter().zip(outcomes).map(move |(bare, outcome)| value(outcome) / value(bare))
}

/// What one takes of a worker's time, as all workers are busy.
fn worker_ns(outcome: &Outcome) -> f64 {
    WORKERS as f64 * 1e9 / outcome.per_second
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_that_of_the_same_round() {
        let outcomes = |values: [f64; 3]| {
            values.map(|per_second| Outcome { per_second, latencies_us: Vec::new() }).to_vec()
        };
        let measured = [outcomes([1e6, 2e6, 4e6]), outcomes([0.9e6, 1.6e6, 2e6])];
        let table = table(Workload::Yields, &[Variant::Bare, Variant::Attached], &measured);
        let rows: Vec<_> = table.lines().rev().take(2).collect();
        assert_eq!(rows[1], "| bare | 2.00 | 1.00 | 1.00 – 1.00 | 0 ns |");
        assert_eq!(rows[0], "| attached | 1.60 | 0.80 | 0.50 – 0.90 | 250 ns |");
    }

    #[test]
    fn latencies_are_told_with_their_ratio() {
        let outcome = |us: f64| vec![Outcome { per_second: 1e3, latencies_us: vec![us, 2.0 * us, 3.0 * us] }];
        let table =
            table(Workload::Echo, &[Variant::Bare, Variant::Attached], &[outcome(10.0), outcome(15.0)]);
        let last = table.lines().last();
        assert_eq!(
            last,
            Some("| attached | 1.00 | 1.00 | 1.00 – 1.00 | 15 µs (1.50) | 30 µs (1.50) | 45 µs (1.50) |")
        );
    }
}
