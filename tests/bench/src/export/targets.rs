//! What was promised of an export.

use bench::subject::{Observed, Subject};

use super::measured::Measured;
use crate::report::{Limit, Target};

const WORKERS: usize = 64;
const BUCKETS: usize = 119;

/// The way to export all numbers and all histograms.
const EVERYTHING: Subject = Subject::Everything;
const HOW: &str = "with `Numbers::Otlp`";
/// Of the loop over a pool, whose loads are one instruction each.
const WRITTEN: &str = "with `Numbers::Otlp`; the loop only reads, where an export writes each number with its attributes, and each \
                       bucket with its bound: three bytes for each that it loads";
const IN_THE_SDK: &str = "by callgrind 98 % of a callback is the SDK's `observe`, which hashes the attributes of each series: the name of \
                          a runtime is longer than the peer's id, and `tokio.worker.time` has one attribute more; `Numbers::Otlp` is \
                          the way around it";

/// Those that this build can measure.
pub(super) fn of(measured: &[Measured]) -> Vec<Target> {
    let find = |observed, subject, buckets| {
        measured.iter().find(move |one| {
            (one.case.observed, one.case.subject) == (observed, subject)
                && (one.case.workers, one.case.buckets) == (WORKERS, buckets)
        })
    };
    let tokio = |subject| find(Observed::Tokio, subject, BUCKETS);
    let pool = |subject| find(Observed::Pool, subject, BUCKETS);
    let numbers = |subject| find(Observed::Tokio, subject, 0);
    let of = format!("{WORKERS} workers with {BUCKETS} buckets each");
    let peer = "opentelemetry-instrumentation-tokio";
    let targets = [
        against(
            format!(
                "collect + encode of {of} and all numbers, against {peer}'s collection, which loses series"
            ),
            0.02,
            HOW,
            tokio(EVERYTHING).map(Measured::time_us),
            tokio(Subject::OtelTokio).and_then(|one| one.collect_us),
        ),
        against(
            format!("the same against {peer}'s collection with a limit that loses none"),
            0.02,
            HOW,
            tokio(EVERYTHING).map(Measured::time_us),
            tokio(Subject::OtelTokioUnlimited).and_then(|one| one.collect_us),
        ),
        count(
            format!("series lost of {of} and all numbers"),
            tokio(EVERYTHING).map(|one| one.counts.delivered.lost),
        ),
        against(
            format!("collect + encode of a pool of {of} and all numbers, against the bare loop of loads"),
            4.0,
            WRITTEN,
            pool(EVERYTHING).map(Measured::time_us),
            pool(Subject::Loads).map(Measured::time_us),
        ),
        against(
            format!("the same of a Tokio runtime of {of}"),
            4.0,
            HOW,
            tokio(EVERYTHING).map(Measured::time_us),
            tokio(Subject::Loads).map(Measured::time_us),
        ),
        against(
            format!(
                "a series of the numbers alone of {WORKERS} workers, collected through the meter half, against one of {peer}"
            ),
            1.0,
            IN_THE_SDK,
            numbers(Subject::Meter).and_then(|one| each(one.collect_us, one)),
            numbers(Subject::OtelTokio).and_then(|one| each(one.collect_us, one)),
        ),
        against(
            "the same, collect + encode".to_owned(),
            1.0,
            IN_THE_SDK,
            numbers(Subject::Meter).and_then(|one| each(one.export_us, one)),
            numbers(Subject::OtelTokio).and_then(|one| each(one.export_us, one)),
        ),
        count(
            format!("allocations of a steady `Source::collect`, a Tokio runtime of {of}"),
            tokio(Subject::Collect).map(|one| one.counts.allocations),
        ),
        count(
            format!("allocations of a steady `Source::collect`, a pool of {of}"),
            pool(Subject::Collect).map(|one| one.counts.allocations),
        ),
        count(
            format!("allocations of a steady collect + encode, the OTLP half of a Tokio runtime of {of}"),
            tokio(Subject::Otlp).map(|one| one.counts.allocations),
        ),
    ];
    targets.into_iter().flatten().collect()
}

fn each(time_us: Option<f64>, of: &Measured) -> Option<f64> {
    Some(time_us? / of.counts.delivered.series() as f64)
}

fn against(
    measure: String,
    most: f64,
    note: &'static str,
    ours: Option<f64>,
    theirs: Option<f64>,
) -> Option<Target> {
    Some(Target { measure, limit: Limit::AtMost(most), measured: ours? / theirs?, note })
}

fn count(measure: String, count: Option<usize>) -> Option<Target> {
    Some(Target { measure, limit: Limit::AtMost(0.0), measured: count? as f64, note: "" })
}
