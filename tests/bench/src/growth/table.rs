//! The figures of one dimension as Markdown and as lines.

use super::dimension::Dimension;
use super::points::{Point, Points};
use crate::report::{Lines, Plot};

pub(super) fn of(dimension: Dimension, measured: &[(u64, Points)]) -> String {
    let mut table = format!(
        "| {} | exported by | time | against the smallest | series | time of a series | bytes |\n|---|---|---|---|---|---|---|\n",
        dimension.title()
    );
    let (_, Points(smallest)) = &measured[0];
    for (size, Points(points)) in measured {
        for ((name, point), (_, smallest)) in points.iter().zip(smallest) {
            let Point { us, series, bytes } = point;
            table += &format!(
                "| {size} | {name} | {us:.1} µs | {:.2} | {series} | {:.3} µs | {bytes} |\n",
                us / smallest.us,
                us / *series as f64,
            );
        }
    }
    table
}

pub(super) fn plot(dimension: Dimension, measured: &[(u64, Points)]) -> Plot {
    let (file, title) = match dimension {
        Dimension::Polls => ("growth-polls", "An export by what was counted"),
        Dimension::Workers => ("growth-workers", "An export by workers"),
        Dimension::Runtimes => ("growth-runtimes", "An export by runtimes"),
        Dimension::Readers => ("growth-readers", "An export by readers"),
    };
    let (_, Points(first)) = &measured[0];
    let line = |(place, (name, _)): (usize, &(String, Point))| {
        let points = measured.iter().map(|(size, Points(points))| (*size as f64, points[place].1.us));
        (name.clone(), points.collect())
    };
    let lines = first.iter().enumerate().map(line).collect();
    Lines { file, title, x: dimension.title(), y: "µs", lines }.into()
}
