//! The three examples of the README, with the same lines.

use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use worker_metrics_otel::Instrumentation;
use worker_metrics_tokio::{TaskMetrics, TokioRuntime};

use crate::Outcome;

/// Spawns a few tasks, and prints the names of the metrics that have to arrive.
async fn serve(
    workers: &Instrumentation,
) -> Result<worker_metrics_otel::Attachment, Box<dyn std::error::Error>> {
    let tasks = TaskMetrics::new();
    let attached = workers.attach(TokioRuntime::current()?.with_tasks(&tasks))?;
    for _ in 0..10 {
        tasks.spawn(tokio::task::yield_now()).await?;
    }
    for source in workers.coverage() {
        let missing: Vec<_> = source.missing().map(|(name, _)| name).collect();
        let all = source.rows.iter().map(|row| source.identity.namespace.metric(row.definition));
        all.filter(|name| !missing.contains(name)).for_each(|name| println!("exported: {name}"));
    }
    Ok(attached)
}

#[tokio::main]
pub(crate) async fn instruments_and_push() -> Outcome {
    let provider = SdkMeterProvider::builder()
        .with_periodic_exporter(opentelemetry_otlp::MetricExporter::builder().with_tonic().build()?)
        .build();
    let workers = Instrumentation::default();
    workers.register(&provider);
    let push = workers.otlp().start()?;
    let _main = serve(&workers).await?;
    push.shutdown()?;
    provider.shutdown()?;
    Ok(())
}

#[tokio::main]
pub(crate) async fn push() -> Outcome {
    let workers = Instrumentation::default();
    let push = workers.otlp().start()?;
    let main = serve(&workers).await?;
    drop(main);
    push.shutdown()?;
    Ok(())
}

#[tokio::main]
pub(crate) async fn exporter() -> Outcome {
    let workers = Instrumentation::default();
    let provider = SdkMeterProvider::builder().with_periodic_exporter(workers.otlp().exporter()?).build();
    workers.register(&provider);
    let _main = serve(&workers).await?;
    provider.shutdown()?;
    Ok(())
}

/// A provider that prints what it collects.
#[tokio::main]
pub(crate) async fn standard_output() -> Outcome {
    let exporter = opentelemetry_stdout::MetricExporter::default();
    let provider = SdkMeterProvider::builder().with_periodic_exporter(exporter).build();
    let workers = Instrumentation::default();
    workers.register(&provider);
    let _main = serve(&workers).await?;
    let started = std::time::Instant::now();
    provider.force_flush()?;
    provider.shutdown()?;
    println!("took: {}", started.elapsed().as_millis());
    Ok(())
}

/// A provider and a push with a resource in code: both are given the same one.
#[tokio::main]
pub(crate) async fn resource_in_code(name: &str) -> Outcome {
    let resource = Resource::builder().with_service_name(name.to_owned()).build();
    let provider = SdkMeterProvider::builder()
        .with_resource(resource.clone())
        .with_periodic_exporter(opentelemetry_otlp::MetricExporter::builder().with_http().build()?)
        .build();
    let workers = Instrumentation::default();
    workers.register(&provider);
    let push = workers.otlp().with_resource(&resource).start()?;
    let _main = serve(&workers).await?;
    push.shutdown()?;
    provider.shutdown()?;
    Ok(())
}
