//! One untimed event: a number grows by one.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use metrics::Recorder;
use metrics_exporter_prometheus::PrometheusBuilder;
use opentelemetry::metrics::MeterProvider;
use opentelemetry_sdk::metrics::{ManualReader, SdkMeterProvider};
use prometheus_client::metrics::{counter::Counter, family::Family};
use worker_metrics::{Batch, WorkerMetrics};

use super::counters::{Apart, load_and_store};
use super::figure::Figure;
use super::labels::{attributes, labels};
use super::subject::Subject;
use crate::report::{Limit, Target, version_of};

pub(super) const NOTHING: usize = 0;
pub(super) const ADDITION: usize = 1;
pub(super) const BATCH: usize = 3;

const NAME: &str = "scheduled";

pub(super) fn subjects() -> Vec<Subject> {
    let mut subjects = vec![
        Subject::new("nothing: what measuring takes", |_| {
            let mut count = 0_u64;
            move || {
                black_box(&mut count);
            }
        }),
        Subject::new("an addition to a `u64`", |_| {
            let mut count = 0_u64;
            move || {
                let count = black_box(&mut count);
                *count = count.wrapping_add(1);
            }
        }),
        Subject::new("a relaxed load and store", |_| {
            let count = Box::<Apart>::default();
            move || load_and_store(&black_box(&*count).0)
        }),
        Subject::new("`Batch::scheduled_locally`", |_| {
            let mut batch = Batch::new(WorkerMetrics::new());
            move || black_box(&mut batch).scheduled_locally()
        }),
        Subject::new("`fetch_add` on a line of its own", |_| {
            let count = Box::<Apart>::default();
            move || {
                black_box(&*count).0.fetch_add(1, Relaxed);
            }
        }),
        Subject::new("`fetch_add` on a line of all threads", {
            let shared = Arc::<Apart>::default();
            move |_| {
                let count = shared.clone();
                move || {
                    black_box(&*count).0.fetch_add(1, Relaxed);
                }
            }
        }),
    ];
    subjects.extend(of_opentelemetry());
    subjects.extend(of_prometheus_client());
    subjects.push(of_metrics());
    subjects.extend(of_metriken());
    subjects
}

fn of_opentelemetry() -> [Subject; 2] {
    let version = version_of("opentelemetry");
    let provider = SdkMeterProvider::builder().with_reader(ManualReader::builder().build()).build();
    let counter = provider.meter("bench").u64_counter(NAME).build();
    let (unbound, bound) = ((provider.clone(), counter.clone()), (provider, counter));
    [
        Subject::new(format!("{version} counter"), move |thread| {
            let (attributes, counter) = (attributes(thread), unbound.1.clone());
            move || black_box(&counter).add(1, &attributes)
        }),
        Subject::new(format!("{version} counter, bound"), move |thread| {
            let counter = bound.1.bind(&attributes(thread));
            move || black_box(&counter).add(1)
        }),
    ]
}

fn of_prometheus_client() -> [Subject; 2] {
    let version = version_of("prometheus-client");
    let family = Family::<Vec<(String, String)>, Counter>::default();
    let kept = family.clone();
    [
        Subject::new(format!("{version} counter, looked up"), move |thread| {
            let (labels, family) = (labels(thread), family.clone());
            move || {
                black_box(&family).get_or_create(&labels).inc();
            }
        }),
        Subject::new(format!("{version} counter, kept"), move |thread| {
            let counter = kept.get_or_create_owned(&labels(thread));
            move || {
                black_box(&counter).inc();
            }
        }),
    ]
}

fn of_metrics() -> Subject {
    let recorder = PrometheusBuilder::new().build_recorder();
    let name =
        format!("{} counter, {}, kept", version_of("metrics"), version_of("metrics-exporter-prometheus"));
    Subject::new(name, move |thread| {
        let labels: Vec<_> = labels(thread).iter().map(metrics::Label::from).collect();
        let metadata = metrics::Metadata::new("bench", metrics::Level::INFO, None);
        let counter = recorder.register_counter(&metrics::Key::from_parts(NAME, labels), &metadata);
        move || black_box(&counter).increment(1)
    })
}

fn of_metriken() -> [Subject; 2] {
    static COUNTER: metriken::Counter = metriken::Counter::new();
    static GROUP: metriken::ShardedCounterGroup = metriken::ShardedCounterGroup::new(1);
    let version = version_of("metriken");
    [
        Subject::new(format!("{version} `Counter`, one for all threads"), |_| {
            move || {
                black_box(&COUNTER).increment();
            }
        }),
        Subject::new(format!("{version} `ShardedCounterGroup`"), |_| {
            move || {
                black_box(&GROUP).increment(0);
            }
        }),
    ]
}

pub(super) fn target(one_thread: &[Figure]) -> Target {
    Target {
        measure: "an untimed event in `Batch`, against an addition to a `u64`".to_owned(),
        limit: Limit::AtMost(1.2),
        measured: one_thread[BATCH].against(&one_thread[ADDITION]).median,
        note: "",
    }
}
