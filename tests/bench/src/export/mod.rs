//! Collecting and exporting a runtime, by everything that can.
//!
//! ```text
//! report ─ for each case: processes that take the time, in turns, and one that counts ─ Measured ─ tables, plot, targets
//! ```

mod cases;
mod measured;
mod plot;
mod table;
mod targets;
mod times;
mod wire;

use bench::subject::{Case, Observed};

use crate::FEWEST_ROUNDS;
use crate::report::{Chapter, version_of};
use measured::Measured;

pub(crate) use times::{LONGEST, Times, least};

/// Processes that take the time of each case.
const TURNS: usize = 5;
const WORKERS: [usize; 4] = [4, 16, 64, 256];
/// How many of them show that everything runs.
const FEWEST_WORKERS: usize = 2;
/// The preset of this project, and the default of Tokio's log histogram.
const BUCKETS: [usize; 2] = [23, 119];
/// The limit of series of one instrument that the SDK has if nothing is set.
const SDK_LIMIT: usize = 2_000;

/// The times of one case.
pub(crate) fn measure(case: Case, rounds: usize) -> Times {
    least(&mut *case.prepare().export, rounds)
}

/// The tables of all cases.
pub(crate) fn report(rounds: usize) -> Chapter {
    let (turns, workers) = match rounds < FEWEST_ROUNDS {
        true => (1, &WORKERS[..FEWEST_WORKERS]),
        false => (TURNS, &WORKERS[..]),
    };
    let cases = cases::all(workers);
    let measured = measured::in_turns(&cases, turns, rounds);
    let mut text = introduction(turns, rounds);
    for buckets in [0].into_iter().chain(BUCKETS) {
        let title = match buckets {
            0 => "A Tokio runtime, numbers alone".to_owned(),
            _ => format!("A Tokio runtime, numbers and {buckets} buckets for each worker"),
        };
        text += &section(&title, &measured, Observed::Tokio, buckets);
    }
    let title = "A pool of the core, numbers and 119 buckets for each worker";
    text += &section(title, &measured, Observed::Pool, 119);
    let wire = wire::Wire::measure();
    text += &format!("\n### Exponential and explicit buckets on the wire\n\n{}", wire.table());
    let mut targets = targets::of(&measured);
    targets.push(wire.target());
    Chapter { text, plots: plot::of(&measured).into_iter().collect(), targets }
}

fn section(title: &str, measured: &[Measured], observed: Observed, buckets: usize) -> String {
    let is_here = |one: &&Measured| (one.case.observed, one.case.buckets) == (observed, buckets);
    let here: Vec<_> = measured.iter().filter(is_here).collect();
    let table = if here.is_empty() {
        "SKIPPED: Tokio keeps histograms with `--cfg tokio_unstable` alone.\n".to_owned()
    } else {
        table::of(&here)
    };
    format!("\n### {title}\n\n{table}")
}

fn introduction(turns: usize, rounds: usize) -> String {
    let (otel, tokio_metrics) =
        (version_of("opentelemetry-instrumentation-tokio"), version_of("tokio-metrics"));
    let prometheus = version_of("metrics-exporter-prometheus");
    format!(
        "A runtime that has worked and is idle now, all numbers that each tells of it, and a poll-time histogram of each worker. Each \
         row has processes of its own, in turns with those of all others: of {turns} the median, of each the least of {rounds} rounds, \
         or of as many as fit into {:?}. Nothing is polled between two exports. Allocations are those of one export in a steady \
         state, on all threads, counted in a process of their own, since counting costs time.\n\n\
         * The *meter half* of this bridge is read by a reader of the SDK. The *OTLP half* takes the histograms, and collects and encodes \
         at once.\n\
         * *Everything by OTLP* is what a push without a meter provider exports, or the option `Numbers::Otlp`: the numbers go with the \
         histograms. Where it says *handed over*, the thread that sends takes the request, throws it away and answers; elsewhere the \
         export ends with the encoded request.\n\
         * {otel} has a gauge with a series for each bucket. It is shown with the SDK's own limit of {SDK_LIMIT} series for each \
         instrument, and where that is too low, with one that a view has raised as well.\n\
         * {tokio_metrics} gives its numbers to metrics.rs, as {prometheus} renders them for a scrape: uncompressed text. It knows sums \
         over all workers, their least and their largest, and one histogram: the series delivered show it. It reads the buckets of those \
         workers alone that have polled since the last time, here of none.\n\
         * What goes through the SDK is encoded by opentelemetry-proto into one OTLP request, for everyone alike.\n\
         * `Source::collect` is what this project reads into a snapshot; the *bare loop* loads the same atomics, adds them up and does \
         nothing else: the physical limit.\n",
        LONGEST
    )
}
