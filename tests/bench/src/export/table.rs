//! The figures of several cases as Markdown.

use bench::subject::Subject;

use super::measured::Measured;
use crate::report::version_of;

pub(super) fn of(measured: &[&Measured]) -> String {
    let mut table = "| workers | exported by | collect | collect + encode | against the bare loop | allocations | series | series lost \
                     | bytes | with gzip |\n|---|---|---|---|---|---|---|---|---|---|\n"
        .to_owned();
    for one in measured {
        let is_bare = |other: &&&Measured| {
            other.case.workers == one.case.workers && other.case.subject == Subject::Loads
        };
        let bare = measured.iter().find(is_bare).expect("each has a bare loop");
        let time = |us: Option<f64>| us.map_or("–".to_owned(), |us| format!("{us:.1} µs"));
        table += &format!(
            "| {} | {} | {} | {} | {:.1} | {} of {} | {} |\n",
            one.case.workers,
            title(one.case.subject),
            time(one.collect_us),
            time(one.export_us),
            one.time_us() / bare.time_us(),
            one.counts.allocations,
            size(one.counts.allocated_bytes),
            delivered(one),
        );
    }
    table
}

/// What a subject is called.
pub(super) fn title(subject: Subject) -> String {
    match subject {
        Subject::Meter => "worker-metrics, meter half".to_owned(),
        Subject::Otlp => "worker-metrics, OTLP half".to_owned(),
        Subject::Both => "worker-metrics, both halves".to_owned(),
        Subject::Everything => "worker-metrics, everything by OTLP".to_owned(),
        Subject::EverythingHandedOver => "worker-metrics, everything by OTLP, handed over".to_owned(),
        Subject::OtelTokio => version_of("opentelemetry-instrumentation-tokio"),
        Subject::OtelTokioUnlimited => {
            format!("{}, limit raised", version_of("opentelemetry-instrumentation-tokio"))
        }
        Subject::TokioMetrics => format!("{}, a scrape", version_of("tokio-metrics")),
        Subject::Collect => "`Source::collect` alone".to_owned(),
        Subject::Loads => "bare loop".to_owned(),
    }
}

fn delivered(one: &Measured) -> String {
    let delivered = one.counts.delivered;
    if delivered.series() == 0 {
        return "– | – | – | –".to_owned();
    }
    let histograms = match delivered.histograms {
        0 => String::new(),
        1 => ", 1 histogram".to_owned(),
        histograms => format!(", {histograms} histograms"),
    };
    format!(
        "{} numbers{histograms} | {} | {} | {}",
        delivered.numbers,
        delivered.lost,
        size(delivered.bytes),
        size(delivered.gzipped)
    )
}

/// A number of bytes, for a table.
pub(super) fn size(bytes: usize) -> String {
    match bytes {
        10_000_000.. => format!("{:.1} MB", bytes as f64 / 1e6),
        10_000.. => format!("{:.1} kB", bytes as f64 / 1e3),
        _ => format!("{bytes} B"),
    }
}
