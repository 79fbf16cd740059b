//! What a collection allocates once nothing is new.

use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use opentelemetry::InstrumentationScope;
use opentelemetry::KeyValue;
use opentelemetry::metrics::{Meter, MeterProvider};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::metrics::reader::MetricReader;
use opentelemetry_sdk::metrics::{InstrumentKind, ManualReader, Pipeline, SdkMeterProvider, Temporality};
use otlp_receiver::Receiver;
use tokio::runtime::Builder;
use worker_metrics::histogram::Scale;
use worker_metrics::{Pool, WorkerConfig};
use worker_metrics_otel::{Histograms, Instrumentation, Numbers, Options, Watchdog};
use worker_metrics_tokio::TokioRuntime;

use crate::rig::{Collected, Rig};
use crate::wire::{PATIENCE, Protocol, otlp};

/// A reader that the test keeps: it collects on the thread whose allocations are counted.
#[derive(Clone, Debug)]
struct Kept(Arc<ManualReader>);

impl MetricReader for Kept {
    fn register_pipeline(&self, pipeline: Weak<Pipeline>) {
        self.0.register_pipeline(pipeline);
    }

    fn collect(&self, into: &mut ResourceMetrics) -> OTelSdkResult {
        self.0.collect(into)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn temporality(&self, kind: InstrumentKind) -> Temporality {
        self.0.temporality(kind)
    }
}

/// The allocations of one cycle in a steady state, of a provider that `register` has prepared.
fn allocations(register: impl FnOnce(&SdkMeterProvider)) -> u64 {
    let reader = Kept(Arc::new(ManualReader::builder().build()));
    let provider = SdkMeterProvider::builder().with_reader(reader.clone()).build();
    register(&provider);
    let mut metrics = ResourceMetrics::default();
    let mut cycle = || reader.collect(&mut metrics).unwrap();
    for _ in 0..5 {
        cycle();
    }
    allocation_counter::measure(cycle).count_total
}

/// Instruments that observe what `like` shows, from constants and ready attributes: all that is
/// left is the SDK's own work.
fn register_bare(provider: &SdkMeterProvider, like: &Collected) {
    let scope =
        InstrumentationScope::builder("bare").with_version("1").with_schema_url("https://bare.invalid/1");
    let meter: Meter = provider.meter_with_scope(scope.build());
    for metric in &like.metrics {
        let sets: Vec<Vec<KeyValue>> = metric
            .points
            .iter()
            .map(|point| point.attributes.iter().map(|(key, value)| pair(key, value)).collect())
            .collect();
        let (name, unit, description) =
            (metric.name.clone(), metric.unit.clone(), metric.description.clone());
        match metric.kind.as_str() {
            "monotonic cumulative sum of u64" => {
                let observe = move |to: &dyn opentelemetry::metrics::AsyncInstrument<u64>| {
                    sets.iter().for_each(|set| to.observe(1, set));
                };
                meter
                    .u64_observable_counter(name)
                    .with_unit(unit)
                    .with_description(description)
                    .with_callback(observe)
                    .build();
            }
            "monotonic cumulative sum of f64" => {
                let observe = move |to: &dyn opentelemetry::metrics::AsyncInstrument<f64>| {
                    sets.iter().for_each(|set| to.observe(1.0, set));
                };
                meter
                    .f64_observable_counter(name)
                    .with_unit(unit)
                    .with_description(description)
                    .with_callback(observe)
                    .build();
            }
            "gauge of f64" => {
                let observe = move |to: &dyn opentelemetry::metrics::AsyncInstrument<f64>| {
                    sets.iter().for_each(|set| to.observe(1.0, set));
                };
                meter
                    .f64_observable_gauge(name)
                    .with_unit(unit)
                    .with_description(description)
                    .with_callback(observe)
                    .build();
            }
            "non-monotonic cumulative sum of i64" => {
                let observe = move |to: &dyn opentelemetry::metrics::AsyncInstrument<i64>| {
                    sets.iter().for_each(|set| to.observe(1, set));
                };
                meter
                    .i64_observable_up_down_counter(name)
                    .with_unit(unit)
                    .with_description(description)
                    .with_callback(observe)
                    .build();
            }
            other => panic!("{} is a {other}", metric.name),
        }
    }
}

/// The attribute as the bridge has it: neither its text nor its numbers are cloned with an
/// allocation.
fn pair(key: &str, value: &str) -> KeyValue {
    let key = Arc::<str>::from(key);
    match value.parse::<i64>() {
        Ok(index) if key.ends_with(".index") => KeyValue::new(key, index),
        _ => KeyValue::new(key, Arc::<str>::from(value)),
    }
}

/// What the bridge allocates in one cycle, and what the SDK alone does.
fn with_the_bridge_and_bare(options: Options) -> (u64, u64) {
    let runtime = Builder::new_multi_thread().worker_threads(4).name("main").enable_all().build().unwrap();
    runtime.block_on(async { tokio::spawn(tokio::task::yield_now()).await.unwrap() });
    let (pool, _batches) = Pool::builder("render").workers(8).build().unwrap();
    let workers = Instrumentation::new(options.with_flavor());
    let _main = workers.attach(TokioRuntime::new(runtime.handle())).unwrap();
    let _render = workers.attach(pool).unwrap();

    let rig = Rig::cumulative();
    workers.register(&rig.provider);
    let like = rig.collect();
    assert!(like.series() > 100);
    (
        allocations(|provider| workers.register(provider)),
        allocations(|provider| register_bare(provider, &like)),
    )
}

#[test]
fn a_steady_cycle_allocates_nothing_of_ours() {
    let (with_the_bridge, bare) = with_the_bridge_and_bare(Options::default().without_watchdog());
    assert!(bare > 0, "the SDK allocates for each series");
    assert_eq!(with_the_bridge, bare);
}

#[test]
fn a_steady_cycle_allocates_nothing_of_ours_beside_a_watchdog() {
    let watchdog = Watchdog::every(Duration::from_millis(1)).unwrap();
    let (with_the_bridge, bare) = with_the_bridge_and_bare(Options::default().with_watchdog(watchdog));
    assert_eq!(with_the_bridge, bare);
}

/// What an export by OTLP allocates on the thread that collects, from the source to the request,
/// for so many workers.
fn allocations_of_an_export(temporality: Temporality, workers: usize) -> (u64, u64) {
    let receiver = Receiver::start().unwrap();
    let options = Options::default().with_histograms(Histograms::Worker).with_numbers(Numbers::Otlp);
    let instrumentation = Instrumentation::new(options.with_opt_in_metrics());
    let otlp = otlp(&instrumentation, Protocol::Http, &receiver).with_temporality(temporality);
    let exporter = otlp.with_timeout(PATIENCE).exporter().unwrap();
    let config = WorkerConfig::new().with_poll_time_histogram(Scale::preset()).with_microstates();
    let (pool, mut batches) = Pool::builder("render").workers(workers).config(config).build().unwrap();
    let _attachment = instrumentation.attach(pool).unwrap();
    let metrics = ResourceMetrics::default();
    let mut least = (u64::MAX, 0);
    for _ in 0..10 {
        for batch in &mut batches {
            batch.start_poll();
            batch.end_poll();
            batch.submit();
        }
        // Up to the first wait for the network thread.
        let mut export = std::pin::pin!(exporter.export(&metrics));
        let mut context = Context::from_waker(Waker::noop());
        let mut first = Poll::Pending;
        let allocated = allocation_counter::measure(|| first = export.as_mut().poll(&mut context));
        if first.is_pending() {
            futures_executor::block_on(export).unwrap();
        }
        // The buffer of a request is new where the network thread still holds the last one.
        least = least.min((allocated.count_total, allocated.bytes_total));
    }
    let document = receiver.snapshot();
    let points = document.metric("worker_pool.task.poll.duration").unwrap().points.len();
    assert_eq!(points, workers);
    assert!(document.metrics.iter().map(|metric| metric.points.len()).sum::<usize>() > 2 * workers);
    least
}

/// Handing a request over to the network thread takes a task, and nothing else grows with what is
/// exported.
#[test]
fn a_steady_export_allocates_the_same_few_times_however_much_it_carries() {
    for temporality in [Temporality::Cumulative, Temporality::Delta] {
        let [one, many] = [1, 256].map(|workers| allocations_of_an_export(temporality, workers));
        assert_eq!(one.0, many.0, "{temporality:?}: {one:?} {many:?}");
        assert!(many.0 <= 16, "{temporality:?}: {many:?}");
    }
}
