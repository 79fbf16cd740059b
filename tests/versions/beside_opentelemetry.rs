//! A service whose meter provider is of an older OpenTelemetry, with the push of worker metrics
//! beside it.
//!
//! Built with one version after another. Everything goes to a receiver in this process; it fails
//! unless everything arrived.

use std::error::Error;
use std::time::Duration;

use opentelemetry::metrics::MeterProvider;
use opentelemetry_otlp::{MetricExporter, Protocol as WireProtocol, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use otlp_receiver::{Data, Receiver};
use worker_metrics::histogram::Scale;
use worker_metrics::{Pool, WorkerConfig};
use worker_metrics_otel::{Instrumentation, Protocol};

const POLLS: u64 = 100;
const REQUESTS: u64 = 3;

fn main() -> Result<(), Box<dyn Error>> {
    let receiver = Receiver::builder().keep_requests(true).strict(true).start()?;

    // The service's own pipeline.
    let exporter = MetricExporter::builder()
        .with_http()
        .with_protocol(WireProtocol::HttpBinary)
        .with_endpoint(receiver.http_endpoint())
        .build()?;
    let provider = SdkMeterProvider::builder()
        .with_periodic_exporter(exporter)
        .with_resource(Resource::builder().with_service_name("checkout").build())
        .build();
    let requests = provider.meter("checkout").u64_counter("checkout.requests").build();

    // The worker metrics beside it.
    let workers = Instrumentation::default();
    let push = workers
        .otlp()
        .with_endpoint(receiver.http_endpoint())
        .with_protocol(Protocol::HttpProtobuf)
        .with_resource([("service.name", "checkout")])
        .with_interval(Duration::from_secs(3_600))
        .start()?;
    let config = WorkerConfig::new().with_poll_time_histogram(Scale::preset());
    let (pool, mut batches) = Pool::builder("render").workers(1).config(config).build()?;
    let attachment = workers.attach(pool)?;

    let mut work = |polls| {
        for _ in 0..polls {
            batches[0].start_poll();
            batches[0].end_poll();
        }
        batches[0].submit();
    };
    work(POLLS / 2);
    requests.add(REQUESTS, &[]);
    push.force_flush()?;
    work(POLLS / 2);
    drop(attachment);
    push.shutdown()?;
    provider.shutdown()?;

    arrived(&receiver, "checkout.requests", REQUESTS)?;
    arrived(&receiver, "worker_pool.worker.polls", POLLS)?;
    arrived(&receiver, "worker_pool.task.poll.duration", POLLS)?;
    match &receiver.violations()[..] {
        [] => Ok(()),
        violations => Err(format!("{violations:?}").into()),
    }
}

/// Whether the one series of a metric has counted so much.
fn arrived(receiver: &Receiver, metric: &str, expected: u64) -> Result<(), String> {
    let series = receiver.series(metric);
    let [one] = &series[..] else { return Err(format!("{metric} has {} series, not 1", series.len())) };
    let counted = match one.total() {
        Some(Data::Number { value }) => value.as_i64().and_then(|value| u64::try_from(value).ok()),
        Some(Data::Histogram(histogram)) => Some(histogram.count),
        _ => None,
    };
    if counted == Some(expected) {
        println!("{metric}: {expected}");
        return Ok(());
    }
    Err(format!("{metric} has counted {counted:?}, not {expected}"))
}
