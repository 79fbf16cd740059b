//! Everything that is exported of a runtime, compared as a whole: name, unit, description, kind,
//! temporality, attributes.

use std::fmt::Write as _;

use opentelemetry_sdk::metrics::Temporality;
use tokio::runtime::{Builder, Runtime};
use worker_metrics::{Pool, WorkerConfig};
use worker_metrics_otel::{Detail, Instrumentation, Options};
use worker_metrics_tokio::{RuntimeBuilderExt, TokioRuntime};

use crate::rig::{Collected, Rig};

/// The configuration that this test was built with.
const CONFIGURATION: &str = if cfg!(tokio_unstable) { "unstable" } else { "stable" };

fn multi_thread() -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(2)
        .name("main")
        .enable_all()
        .enable_worker_histograms()
        .build()
        .unwrap()
}

fn current_thread() -> Runtime {
    Builder::new_current_thread().name("side").enable_all().enable_worker_histograms().build().unwrap()
}

/// A scope as text.
fn text(collected: &Collected) -> String {
    assert!(!collected.metrics.is_empty(), "nothing was exported");
    let mut text = String::new();
    for metric in &collected.metrics {
        let _ = writeln!(text, "{} {} [{}] {}", metric.scope, metric.name, metric.unit, metric.kind);
        let _ = writeln!(text, "  {}", metric.description);
        for point in &metric.points {
            let attributes: Vec<_> =
                point.attributes.iter().map(|(key, value)| format!("{key}={value}")).collect();
            let _ = writeln!(text, "  - {}", attributes.join(" "));
        }
    }
    text
}

/// What is exported of `runtime` once some task has run, so that nothing is absent for want of a
/// first value.
fn scope_of(runtime: &Runtime, temporality: Temporality, options: Options) -> String {
    let rig = Rig::new(temporality);
    let workers = Instrumentation::new(options);
    workers.register(&rig.provider);
    let _attachment = workers.attach(TokioRuntime::new(runtime.handle())).unwrap();
    runtime.block_on(async {
        for _ in 0..200 {
            tokio::spawn(tokio::task::yield_now()).await.unwrap();
        }
    });
    text(&rig.collect())
}

#[test]
fn the_scope_of_a_multi_thread_runtime_is_as_expected() {
    let runtime = multi_thread();
    for temporality in [Temporality::Cumulative, Temporality::Delta] {
        insta::assert_snapshot!(
            format!("multi_thread-{temporality:?}-{CONFIGURATION}").to_lowercase(),
            scope_of(&runtime, temporality, Options::default())
        );
    }
}

#[test]
fn the_scope_of_a_current_thread_runtime_is_as_expected() {
    let runtime = current_thread();
    for temporality in [Temporality::Cumulative, Temporality::Delta] {
        insta::assert_snapshot!(
            format!("current_thread-{temporality:?}-{CONFIGURATION}").to_lowercase(),
            scope_of(&runtime, temporality, Options::default())
        );
    }
}

#[test]
fn the_scope_with_everything_on_request_is_as_expected() {
    let options = Options::default().with_worker_detail(Detail::Runtime).with_opt_in_metrics().with_flavor();
    // The mean poll time is published with the first batch of polls.
    let runtime = multi_thread();
    insta::assert_snapshot!(
        format!("on_request-{CONFIGURATION}"),
        scope_of(&runtime, Temporality::Cumulative, options)
    );
}

#[test]
fn the_scope_of_a_pool_is_as_expected() {
    let rig = Rig::cumulative();
    let workers = Instrumentation::default();
    workers.register(&rig.provider);
    let (pool, _batches) = Pool::builder("render").workers(2).build().unwrap();
    let _attachment = workers.attach(pool).unwrap();
    insta::assert_snapshot!("pool", text(&rig.collect()));
}

#[test]
fn microstates_are_a_series_for_each_worker_and_state() {
    let collected = |detail| {
        let rig = Rig::cumulative();
        let workers = Instrumentation::new(Options::default().with_worker_detail(detail));
        workers.register(&rig.provider);
        let config = WorkerConfig::new().with_microstates();
        let (pool, _batches) = Pool::builder("render").workers(2).config(config).build().unwrap();
        let _attachment = workers.attach(pool).unwrap();
        rig.collect()
    };
    let time = |collected: &Collected, state, worker: &[(&str, &str)]| {
        let attributes = [&[("worker_pool.worker.microstate", state)], worker].concat();
        collected.value("worker_pool.worker.microstate.time", &attributes)
    };
    let per_worker = collected(Detail::Worker);
    assert_eq!(per_worker.metric("worker_pool.worker.microstate.time").points.len(), 10);
    for worker in ["0", "1"] {
        let worker = [("worker_pool.worker.index", worker)];
        assert!(time(&per_worker, "scheduling", &worker) > 0.0);
        assert_eq!(time(&per_worker, "polling", &worker), 0.0);
    }
    let per_pool = collected(Detail::Runtime);
    assert_eq!(per_pool.metric("worker_pool.worker.microstate.time").points.len(), 5);
    assert!(time(&per_pool, "scheduling", &[]) > 0.0);
}
