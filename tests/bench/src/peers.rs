//! The poll-time histograms of a Tokio runtime: this bridge, and opentelemetry-instrumentation-tokio.

use crate::process;

/// A table of the cost and of what arrives.
///
/// Each row is measured in a process of its own: the other crate binds itself to the first global meter provider for good.
pub(crate) fn report(rounds: usize) -> String {
    if !cfg!(tokio_unstable) {
        return "SKIPPED: Tokio keeps histograms with `--cfg tokio_unstable` alone.\n".to_owned();
    }
    let mut table = format!(
        "Both read the same runtime, whose workers keep {BUCKETS} buckets each; this bridge collects, encodes and hands over, the \
         other one collects; the least of {rounds} rounds in turns.\n\n| workers | crate | time | series delivered | series lost |\n\
         |---|---|---|---|---|\n"
    );
    for workers in [64, 256] {
        table += &process::again(&["--rounds", &rounds.to_string(), "--peers", &workers.to_string()]);
    }
    table
}

const BUCKETS: usize = 119;

/// Nothing: see [`report`].
#[cfg(not(tokio_unstable))]
pub(crate) fn row(_: usize, _: usize) -> String {
    String::new()
}

/// The rows of both crates for a runtime of so many workers.
#[cfg(tokio_unstable)]
pub(crate) fn row(workers: usize, rounds: usize) -> String {
    use opentelemetry_sdk::metrics::SdkMeterProvider;
    use opentelemetry_sdk::metrics::data::ResourceMetrics;
    use tokio::runtime::{Builder, HistogramConfiguration, LogHistogram};
    use worker_metrics_otel::Histograms;
    use worker_metrics_tokio::TokioRuntime;

    use crate::growth::Bench;
    use crate::reader::{Reader, gauge_series};
    use crate::turns::{least, micros};

    let runtime = Builder::new_multi_thread()
        .worker_threads(workers)
        .enable_metrics_poll_time_histogram()
        .metrics_poll_time_histogram_configuration(HistogramConfiguration::log(LogHistogram::default()))
        .build()
        .expect("a runtime");
    let buckets = runtime.metrics().poll_time_histogram_num_buckets();
    assert_eq!(buckets, BUCKETS, "the default of Tokio's log histogram");

    let ours = Bench::new(TokioRuntime::new(runtime.handle()), Histograms::Worker);
    let reader = Reader::new();
    let provider = SdkMeterProvider::builder().with_reader(reader.clone()).build();
    opentelemetry::global::set_meter_provider(provider);
    opentelemetry_instrumentation_tokio::observe_runtime(runtime.handle());

    let mut metrics = ResourceMetrics::default();
    let times = {
        let mut runs: [Box<dyn FnMut() + '_>; 2] =
            [Box::new(|| ours.export()), Box::new(|| reader.cycle(&mut metrics))];
        least(rounds, &mut runs)
    };
    let delivered = gauge_series(&metrics, "tokio.worker.poll_time_bucket");
    let of_theirs = workers * buckets;
    format!(
        "| {workers} | worker-metrics | {} | {workers} histograms of {buckets} buckets | 0 |\n\
         | {workers} | opentelemetry-instrumentation-tokio 0.3 | {} | {delivered} gauges of {of_theirs} | {} |\n",
        micros(times[0]),
        micros(times[1]),
        of_theirs - delivered,
    )
}
