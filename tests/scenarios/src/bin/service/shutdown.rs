//! How long a flush or a shutdown takes where nobody takes anything, and what it returns.

use std::time::{Duration, Instant};

use opentelemetry::metrics::MeterProvider;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider};
use worker_metrics_otel::{Instrumentation, RetryPolicy};

use crate::Outcome;

/// The time that a push is given.
const GIVEN: Duration = Duration::from_millis(500);

/// `way` is `theirs`, `exporter` or `push`; `what` is `flush` or `shutdown`. Prints the
/// milliseconds, and what is returned.
pub(crate) fn run(way: &str, what: &str) -> Outcome {
    // Without jitter, so that the times can be compared.
    let theirs = opentelemetry_otlp::RetryPolicy::recommended().with_max_jitter(Duration::ZERO);
    let ours = RetryPolicy::default().with_max_jitter(Duration::ZERO);
    let workers = Instrumentation::default();
    let (pool, mut batches) = scenarios::pool("render", 2);
    let _attached = workers.attach(pool)?;
    scenarios::poll(&mut batches, 10);
    match way {
        "theirs" => {
            use opentelemetry_otlp::WithHttpConfig;
            let exporter = opentelemetry_otlp::MetricExporter::builder()
                .with_http()
                .with_retry_policy(theirs)
                .build()?;
            provider(exporter, None, what)
        }
        "exporter" => provider(workers.otlp().with_retry_policy(ours).exporter()?, Some(&workers), what),
        "push" => {
            let push = workers.otlp().with_retry_policy(ours).start()?;
            let begun = Instant::now();
            let result = match what {
                "flush" => push.force_flush_with_timeout(GIVEN),
                _ => push.shutdown_with_timeout(GIVEN),
            };
            println!("milliseconds: {}", begun.elapsed().as_millis());
            std::mem::forget(push);
            Ok(result?)
        }
        _ => Err(format!("no such way: {way}").into()),
    }
}

/// Pushes again and again to nobody.
pub(crate) fn nobody() -> Outcome {
    let workers = Instrumentation::default();
    let (pool, _batches) = scenarios::pool("render", 2);
    let _attached = workers.attach(pool)?;
    let policy = RetryPolicy::disabled();
    let push = workers.otlp().with_retry_policy(policy).with_interval(Duration::from_millis(20)).start()?;
    while workers.status().exports.first().is_some_and(|export| export.failed < 25) {
        std::thread::sleep(Duration::from_millis(5));
    }
    println!("{}", workers.status());
    Ok(push.shutdown()?)
}

fn provider(exporter: impl PushMetricExporter, workers: Option<&Instrumentation>, what: &str) -> Outcome {
    let reader = PeriodicReader::builder(exporter).with_interval(Duration::from_secs(3_600)).build();
    let provider = SdkMeterProvider::builder().with_reader(reader).build();
    if let Some(workers) = workers {
        workers.register(&provider);
    }
    provider.meter("own").u64_counter("requests").build().add(1, &[]);
    let begun = Instant::now();
    let result = match what {
        "flush" => provider.force_flush(),
        _ => provider.shutdown(),
    };
    println!("milliseconds: {}", begun.elapsed().as_millis());
    std::mem::forget(provider);
    Ok(result?)
}
