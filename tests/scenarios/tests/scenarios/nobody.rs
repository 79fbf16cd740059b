//! Nobody listens.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread::sleep;
use std::time::Duration;

use opentelemetry::metrics::MeterProvider;
use opentelemetry_otlp::WithExportConfig;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider, Temporality};
use scenarios::pool;
use worker_metrics_otel::{Instrumentation, Protocol};

use crate::service::run;

/// Counts the exports that it passes on.
struct Counting<E>(E, Arc<AtomicU64>);

impl<E: PushMetricExporter> PushMetricExporter for Counting<E> {
    fn export(&self, metrics: &ResourceMetrics) -> impl Future<Output = OTelSdkResult> + Send {
        self.1.fetch_add(1, Relaxed);
        self.0.export(metrics)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn temporality(&self) -> Temporality {
        self.0.temporality()
    }
}

const INTERVAL: Duration = Duration::from_secs(1);

/// A provider with a metric of the program's own, and the number of its exports.
fn provider(exporter: impl PushMetricExporter) -> (SdkMeterProvider, Arc<AtomicU64>) {
    let exports = Arc::default();
    let reader =
        PeriodicReader::builder(Counting(exporter, Arc::clone(&exports))).with_interval(INTERVAL).build();
    let provider = SdkMeterProvider::builder().with_reader(reader).build();
    provider.meter("own").u64_counter("requests").build().add(1, &[]);
    (provider, exports)
}

const NOBODY: &str = "http://127.0.0.1:9/v1/metrics";

fn theirs() -> opentelemetry_otlp::MetricExporter {
    opentelemetry_otlp::MetricExporter::builder().with_http().with_endpoint(NOBODY).build().unwrap()
}

#[test]
fn the_program_s_own_metrics_are_attempted_as_often_as_without_us() {
    let (_bare, bare) = provider(theirs());
    // B: ours in place of theirs.
    let workers = Instrumentation::default();
    let exporter =
        workers.otlp().with_endpoint(NOBODY).with_protocol(Protocol::HttpProtobuf).exporter().unwrap();
    let (ours_provider, ours) = provider(exporter);
    workers.register(&ours_provider);
    let (with_ours, _) = pool("render", 2);
    let _attached = workers.attach(with_ours).unwrap();
    // A: theirs, and a push beside it.
    let (beside_provider, beside) = provider(theirs());
    let pushed = Instrumentation::default();
    pushed.register(&beside_provider);
    let push = pushed
        .otlp()
        .with_endpoint(NOBODY)
        .with_protocol(Protocol::HttpProtobuf)
        .with_interval(INTERVAL)
        .with_shutdown_timeout(INTERVAL)
        .start()
        .unwrap();
    let (with_push, _) = pool("render", 2);
    let _pushed = pushed.attach(with_push).unwrap();
    sleep(25 * INTERVAL);
    let counts = [&bare, &ours, &beside].map(|exports| exports.load(Relaxed));
    // An export of 0.7 to 1.0 s in each interval of 1 s, and one may be under way.
    assert!(counts.iter().all(|count| count.abs_diff(counts[0]) <= 3), "{counts:?}");
    assert!(counts[0] >= 15, "{counts:?}");
    let status = pushed.status();
    assert!(status.exports[0].failed >= 15, "{status}");
    let error = status.exports[0].last_error.clone().unwrap();
    assert!(error.contains("http://127.0.0.1:9 (http/protobuf)") && error.contains("refused"), "{error}");
    assert!(push.shutdown().is_err());
}

#[test]
fn the_log_has_one_warning_with_address_and_cause_and_no_more_than_one_a_minute() {
    let ended = run(
        &["nobody"],
        &[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9"), ("OTEL_SERVICE_NAME", "x")],
    );
    let warnings: Vec<_> = ended.log.lines().filter(|line| line.contains("WARN")).collect();
    assert_eq!(warnings.len(), 1, "{ended:#?}");
    assert!(
        warnings[0].contains("http://127.0.0.1:9") && warnings[0].contains("connection refused"),
        "{warnings:?}"
    );
    assert!(!ended.success && ended.output.contains("0 exports taken"), "{ended:#?}");
}
