//! What opentelemetry-otlp and our exporter make of one environment.

use futures_executor::block_on;
use opentelemetry::metrics::MeterProvider;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider};
use worker_metrics_otel::Instrumentation;

use crate::Outcome;

/// Builds both exporters, says which of them start, and exports once with each that does.
#[tokio::main]
pub(crate) async fn compare() -> Outcome {
    let theirs = opentelemetry_otlp::MetricExporter::builder().build();
    println!("theirs starts: {}", theirs.is_ok());
    if let Ok(theirs) = theirs {
        println!("theirs temporality: {:?}", theirs.temporality());
        println!("theirs exports: {}", export(theirs));
    }
    let ours = Instrumentation::default().otlp().exporter();
    println!("ours starts: {}", ours.is_ok());
    match ours {
        Ok(ours) => {
            println!("ours temporality: {:?}", ours.temporality());
            println!("ours exports: {}", export(ours));
        }
        Err(error) => println!("ours: {error}"),
    }
    Ok(())
}

fn export(exporter: impl PushMetricExporter) -> bool {
    let reader = PeriodicReader::builder(exporter).build();
    let provider = SdkMeterProvider::builder().with_reader(reader).build();
    provider.meter("own").u64_counter("requests").build().add(1, &[]);
    let flushed = std::thread::spawn(move || {
        let is_ok = provider.force_flush().is_ok();
        // Its end would export once more.
        std::mem::forget(provider);
        is_ok
    });
    block_on(async { flushed.join().unwrap_or(false) })
}
