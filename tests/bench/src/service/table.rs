//! What was found of a workload as Markdown.

use super::compared::Compared;
use super::found::Found;
use crate::estimate::Estimate;
use crate::load::{QUANTILES, micros};
use crate::spread::Spread;

pub(super) fn table(all: &[Compared]) -> String {
    let mut table = "| | exports | pairs without one | throughput against bare | 95 % | \
                     between exports | in the slice of an export |"
        .to_owned();
    table.extend(QUANTILES.iter().map(|(title, _)| format!(" {title} |")));
    table += &format!("\n|---|{}\n", "---|".repeat(6 + QUANTILES.len()));
    table.extend(all.iter().map(cells));
    table
}

fn cells(compared: &Compared) -> String {
    let count = |of: fn(&Found) -> usize| compared.found.iter().map(of).sum::<usize>();
    let Estimate { value, low, high } = compared.ratio();
    let mut cells = format!(
        "| {} | {} | {} | {value:.4} | {low:.4} – {high:.4} | {:.4} | {:.4} |",
        compared.row.title(),
        count(|found| found.with.len()),
        count(|found| found.without.len()),
        compared.without().value,
        compared.with().value,
    );
    for quantile in 0..QUANTILES.len() {
        let median = |of: &dyn Fn(&Found) -> f64| Spread::of(compared.found.iter().map(of)).median;
        let bare_us = median(&|found| found.bare_us[quantile]);
        let attached_us = median(&|found| found.attached_us[quantile]);
        let ratio = median(&|found| found.attached_us[quantile] / found.bare_us[quantile]);
        cells += &format!(" {} → {} ({ratio:.2}) |", micros(bare_us), micros(attached_us));
    }
    cells + "\n"
}
