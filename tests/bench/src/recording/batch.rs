//! The events of a worker that embeds the core.

use std::hint::black_box;
use std::time::Instant;

use worker_metrics::histogram::Scale;
use worker_metrics::{Batch, WorkerConfig, WorkerMetrics};

use super::{Event, each_ns, repeated};

/// A table, and for a plot a poll whose time is passed in, by what is kept.
pub(super) fn table(rounds: usize) -> (String, Vec<(String, f64)>) {
    let polls = || WorkerConfig::new().with_poll_time_histogram(Scale::preset());
    let kept = [
        ("nothing but counters", WorkerConfig::new()),
        ("the poll histogram", polls()),
        ("the poll histogram and microstates", polls().with_microstates()),
        ("microstates", WorkerConfig::new().with_microstates()),
    ];
    let histogram_alone = 1;

    let batch = |config| Batch::new(WorkerMetrics::from_config(config));
    let mut runs: Vec<Event<'_>> = vec![repeated(|| {
        black_box(Instant::now());
    })];
    for (_, config) in &kept {
        let (mut timing, mut told, mut submitting) = (batch(config), batch(config), batch(config));
        let mut now_ns = 0;
        runs.push(repeated(move || {
            timing.start_poll();
            black_box(&mut timing).end_poll();
        }));
        runs.push(repeated(move || {
            told.start_poll_at(now_ns);
            black_box(&mut told).end_poll_at(now_ns + 20_000);
            now_ns += 20_100;
        }));
        runs.push(repeated(move || black_box(&mut submitting).submit()));
    }
    let times_ns = each_ns(rounds, &mut runs);

    let clock_ns = times_ns[0];
    let rows: Vec<&[f64]> = times_ns[1..].chunks_exact(3).collect();
    let mut table = format!(
        "A poll is `start_poll` and `end_poll`; they read the clock, or are told the time by the executor. One `Instant::now()` takes \
         {clock_ns:.1} ns. In brackets the ratio to the poll histogram alone.\n\n\
         | kept | a poll | a poll, time passed in | `submit` |\n|---|---|---|---|\n"
    );
    for ((name, _), row) in kept.iter().zip(&rows) {
        let cells = row.iter().zip(rows[histogram_alone]);
        let cells: String = cells.map(|(ns, alone)| format!(" {ns:.1} ns ({:.2}) |", ns / alone)).collect();
        table += &format!("| {name} |{cells}\n");
    }
    let told = kept.iter().zip(&rows).map(|((name, _), row)| ((*name).to_owned(), row[1])).collect();
    (table, told)
}
