//! Counters, up-down counters and gauges that go by OTLP.

use opentelemetry::metrics::MeterProvider;
use opentelemetry_sdk::metrics::Temporality;
use otlp_receiver::{Data, Fault, Receiver};
use worker_metrics::{Batch, Pool, WorkerConfig};
use worker_metrics_otel::{Attachment, Instrumentation, Numbers, Options, Push};

use crate::wire::{HOURLY, PATIENCE, Protocol, Wire, otlp};

const POLLS: &str = "worker_pool.worker.polls";

/// A push to a receiver.
struct Rig {
    receiver: Receiver,
    push: Push,
    workers: Instrumentation,
}

impl Rig {
    fn new(temporality: Temporality) -> Self {
        let receiver = Receiver::builder().keep_requests(true).start().unwrap();
        let workers = Instrumentation::default();
        let otlp = otlp(&workers, Protocol::Http, &receiver).with_timeout(PATIENCE);
        let push = otlp.with_temporality(temporality).start().unwrap();
        Self { receiver, push, workers }
    }

    fn attach(&self, name: &str, workers: usize) -> (Attachment, Vec<Batch>) {
        attach(&self.workers, name, workers)
    }

    fn flush(&self) {
        self.push.force_flush().unwrap();
    }

    /// All that has arrived, by series.
    fn polls(&self) -> Vec<i64> {
        let totals = self.receiver.series(POLLS).into_iter().filter_map(|series| series.total());
        totals
            .map(|total| match total {
                Data::Number { value } => value.as_i64().unwrap(),
                other => panic!("{POLLS} is no number: {other:?}"),
            })
            .collect()
    }
}

fn attach(to: &Instrumentation, name: &str, workers: usize) -> (Attachment, Vec<Batch>) {
    let config = WorkerConfig::new().with_microstates();
    let (pool, batches) = Pool::builder(name).workers(workers).config(config).build().unwrap();
    (to.attach(pool).unwrap(), batches)
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

#[test]
fn no_series_is_lost_beyond_the_limit_of_the_sdk() {
    let rig = Rig::new(Temporality::Cumulative);
    let mut kept = Vec::new();
    for pool in 0..210 {
        kept.push(rig.attach(&format!("pool {pool}"), 10));
    }
    assert!(rig.workers.expected_series().largest().unwrap().series > 2_000);
    rig.flush();
    assert_eq!(rig.polls().len(), 2_100);
}

#[test]
fn the_last_values_of_any_number_of_sources_arrive() {
    for temporality in [Temporality::Cumulative, Temporality::Delta] {
        let rig = Rig::new(temporality);
        let pools: Vec<_> = (0..300).map(|pool| rig.attach(&format!("pool {pool}"), 8)).collect();
        rig.flush();
        for (_attachment, mut batches) in pools {
            work(&mut batches, 10);
        }
        rig.flush();
        assert_eq!(rig.polls().len(), 300 * 8);
        // Each worker has polled 10 times, and its index more.
        assert_eq!(rig.polls().iter().sum::<i64>(), 300 * (8 * 10 + 28), "{temporality:?}");
        assert!(rig.receiver.series(POLLS).iter().all(|series| series.has_ended()));
        assert_eq!(rig.receiver.violations(), []);
    }
}

#[test]
fn a_delta_that_was_not_acknowledged_is_carried_by_the_next() {
    let rig = Rig::new(Temporality::Delta);
    let (_attachment, mut batches) = rig.attach("render", 1);
    work(&mut batches, 10);
    rig.flush();
    rig.receiver.set_fault(Fault::Reset);
    work(&mut batches, 20);
    assert!(rig.push.force_flush().is_err());
    rig.receiver.set_fault(Fault::None);
    work(&mut batches, 30);
    rig.flush();
    // The receiver adds up what it took.
    assert_eq!(rig.polls(), [60]);
}

#[test]
fn the_last_numbers_of_a_detached_source_are_delivered() {
    for temporality in [Temporality::Cumulative, Temporality::Delta] {
        let rig = Rig::new(temporality);
        let (attachment, mut batches) = rig.attach("render", 1);
        work(&mut batches, 10);
        rig.flush();
        work(&mut batches, 5);
        drop(attachment);
        rig.flush();
        assert_eq!(rig.polls(), [15], "{temporality:?}");
        assert!(rig.receiver.series(POLLS)[0].has_ended());
    }
}

#[test]
fn what_nobody_would_export_is_reported() {
    let missing = |workers: &Instrumentation| {
        let coverage = workers.coverage().remove(0);
        coverage.missing().find(|(name, _)| name == POLLS).map(|(_, why)| why)
    };
    let workers = Instrumentation::new(Options::default().with_numbers(Numbers::Otlp));
    let (_attachment, _batches) = attach(&workers, "render", 1);
    assert!(missing(&workers).is_some_and(|why| why.contains("Numbers::Meter")), "{:?}", missing(&workers));
    assert!(workers.expected_series().metrics().iter().all(|metric| metric.name != POLLS));

    let receiver = Receiver::start().unwrap();
    let _push = otlp(&workers, Protocol::Http, &receiver).start().unwrap();
    assert_eq!(missing(&workers), None);
    assert!(workers.expected_series().metrics().iter().any(|metric| metric.name == POLLS));
}

/// The SDK calls no exporter without anything to export.
#[test]
fn with_any_metric_of_the_program_everything_goes_by_an_exporter_and_each_metric_once() {
    for registered in [false, true] {
        let receiver = Receiver::start().unwrap();
        let workers = Instrumentation::new(Options::default().with_numbers(Numbers::Otlp));
        let wire = Wire::by_http(&workers, &receiver, Temporality::Cumulative);
        if registered {
            workers.register(&wire.provider);
        }
        wire.provider.meter("program").u64_counter("requests").build().add(1, &[]);
        let (_attachment, _batches) = attach(&workers, "render", 2);
        wire.provider.force_flush().unwrap();
        assert_each_has_arrived_once(&workers, &receiver);
    }
}

/// Every metric that is expected is there once.
#[track_caller]
fn assert_each_has_arrived_once(workers: &Instrumentation, receiver: &Receiver) {
    let document = receiver.snapshot();
    let expected = workers.expected_series();
    assert!(expected.metrics().len() > 10);
    for worker_metrics_otel::MetricSeries { name, .. } in expected.metrics() {
        let of_name = document.metrics.iter().filter(|metric| metric.name == *name);
        assert_eq!(of_name.count(), 1, "{name}");
    }
}

/// Whoever has nothing but worker metrics can have them all the same.
#[test]
fn a_registered_provider_without_other_metrics_exports_everything_through_its_exporter() {
    for numbers in [Numbers::Auto, Numbers::Meter] {
        let receiver = Receiver::start().unwrap();
        let workers = Instrumentation::new(Options::default().with_numbers(numbers));
        let wire = Wire::by_http(&workers, &receiver, Temporality::Cumulative);
        workers.register(&wire.provider);
        let (_attachment, _batches) = attach(&workers, "render", 2);
        wire.provider.force_flush().unwrap();
        assert_each_has_arrived_once(&workers, &receiver);
    }
}

/// The SDK does not call an exporter without anything of its own: that is what `OtlpExporter` says,
/// and a warning.
#[test]
fn without_any_metric_of_the_sdk_s_own_everything_arrives_at_the_shutdown() {
    let cases = [Temporality::Cumulative, Temporality::Delta]
        .map(|temporality| [(temporality, false), (temporality, true)]);
    for (temporality, is_detached) in cases.into_iter().flatten() {
        let receiver = Receiver::builder().keep_requests(true).start().unwrap();
        let workers = Instrumentation::new(Options::default().with_numbers(Numbers::Otlp));
        let wire = Wire::by_http(&workers, &receiver, temporality);
        workers.register(&wire.provider);
        let (attachment, mut batches) = attach(&workers, "render", 1);
        work(&mut batches, 10);
        wire.provider.force_flush().unwrap();
        assert_eq!(receiver.attempts(), 0);
        let attachment = Some(attachment).filter(|_| !is_detached);
        wire.provider.shutdown_with_timeout(PATIENCE).unwrap();
        let [polls] = &receiver.series(POLLS)[..] else { panic!("one series") };
        let value = polls.total().and_then(|total| match total {
            Data::Number { value } => value.as_i64(),
            _ => None,
        });
        assert_eq!(value, Some(10), "{temporality:?} {is_detached}");
        assert!(receiver.resources()[0].contains_key("service.name"));
        drop(attachment);
    }
}

/// Whatever comes first settles which way the numbers go.
#[test]
fn no_number_goes_two_ways_whatever_the_order() {
    for (numbers, meter_first) in [
        (Numbers::Auto, true),
        (Numbers::Auto, false),
        (Numbers::Meter, true),
        (Numbers::Meter, false),
        (Numbers::Otlp, true),
        (Numbers::Otlp, false),
    ] {
        let [by_sdk, by_push] = [(); 2].map(|()| Receiver::start().unwrap());
        let workers = Instrumentation::new(Options::default().with_numbers(numbers));
        let wire = Wire::start(Protocol::Http, &by_sdk, Temporality::Cumulative, HOURLY);
        wire.provider.meter("program").u64_counter("requests").build().add(1, &[]);
        let (_attachment, _batches) = attach(&workers, "render", 2);
        if meter_first {
            workers.register(&wire.provider);
        }
        let push = otlp(&workers, Protocol::Http, &by_push).start().unwrap();
        if !meter_first {
            // With this the way is settled, not with the start.
            push.force_flush().unwrap();
            workers.register(&wire.provider);
        }
        for _ in 0..2 {
            push.force_flush().unwrap();
            wire.provider.force_flush().unwrap();
        }
        let has = |receiver: &Receiver| receiver.snapshot().metric(POLLS).is_some();
        let through_meter = numbers == Numbers::Meter || (numbers == Numbers::Auto && meter_first);
        assert_eq!(
            (has(&by_sdk), has(&by_push)),
            (through_meter, !through_meter),
            "{numbers:?} {meter_first}"
        );
    }
}
