//! The outcomes of a workload as Markdown.

use super::outcome::Outcome;
use super::variant::Variant;
use crate::load::{QUANTILES, Workload, micros};
use crate::spread::Spread;

/// `outcomes` has the rounds of each variant, the first of which is the bare runtime.
pub(super) fn table(workload: Workload, variants: &[Variant], outcomes: &[Vec<Outcome>]) -> String {
    let [bare, ..] = outcomes else { panic!("nothing was measured") };
    let latencies = bare.first().map_or(0, |outcome| outcome.latencies_us.len());
    let (counts, unit) = workload.counts();
    let mut table = format!(
        "{}\n\n| | {counts} | against bare | least – largest | processor time of each | more than bare | least – largest |",
        workload.description()
    );
    table.extend(QUANTILES.iter().take(latencies).map(|(title, _)| format!(" {title} |")));
    table += &format!("\n|---|{}\n", "---|".repeat(6 + latencies));
    for (variant, outcomes) in variants.iter().zip(outcomes) {
        let throughput = Spread::of(outcomes.iter().map(|outcome| outcome.per_second / unit));
        let ratio = Spread::of(against(bare, outcomes, |outcome| outcome.per_second));
        let Spread { median, least, most } = ratio;
        table += &format!(
            "| {} | {:.2} | {median:.2} | {least:.2} – {most:.2} |{}",
            variant.title(),
            throughput.median,
            processor_cells(workload, bare, outcomes)
        );
        for quantile in 0..latencies {
            let latency_us = Spread::of(outcomes.iter().map(|outcome| outcome.latencies_us[quantile]));
            let ratio = Spread::of(against(bare, outcomes, |outcome| outcome.latencies_us[quantile]));
            table += &format!(" {} ({:.2}) |", micros(latency_us.median), ratio.median);
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

/// What one takes, and how much more that is in the same round.
fn processor_cells(workload: Workload, bare: &[Outcome], outcomes: &[Outcome]) -> String {
    let (unit, unit_ns) = workload.each();
    let each = |outcomes: &[Outcome]| -> Option<Vec<f64>> {
        outcomes.iter().map(|outcome| Some(outcome.each_ns? / unit_ns)).collect()
    };
    let (Some(bare), Some(each)) = (each(bare), each(outcomes)) else {
        return " – | – | – |".to_owned();
    };
    let digits = if unit_ns > 1.0 { 2 } else { 0 };
    let Spread { median, least, most } = Spread::of(bare.iter().zip(&each).map(|(bare, each)| each - bare));
    let each = Spread::of(each).median;
    format!(" {each:.digits$} {unit} | {median:+.digits$} {unit} | {least:+.digits$} – {most:+.digits$} |")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(per_second: f64, each_ns: f64) -> Outcome {
        Outcome { per_second, each_ns: Some(each_ns), latencies_us: Vec::new() }
    }

    #[test]
    fn a_round_is_compared_with_bare_in_the_same_round() {
        let measured = [
            vec![outcome(1e6, 100.0), outcome(2e6, 200.0), outcome(4e6, 300.0)],
            vec![outcome(0.9e6, 110.0), outcome(1.6e6, 230.0), outcome(2e6, 320.0)],
        ];
        let table = table(Workload::Yields, &[Variant::Bare, Variant::Attached], &measured);
        let rows: Vec<_> = table.lines().rev().take(2).collect();
        assert_eq!(rows[1], "| bare | 2.00 | 1.00 | 1.00 – 1.00 | 200 ns | +0 ns | +0 – +0 |");
        assert_eq!(rows[0], "| attached | 1.60 | 0.80 | 0.50 – 0.90 | 230 ns | +20 ns | +10 – +30 |");
    }

    #[test]
    fn latencies_are_told_with_their_ratio_and_unknown_processor_time_as_such() {
        let outcome = |us: f64| {
            vec![Outcome { per_second: 1e3, each_ns: None, latencies_us: vec![us, 2.0 * us, 3.0 * us] }]
        };
        let measured = [outcome(10.0), outcome(15.0)];
        let table = table(Workload::Echo, &[Variant::Bare, Variant::Attached], &measured);
        let last = table.lines().last();
        let told = "| attached | 1.00 | 1.00 | 1.00 – 1.00 | – | – | – | 15.0 µs (1.50) | 30.0 µs (1.50) | 45.0 µs (1.50) |";
        assert_eq!(last, Some(told));
    }
}
