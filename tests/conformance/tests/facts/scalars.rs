//! Counters, up-down counters and gauges that go through the exporter.

use std::collections::BTreeMap;
use std::time::Duration;

use opentelemetry_sdk::metrics::Temporality;
use otlp_receiver::{Document, Fault, Metric, Point, Receiver};
use worker_metrics::{Batch, Pool, WorkerConfig};
use worker_metrics_otel::{Attachment, Compression, Detail, Instrumentation, Options, Scalars};

use crate::wire::{Protocol, Wire};

const HOURLY: Duration = Duration::from_secs(3_600);
const POLLS: &str = "worker_pool.worker.polls";

struct Rig {
    receiver: Receiver,
    wire: Wire,
    workers: Instrumentation,
}

impl Rig {
    fn new(protocol: Protocol, temporality: Temporality, options: Options) -> Self {
        let receiver = Receiver::start().unwrap();
        let workers = Instrumentation::new(options);
        let wire =
            Wire::with_histograms(&workers, protocol, &receiver, temporality, Compression::None, HOURLY);
        workers.register(&wire.meter());
        Self { receiver, wire, workers }
    }

    fn through_the_exporter(temporality: Temporality) -> Self {
        Self::new(Protocol::Http, temporality, Options::default().with_scalars(Scalars::Exporter))
    }

    fn attach(&self, name: &str, workers: usize) -> (Attachment, Vec<Batch>) {
        let config = WorkerConfig::new().with_microstates();
        let (pool, batches) = Pool::builder(name).workers(workers).config(config).build().unwrap();
        (self.workers.attach(pool).unwrap(), batches)
    }

    fn flush(&self) {
        self.wire.provider.force_flush().unwrap();
    }

    fn document(&self) -> Document {
        self.receiver.snapshot()
    }

    fn polls(&self) -> Vec<i64> {
        let document = self.document();
        let points = document.metric(POLLS).map_or(&[][..], |metric| &metric.points);
        points.iter().filter_map(|point| point.value()?.as_i64()).collect()
    }
}

fn work(batches: &mut [Batch], polls: u64) {
    for (batch, more) in batches.iter_mut().zip(0..) {
        for _ in 0..polls + more {
            batch.start_poll();
            batch.end_poll();
        }
        batch.stole(3);
        batch.scheduled_locally();
        batch.metrics().set_queue_depth(5);
        batch.about_to_park();
        batch.submit();
    }
}

/// What of a metric does not depend on the moment; of counts the values too. Of deltas the SDK sends those of nothing as well: they are left
/// out.
fn shape(metric: &Metric) -> Option<String> {
    let Metric { name, unit, description, kind, monotonic, temporality, .. } = metric;
    let point = |point: &Point| {
        let value = point.value().map(|value| value.as_i64());
        let attributes: BTreeMap<_, _> =
            point.attributes.iter().map(|(key, value)| (key.clone(), format!("{value:?}"))).collect();
        format!("{attributes:?} {value:?} {}", point.start_time_unix_nano > 0)
    };
    let is_told = |point: &&Point| {
        let has_grown = point.value().is_some_and(|value| value.as_f64() > 0.0);
        *temporality != Some(otlp_receiver::Temporality::Delta) || has_grown
    };
    let mut points: Vec<_> = metric.points.iter().filter(is_told).map(point).collect();
    points.sort();
    (!points.is_empty())
        .then(|| format!("{name} {unit} {description} {kind:?} {monotonic:?} {temporality:?} {points:#?}"))
}

#[test]
fn the_exporter_sends_what_the_meter_does() {
    for protocol in [Protocol::Grpc, Protocol::Http] {
        for temporality in [Temporality::Cumulative, Temporality::Delta] {
            for detail in [Detail::Worker, Detail::Runtime] {
                let documents = [Scalars::Meter, Scalars::Exporter].map(|scalars| {
                    let options = Options::default().with_scalars(scalars).with_worker_detail(detail);
                    let rig = Rig::new(protocol, temporality, options.with_opt_in_metrics());
                    let (_attachment, mut batches) = rig.attach("render", 3);
                    work(&mut batches, 100);
                    rig.flush();
                    rig.document()
                });
                let [through_meter, beside] = documents.map(|document| {
                    let mut shapes: Vec<_> = document.metrics.iter().filter_map(shape).collect();
                    shapes.sort();
                    shapes
                });
                assert!(through_meter.len() > 10, "{}", through_meter.len());
                assert_eq!(through_meter, beside, "{protocol:?} {temporality:?} {detail:?}");
            }
        }
    }
}

#[test]
fn no_series_is_lost_beyond_the_limit_of_the_sdk() {
    let rig = Rig::through_the_exporter(Temporality::Cumulative);
    let mut kept = Vec::new();
    for pool in 0..210 {
        kept.push(rig.attach(&format!("pool {pool}"), 10));
    }
    assert!(rig.workers.expected_series().largest().unwrap().series > 2_000);
    rig.flush();
    assert_eq!(rig.polls().len(), 2_100);
}

#[test]
fn a_delta_that_was_not_acknowledged_is_carried_by_the_next() {
    let rig = Rig::through_the_exporter(Temporality::Delta);
    let (_attachment, mut batches) = rig.attach("render", 1);
    work(&mut batches, 10);
    rig.flush();
    rig.receiver.set_fault(Fault::Reset);
    work(&mut batches, 20);
    assert!(rig.wire.provider.force_flush().is_err());
    rig.receiver.set_fault(Fault::None);
    work(&mut batches, 30);
    rig.flush();
    // The receiver adds up what it took.
    assert_eq!(rig.polls(), [60]);
}

#[test]
fn the_last_numbers_of_a_detached_source_are_delivered() {
    for temporality in [Temporality::Cumulative, Temporality::Delta] {
        let rig = Rig::through_the_exporter(temporality);
        let (attachment, mut batches) = rig.attach("render", 1);
        work(&mut batches, 10);
        rig.flush();
        work(&mut batches, 5);
        drop(attachment);
        // The SDK calls no exporter without anything to export: this is what keeps it going.
        let (_other, _batches) = rig.attach("other", 1);
        rig.flush();
        assert_eq!(rig.polls().iter().max(), Some(&15), "{temporality:?}");
    }
}

#[test]
fn what_nobody_would_export_is_told() {
    let workers = Instrumentation::new(Options::default().with_scalars(Scalars::Exporter));
    let (pool, _batches) = Pool::builder("render").workers(1).build().unwrap();
    let _attachment = workers.attach(pool).unwrap();
    let coverage = workers.coverage().remove(0);
    let why = coverage.missing().find(|(name, _)| name == POLLS).map(|(_, why)| why);
    assert!(why.is_some_and(|why| why.contains("Scalars::Meter")), "{why:?}");
    assert!(workers.expected_series().metrics().iter().all(|metric| metric.name != POLLS));
}

#[test]
fn one_metric_of_each_source_keeps_the_exporter_called() {
    let rig = Rig::through_the_exporter(Temporality::Cumulative);
    let (_attachment, _batches) = rig.attach("render", 2);
    // Without anything else on the meter.
    rig.flush();
    let document = rig.document();
    let expected: Vec<_> =
        rig.workers.expected_series().metrics().iter().map(|metric| metric.name.clone()).collect();
    assert!(expected.len() > 10);
    for name in expected {
        let of_name = document.metrics.iter().filter(|metric| metric.name == name);
        assert_eq!(of_name.count(), 1, "{name}");
    }
}
