//! Runtimes that come and go.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Weak};

use opentelemetry_sdk::metrics::Temporality;
use tokio::runtime::{Builder, Runtime};
use worker_metrics::{Identity, Pool, Row, Snapshot, Source};
use worker_metrics_otel::Instrumentation;
use worker_metrics_tokio::TokioRuntime;

use crate::rig::Rig;

/// A source that counts those of its kind that are alive.
struct Counted<S> {
    source: S,
    alive: Arc<AtomicUsize>,
}

impl<S> Counted<S> {
    fn new(source: S, alive: &Arc<AtomicUsize>) -> Self {
        alive.fetch_add(1, Relaxed);
        Self { source, alive: alive.clone() }
    }
}

impl<S> Drop for Counted<S> {
    fn drop(&mut self) {
        self.alive.fetch_sub(1, Relaxed);
    }
}

impl<S: Source> Source for Counted<S> {
    fn identity(&self) -> &Identity {
        self.source.identity()
    }

    fn definitions(&self) -> &[Row] {
        self.source.definitions()
    }

    fn collect(&self, snapshot: &mut Snapshot) {
        self.source.collect(snapshot);
    }
}

fn runtime(index: usize) -> Runtime {
    let mut builder =
        if index.is_multiple_of(2) { Builder::new_current_thread() } else { Builder::new_multi_thread() };
    builder.worker_threads(1).name("come-and-go").build().unwrap()
}

#[test]
fn a_thousand_runtimes_leave_no_series_and_no_source() {
    let rig = Rig::cumulative();
    let workers = Instrumentation::default();
    workers.register(&rig.provider);
    let alive = Arc::default();
    // Detached since the last cycle, which the next one shows once more.
    let mut ended = 0;
    for index in 0..1_000 {
        let runtime = runtime(index);
        let attachment = workers.attach(Counted::new(TokioRuntime::new(runtime.handle()), &alive)).unwrap();
        if index.is_multiple_of(50) {
            assert_eq!(rig.collect().metric("tokio.task.count").points.len(), ended + 1);
            ended = 0;
        }
        if index.is_multiple_of(3) {
            // A runtime may end before its attachment.
            drop(runtime);
            assert_eq!(rig.collect().metric("tokio.task.count").points.len(), ended + 1);
            ended = 0;
        }
        drop(attachment);
        ended += 1;
        // The watchdog may look at it just now.
        while alive.load(Relaxed) > 0 {
            std::thread::yield_now();
        }
    }
    assert_eq!(rig.collect().metric("tokio.task.count").points.len(), ended);
    assert_eq!(rig.collect().series(), 0);
    assert_eq!(workers.expected_series().total(), 0);
}

#[test]
fn a_detached_source_is_let_go_though_nobody_collects_again() {
    let rig = Rig::cumulative();
    let workers = Instrumentation::default();
    workers.register(&rig.provider);
    let (pool, _batches) = Pool::builder("render").workers(1).build().unwrap();
    let pool = Arc::new(pool);
    let weak: Weak<Pool> = Arc::downgrade(&pool);
    let attachment = workers.attach(pool).unwrap();
    rig.collect();
    drop(attachment);
    // The watchdog may look at it just now.
    while weak.upgrade().is_some() {
        std::thread::yield_now();
    }
}

#[test]
fn a_detached_source_is_shown_once_more_by_each_meter_and_then_no_more() {
    let rigs = [Rig::cumulative(), Rig::new(Temporality::Delta)];
    let workers = Instrumentation::default();
    rigs.iter().for_each(|rig| workers.register(&rig.provider));
    let (pool, mut batches) = Pool::builder("render").workers(1).build().unwrap();
    let attachment = workers.attach(pool).unwrap();
    let series = rigs.each_ref().map(|rig| rig.collect().series());
    assert!(series[0] > 0);
    batches[0].start_poll();
    batches[0].end_poll();
    batches[0].submit();
    drop(attachment);
    for rig in &rigs {
        let last = rig.collect();
        assert_eq!((last.series(), last.sum("worker_pool.worker.polls")), (series[0], 1.0));
        assert_eq!(rig.collect().series(), 0);
    }
}

#[test]
fn an_attachment_outlives_the_instrumentation_that_made_it() {
    let rig = Rig::cumulative();
    let attachment = {
        let workers = Instrumentation::default();
        workers.register(&rig.provider);
        let (pool, _batches) = Pool::builder("render").workers(1).build().unwrap();
        workers.attach(pool).unwrap()
    };
    assert!(rig.collect().series() > 0);
    drop(attachment);
    assert!(rig.collect().series() > 0, "the last values are shown though the instrumentation is gone");
    assert_eq!(rig.collect().series(), 0);
}

#[test]
fn several_named_runtimes_are_series_of_their_own() {
    let rig = Rig::cumulative();
    let workers = Instrumentation::default();
    workers.register(&rig.provider);
    let runtimes: Vec<_> =
        ["api", "disk", "cpu"].map(|name| Builder::new_current_thread().name(name).build().unwrap()).into();
    let _attachments: Vec<_> =
        runtimes.iter().map(|runtime| workers.attach(TokioRuntime::new(runtime.handle())).unwrap()).collect();
    for (runtime, tasks) in runtimes.iter().zip([1, 2, 3]) {
        for _ in 0..tasks {
            runtime.spawn(std::future::pending::<()>());
        }
    }
    let collected = rig.collect();
    for (name, tasks) in [("api", 1.0), ("disk", 2.0), ("cpu", 3.0)] {
        assert_eq!(collected.value("tokio.task.count", &[("tokio.runtime.name", name)]), tasks);
    }
}

#[test]
fn two_runtimes_without_a_name_are_told_apart() {
    let rig = Rig::cumulative();
    let workers = Instrumentation::default();
    workers.register(&rig.provider);
    let runtimes = [(); 2].map(|()| Builder::new_current_thread().build().unwrap());
    let _attachments =
        runtimes.each_ref().map(|runtime| workers.attach(TokioRuntime::new(runtime.handle())).unwrap());
    let collected = rig.collect();
    let points = &collected.metric("tokio.task.count").points;
    assert_eq!(points.len(), 2);
    let id = runtimes[1].handle().id().to_string();
    assert_eq!(collected.value("tokio.task.count", &[("tokio.runtime.id", &id)]), 0.0);
}
