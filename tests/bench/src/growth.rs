//! An export after 10^3, 10^6 and 10^9 recorded polls.

use std::time::Duration;

use bench::counted::Counted;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use worker_metrics::Source;
use worker_metrics::histogram::Scale;
use worker_metrics_otel::{Attachment, Exporter, Histograms, Instrumentation, Options, Sink};

use crate::discard::Discard;
use crate::nothing::Nothing;
use crate::process;
use crate::report::{Chapter, Limit, Lines, Target};
use crate::turns::{least, micros};

const WORKERS: usize = 64;
const BUCKETS: usize = 119;

/// The histograms of one source, exported by hand.
pub(crate) struct Bench {
    exporter: Exporter<Nothing>,
    discard: Discard,
    _workers: Instrumentation,
    _attachment: Attachment,
}

impl Bench {
    pub(crate) fn new(source: impl Source + 'static, histograms: Histograms) -> Self {
        let workers = Instrumentation::new(Options::default().with_histograms(histograms));
        let attachment = workers.attach(source).expect("it is attached once");
        let discard = Discard::default();
        let sink = Sink::http(discard.clone(), "http://127.0.0.1/v1/metrics").expect("a good endpoint");
        let exporter = workers.exporter_with(Nothing, sink);
        Self { exporter, discard, _workers: workers, _attachment: attachment }
    }

    pub(crate) fn export(&self) {
        let metrics = ResourceMetrics::default();
        futures_executor::block_on(self.exporter.export(&metrics)).expect("it is discarded");
    }

    pub(crate) fn bytes(&self) -> usize {
        self.discard.bytes()
    }
}

/// A table of the cost by counted values.
///
/// Each is measured in processes of its own, in turns.
pub(crate) fn report(rounds: usize) -> Chapter {
    let counts = [1_000, 1_000_000, 1_000_000_000_u64];
    let mut times_ns: [Vec<u64>; 3] = Default::default();
    let mut bytes = [0; 3];
    for _ in 0..PROCESSES {
        for ((count, times_ns), bytes) in counts.iter().zip(&mut times_ns).zip(&mut bytes) {
            let text = process::again(&["--rounds", &rounds.to_string(), "--counted", &count.to_string()]);
            let mut numbers = text.split_whitespace().map(|number| number.parse::<u64>().expect("a number"));
            times_ns.push(numbers.next().expect("the time"));
            *bytes = numbers.next().expect("the bytes");
        }
    }
    let mut table = format!(
        "{WORKERS} workers with {BUCKETS} buckets each, one series per worker: collect, encode, hand over to the thread that \
         sends; the median of {PROCESSES} processes, in turns, of the least of {rounds} rounds each.\n\n\
         | recorded polls | time | against 10^3 | bytes |\n|---|---|---|---|\n"
    );
    let medians_ns = times_ns.map(|mut times_ns| {
        times_ns.sort_unstable();
        times_ns[PROCESSES / 2]
    });
    for ((count, time_ns), bytes) in counts.iter().zip(medians_ns).zip(&bytes) {
        let ratio = time_ns as f64 / medians_ns[0] as f64;
        let time = micros(Duration::from_nanos(time_ns));
        table += &format!("| {count} | {time} | {ratio:.2} | {bytes} |\n");
    }
    let of_a_million_times_as_many = Target {
        measure: "an export after 10^9 polls, against one after 10^3".to_owned(),
        limit: Limit::AtMost(1.05),
        measured: medians_ns[2] as f64 / medians_ns[0] as f64,
        note: "",
    };
    let points = counts.iter().zip(medians_ns).map(|(&count, ns)| (count as f64, ns as f64 / 1e3)).collect();
    let plot = Lines {
        file: "growth-polls",
        title: "An export by what was counted",
        x: "recorded polls",
        y: "µs",
        lines: vec![("collect, encode, hand over".to_owned(), points)],
    };
    Chapter { text: table, plots: vec![plot.into()], targets: vec![of_a_million_times_as_many] }
}

/// Which processor the thread that sends gets doubles a time or halves it: many processes are needed.
const PROCESSES: usize = 31;

/// The least time of an export of so many values in nanoseconds, and its bytes.
pub(crate) fn measure(count: u64, rounds: usize) -> String {
    let scale = Scale::linear(Duration::from_micros(10), BUCKETS).expect("a good scale");
    let source = Counted::new(WORKERS, &scale, count);
    assert_eq!(source.count(), count);
    let bench = Bench::new(source, Histograms::Worker);
    let mut runs: [Box<dyn FnMut() + '_>; 1] = [Box::new(|| bench.export())];
    let least = least(rounds, &mut runs)[0];
    format!("{} {}\n", least.as_nanos(), bench.bytes())
}
