//! An export by workers.

use bench::subject::{Case, Observed, Subject};

use super::measured::Measured;
use super::table::title;
use crate::report::{Lines, Plot};

/// A line for each subject, of a Tokio runtime with 119 buckets; `None` where Tokio keeps none.
pub(super) fn of(measured: &[Measured]) -> Option<Plot> {
    let is_shown = |case: &Case| case.observed == Observed::Tokio && case.buckets == 119;
    let mut lines: Vec<(Subject, Vec<(f64, f64)>)> = Vec::new();
    for one in measured.iter().filter(|one| is_shown(&one.case)) {
        let point = (one.case.workers as f64, one.time_us());
        match lines.iter_mut().find(|(subject, _)| *subject == one.case.subject) {
            Some((_, points)) => points.push(point),
            None => lines.push((one.case.subject, vec![point])),
        }
    }
    let lines: Vec<_> = lines.into_iter().map(|(subject, points)| (title(subject), points)).collect();
    let plot = || Lines {
        file: "export-workers",
        title: "An export of a Tokio runtime with 119 buckets for each worker",
        x: "workers",
        y: "µs",
        lines,
    };
    cfg!(tokio_unstable).then(|| plot().into())
}
