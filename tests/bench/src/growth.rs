//! An export after 10^3, 10^6 and 10^9 recorded polls.

use std::time::Duration;

use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::Temporality;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use worker_metrics::Source;
use worker_metrics::histogram::Scale;
use worker_metrics_otel::{Attachment, Exporter, Histograms, Instrumentation, Options, Sink};

use crate::counted::Counted;
use crate::discard::Discard;
use crate::turns::{medians, micros};

const WORKERS: usize = 64;
const BUCKETS: usize = 119;

/// An exporter of nothing: the SDK's half is not measured here.
#[derive(Debug)]
pub(crate) struct Nothing;

impl PushMetricExporter for Nothing {
    async fn export(&self, _: &ResourceMetrics) -> OTelSdkResult {
        Ok(())
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }

    fn temporality(&self) -> Temporality {
        Temporality::Cumulative
    }
}

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
pub(crate) fn report(rounds: usize) -> String {
    let scale = Scale::linear(Duration::from_micros(10), BUCKETS).expect("a good scale");
    let counts = [1_000, 1_000_000, 1_000_000_000_u64];
    let benches: Vec<_> = counts
        .iter()
        .map(|&count| {
            let source = Counted::new(WORKERS, &scale, count);
            assert_eq!(source.count(), count);
            Bench::new(source, Histograms::Worker)
        })
        .collect();
    let mut runs: Vec<Box<dyn FnMut() + '_>> =
        benches.iter().map(|bench| Box::new(|| bench.export()) as Box<dyn FnMut()>).collect();
    let times = medians(rounds, &mut runs);
    drop(runs);

    let mut table = format!(
        "{WORKERS} workers with {BUCKETS} buckets each, one series per worker: collect, encode, hand over; median of {rounds} \
         rounds in turns.\n\n| recorded polls | time | against 10^3 | bytes |\n|---|---|---|---|\n"
    );
    for ((count, time), bench) in counts.iter().zip(&times).zip(&benches) {
        let ratio = time.as_secs_f64() / times[0].as_secs_f64();
        table += &format!("| {count} | {} | {ratio:.2} | {} |\n", micros(*time), bench.bytes());
    }
    table
}
