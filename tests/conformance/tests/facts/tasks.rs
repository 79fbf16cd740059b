//! What is measured of tasks and timers, all the way to a receiver, on every Tokio.

use std::time::{Duration, Instant};

use opentelemetry_sdk::metrics::Temporality;
use otlp_receiver::{Metric, Receiver};
use tokio::runtime::Builder;
use tokio::task::yield_now;
use worker_metrics_otel::Instrumentation;
use worker_metrics_tokio::{RuntimeBuilderExt, TaskMetrics, TokioRuntime};

use crate::wire::{PATIENCE, Wire};

fn counts(metric: &Metric) -> Vec<(Option<&str>, u64)> {
    let mut counts: Vec<_> = metric
        .points
        .iter()
        .map(|point| {
            assert_eq!(point.attributes["tokio.runtime.name"], "main", "{}", metric.name);
            let group = point.attributes.get("tokio.task.group.name").and_then(|group| group.as_str());
            let histogram = point.histogram().unwrap();
            assert_eq!(histogram.sum > Some(0.0), histogram.count > 0, "{}: measured", metric.name);
            (group, histogram.count)
        })
        .collect();
    counts.sort();
    counts
}

#[test]
fn polls_delays_groups_and_timers_arrive_as_exact_histograms() {
    for temporality in [Temporality::Cumulative, Temporality::Delta] {
        let receiver = Receiver::start().unwrap();
        let workers = Instrumentation::default();
        let wire = Wire::by_http(&workers, &receiver, temporality);
        workers.register(&wire.provider);
        let tasks = TaskMetrics::builder().group("db").group("http").build().unwrap();
        let runtime = Builder::new_multi_thread()
            .worker_threads(2)
            .name("main")
            .enable_time()
            .measure_tasks(&tasks)
            .build()
            .unwrap();
        let source = TokioRuntime::new(runtime.handle())
            .with_tasks(&tasks)
            .with_canary(Duration::from_millis(1))
            .unwrap();
        let _main = workers.attach(source).unwrap();
        assert!(
            workers
                .expected_series()
                .metrics()
                .iter()
                .any(|metric| { metric.name == "tokio.task.group.poll.duration" && metric.series == 2 })
        );
        runtime.block_on(async {
            tasks.spawn(yield_now()).await.unwrap();
            tasks.group("db").unwrap().spawn(async {}).await.unwrap();
            tasks.group("http").unwrap().spawn(yield_now()).await.unwrap();
        });
        let deadline = Instant::now() + PATIENCE;
        while receiver.snapshot().metric("tokio.timer.delay").is_none_or(|delay| counts(delay)[0].1 == 0) {
            assert!(Instant::now() < deadline, "the canary measured nothing");
            wire.provider.force_flush().unwrap();
        }

        let document = receiver.snapshot();
        let metric = |name| document.metric(name).unwrap_or_else(|| panic!("{name} did not arrive"));
        for name in ["tokio.task.poll.duration", "tokio.task.schedule.duration"] {
            assert_eq!(counts(metric(name)), [(None, 5)], "{name}");
            assert!(!metric(name).description.contains("estimate"), "{name}");
        }
        for name in ["tokio.task.group.poll.duration", "tokio.task.group.schedule.duration"] {
            assert_eq!(counts(metric(name)), [(Some("db"), 1), (Some("http"), 2)], "{name}");
        }
    }
}
