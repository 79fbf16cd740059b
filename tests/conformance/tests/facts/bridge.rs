//! Sources and meters in any order, and what becomes of their values.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use opentelemetry_sdk::metrics::{Aggregation, Instrument, Stream, Temporality};
use worker_metrics::{Batch, Identity, Namespace, Pool, Row, Snapshot, Source};
use worker_metrics_otel::{Detail, Instrumentation, Options};

use crate::rig::{Rig, poll};

const POLLS: &str = "worker_pool.worker.polls";

fn pool(name: &str, workers: usize) -> (Arc<Pool>, Vec<Batch>) {
    let (pool, batches) = Pool::builder(name).workers(workers).build().unwrap();
    (Arc::new(pool), batches)
}

/// A source whose every call is counted, and which panics on demand.
struct Probe {
    pool: Arc<Pool>,
    collections: Arc<AtomicUsize>,
    panics: Arc<AtomicBool>,
}

impl Probe {
    fn new(pool: Arc<Pool>) -> (Self, Arc<AtomicUsize>, Arc<AtomicBool>) {
        let (collections, panics) = (Arc::default(), Arc::default());
        (
            Self { pool, collections: Arc::clone(&collections), panics: Arc::clone(&panics) },
            collections,
            panics,
        )
    }
}

impl Source for Probe {
    fn identity(&self) -> &Identity {
        self.pool.identity()
    }

    fn definitions(&self) -> &[Row] {
        self.pool.definitions()
    }

    fn collect(&self, snapshot: &mut Snapshot) {
        self.collections.fetch_add(1, Relaxed);
        assert!(!self.panics.load(Relaxed), "this source panics on purpose");
        self.pool.collect(snapshot);
    }
}

#[test]
fn a_source_may_be_attached_before_or_after_its_meter_is_registered() {
    for attach_first in [true, false] {
        let rig = Rig::cumulative();
        let workers = Instrumentation::default();
        let (pool, mut batches) = pool("render", 1);
        let attachment = attach_first.then(|| workers.attach(pool.clone()).unwrap());
        workers.register(&rig.provider);
        let _attachment = attachment.unwrap_or_else(|| workers.attach(pool).unwrap());
        poll(&mut batches[0], 3);
        assert_eq!(rig.collect().sum(POLLS), 3.0);
    }
}

#[test]
fn every_source_goes_through_every_meter() {
    let rigs = [Rig::cumulative(), Rig::new(Temporality::Delta)];
    let workers = Instrumentation::default();
    workers.register(&rigs[0].provider);
    let (render, mut batches) = pool("render", 1);
    let _render = workers.attach(render).unwrap();
    workers.register(&rigs[1].provider);
    let (audio, mut more) = pool("audio", 2);
    let _audio = workers.attach(audio).unwrap();
    poll(&mut batches[0], 1);
    poll(&mut more[1], 5);
    for rig in &rigs {
        let collected = rig.collect();
        assert_eq!(collected.value(POLLS, &[("worker_pool.name", "render")]), 1.0);
        assert_eq!(
            collected.value(POLLS, &[("worker_pool.name", "audio"), ("worker_pool.worker.index", "1")]),
            5.0
        );
    }
}

#[test]
fn a_delta_is_what_happened_since_the_last_cycle() {
    let rig = Rig::new(Temporality::Delta);
    let workers = Instrumentation::default();
    workers.register(&rig.provider);
    let (pool, mut batches) = pool("render", 1);
    let _attachment = workers.attach(pool).unwrap();
    for polls in [4, 7, 1] {
        poll(&mut batches[0], polls);
        assert_eq!(rig.collect().sum(POLLS), polls as f64);
    }
}

#[test]
fn one_snapshot_serves_a_whole_cycle() {
    let rig = Rig::cumulative();
    let workers = Instrumentation::new(Options::default().without_watchdog());
    workers.register(&rig.provider);
    let (pool, _batches) = pool("render", 1);
    let (probe, collections, _) = Probe::new(pool);
    let _attachment = workers.attach(probe).unwrap();
    // The values at the attachment are read before.
    let before = collections.load(Relaxed);
    for cycle in 1..=5 {
        rig.collect();
        assert_eq!(collections.load(Relaxed), before + cycle);
    }
}

#[test]
fn one_snapshot_serves_a_cycle_though_a_view_drops_the_first_instruments() {
    use opentelemetry_sdk::metrics::{InMemoryMetricExporter, PeriodicReader, SdkMeterProvider};

    let exporter = InMemoryMetricExporter::default();
    let drop_first = |instrument: &Instrument| {
        let first = instrument.name().starts_with("worker_pool.worker.count");
        first.then(|| Stream::builder().with_aggregation(Aggregation::Drop).build().unwrap())
    };
    let provider = SdkMeterProvider::builder()
        .with_reader(PeriodicReader::builder(exporter.clone()).build())
        .with_view(drop_first)
        .build();
    let workers = Instrumentation::new(Options::default().without_watchdog());
    workers.register(&provider);
    let (pool, _batches) = pool("render", 1);
    let (probe, collections, _) = Probe::new(pool);
    let _attachment = workers.attach(probe).unwrap();
    let before = collections.load(Relaxed);
    for cycle in 1..=5 {
        provider.force_flush().unwrap();
        assert_eq!(collections.load(Relaxed), before + cycle);
    }
    assert!(!exporter.get_finished_metrics().unwrap().is_empty());
}

#[test]
fn a_panicking_source_is_left_out_and_the_others_go_on() {
    let rig = Rig::cumulative();
    let workers = Instrumentation::new(Options::default().without_watchdog());
    workers.register(&rig.provider);
    let (broken, _batches) = pool("broken", 1);
    let (probe, collections, panics) = Probe::new(broken);
    let _broken = workers.attach(probe).unwrap();
    let (sound, mut batches) = pool("sound", 1);
    let _sound = workers.attach(sound).unwrap();
    poll(&mut batches[0], 2);

    assert_eq!(rig.collect().metric(POLLS).points.len(), 2);
    panics.store(true, Relaxed);
    let before = collections.load(Relaxed);
    for _ in 0..3 {
        let collected = rig.collect();
        assert_eq!(collected.metric(POLLS).points.len(), 1);
        assert_eq!(collected.sum(POLLS), 2.0);
    }
    assert_eq!(collections.load(Relaxed), before + 1, "it is not asked again");
}

#[test]
fn a_source_that_is_attached_already_is_refused_and_stays() {
    let rig = Rig::cumulative();
    let workers = Instrumentation::default();
    workers.register(&rig.provider);
    let (pool, mut batches) = pool("render", 1);
    let first = workers.attach(pool.clone()).unwrap();
    let id = &pool.identity().id;
    assert_eq!(
        workers.attach(pool.clone()).unwrap_err().to_string(),
        format!(
            "the worker_pool source \"render\" (id {id}) is attached already: keep the `Attachment` of the first \
             `attach`, or drop it before attaching again"
        )
    );
    poll(&mut batches[0], 1);
    assert_eq!(rig.collect().sum(POLLS), 1.0);
    drop(first);
    let _again = workers.attach(pool).expect("it may be attached again");
}

#[test]
fn two_sources_of_one_name_are_told_apart_and_the_first_keeps_its_series() {
    let rig = Rig::cumulative();
    let workers = Instrumentation::default();
    workers.register(&rig.provider);
    let (one, mut ones) = pool("render", 1);
    let (other, mut others) = pool("render", 1);
    let one_attached = workers.attach(one.clone()).unwrap();
    let before = rig.collect().metric(POLLS).points[0].attributes.clone();
    let _other = workers.attach(other.clone()).unwrap();
    poll(&mut ones[0], 1);
    poll(&mut others[0], 2);
    let collected = rig.collect();
    assert_eq!(collected.value(POLLS, &[("worker_pool.id", &other.identity().id)]), 2.0);
    let first = collected.metric(POLLS).points.iter().find(|point| point.attributes == before).unwrap();
    assert_eq!(first.value, 1.0);

    drop(one_attached);
    let (third, _batches) = pool("render", 1);
    let _third = workers.attach(third.clone()).unwrap();
    let collected = rig.collect();
    assert_eq!(
        collected.value(POLLS, &[("worker_pool.id", &third.identity().id)]),
        0.0,
        "a successor begins series of its own"
    );
    let _again = workers.attach(one).unwrap();
    // Between two attachments of one source is a cycle without it.
    let between = rig.collect();
    assert!(between.metric(POLLS).points.iter().all(|point| point.attributes != before));
    let collected = rig.collect();
    let first = collected.metric(POLLS).points.iter().find(|point| point.attributes == before).unwrap();
    assert_eq!(
        first.value, 0.0,
        "the first has its series again, which counts from the second attachment on"
    );
}

#[test]
fn replacing_a_source_between_two_delta_cycles_wraps_nothing() {
    let rig = Rig::new(Temporality::Delta);
    let workers = Instrumentation::default();
    workers.register(&rig.provider);
    let (old, mut batches) = pool("render", 1);
    let attachment = workers.attach(old).unwrap();
    poll(&mut batches[0], 1_000);
    assert_eq!(rig.collect().sum(POLLS), 1_000.0);
    poll(&mut batches[0], 5);
    drop(attachment);
    let (new, mut batches) = pool("render", 1);
    let _attachment = workers.attach(new).unwrap();
    poll(&mut batches[0], 3);
    assert_eq!(
        rig.collect().sum(POLLS),
        5.0 + 3.0,
        "what the old one counted last, and what the new one did"
    );
    poll(&mut batches[0], 2);
    let collected = rig.collect();
    assert_eq!((collected.sum(POLLS), collected.metric(POLLS).points.len()), (2.0, 1));
}

/// The SDK computes a delta as the difference to the value before, and does not mind that it may be
/// below 0.
#[test]
fn attaching_again_between_two_delta_cycles_wraps_nothing_and_loses_nothing() {
    for cycles_between in 0..4 {
        let rig = Rig::new(Temporality::Delta);
        let workers = Instrumentation::default();
        workers.register(&rig.provider);
        let (pool, mut batches) = pool("render", 1);
        let mut told = 0.0;
        let mut collect = || {
            let collected = rig.collect();
            let polls = collected.metrics.iter().find(|metric| metric.name == POLLS);
            told += polls.map_or(0.0, |polls| polls.points.iter().map(|point| point.value).sum::<f64>());
        };
        for round in 0..3 {
            let attachment = workers.attach(pool.clone()).unwrap();
            poll(&mut batches[0], 1_000);
            collect();
            poll(&mut batches[0], 10);
            drop(attachment);
            // Nobody counts these.
            poll(&mut batches[0], 500);
            // In the last round for as long as it may take until everything is told.
            for _ in 0..if round == 2 { 10 } else { cycles_between } {
                collect();
            }
        }
        assert_eq!(told, 3_030.0, "{cycles_between} cycles in between");
    }
}

#[test]
fn with_detail_by_runtime_workers_become_one_series() {
    let rig = Rig::cumulative();
    let workers =
        Instrumentation::new(Options::default().with_worker_detail(Detail::Runtime).with_opt_in_metrics());
    workers.register(&rig.provider);
    let (pool, mut batches) = pool("render", 3);
    let _attachment = workers.attach(pool.clone()).unwrap();
    let now = pool.clock().now_ns();
    for (batch, polls) in batches.iter_mut().zip([1, 2, 3]) {
        batch.start_poll_at(now);
        batch.submit_at(now + 1_000_000_000 * polls);
        poll(batch, polls);
        batch.about_to_park();
        batch.submit();
    }
    let collected = rig.collect();
    for name in [
        POLLS,
        "worker_pool.worker.progress.age",
        "worker_pool.worker.time",
        "worker_pool.worker.poll.mean_duration",
    ] {
        assert_eq!(collected.metric(name).points.len(), 1, "{name}");
        assert!(!collected.metric(name).points[0].attributes.contains_key("worker_pool.worker.index"));
    }
    assert_eq!(collected.sum(POLLS), 9.0);
    assert_eq!(collected.sum("worker_pool.worker.progress.age"), 0.0);
    assert!(collected.sum("worker_pool.worker.time") >= 6.0);
    assert_eq!(collected.series(), workers.expected_series().total());
}

#[test]
fn the_largest_age_of_the_workers_is_the_runtimes() {
    let rig = Rig::cumulative();
    let workers = Instrumentation::new(Options::default().with_worker_detail(Detail::Runtime));
    workers.register(&rig.provider);
    let (pool, mut batches) = pool("render", 2);
    let _attachment = workers.attach(pool).unwrap();
    batches[0].about_to_park();
    batches[0].submit();
    // Worker 1 has published nothing since it was made.
    let age = rig.collect().sum("worker_pool.worker.progress.age");
    assert!(age > 0.0 && age < 3_600.0, "{age}");
}

#[test]
fn the_expected_series_are_those_that_arrive() {
    let rig = Rig::cumulative();
    let workers = Instrumentation::default();
    workers.register(&rig.provider);
    assert_eq!(workers.expected_series().total(), 0);
    let (render, _batches) = pool("render", 5);
    let (audio, _more) = pool("audio", 2);
    let _render = workers.attach(render).unwrap();
    let _audio = workers.attach(audio).unwrap();
    let expected = workers.expected_series();
    assert_eq!(rig.collect().series(), expected.total());
    assert_eq!(expected.largest().unwrap().series, 7);
    for metric in expected.metrics() {
        assert_eq!(rig.collect().metric(&metric.name).points.len(), metric.series);
    }
}

#[test]
fn counts_above_i64_max_saturate() {
    let rig = Rig::cumulative();
    let workers = Instrumentation::default();
    workers.register(&rig.provider);
    let (pool, mut batches) = pool("render", 1);
    let _attachment = workers.attach(pool.clone()).unwrap();
    batches[0].stole(u64::MAX);
    batches[0].submit();
    pool.metrics().set_global_queue_depth(usize::MAX);
    let collected = rig.collect();
    assert_eq!(collected.sum("worker_pool.worker.stolen_tasks"), i64::MAX as f64);
    assert_eq!(collected.sum("worker_pool.global_queue.size"), i64::MAX as f64);
}

#[test]
fn a_pool_with_a_namespace_of_its_own_has_names_of_its_own() {
    let rig = Rig::cumulative();
    let workers = Instrumentation::default();
    workers.register(&rig.provider);
    let namespace = Namespace::new("acme.render").unwrap();
    let (pool, _batches) = Pool::builder("main").namespace(namespace).workers(1).build().unwrap();
    let _attachment = workers.attach(pool).unwrap();
    let collected = rig.collect();
    assert_eq!(collected.value("acme.render.worker.polls", &[("acme.render.name", "main")]), 0.0);
    assert!(collected.metrics.iter().all(|metric| metric.name.starts_with("acme.render.")));
}

#[test]
fn two_readers_collect_at_the_same_time_and_each_sees_everything() {
    let rigs = [Rig::cumulative(), Rig::cumulative()];
    let workers = Instrumentation::default();
    for rig in &rigs {
        workers.register(&rig.provider);
    }
    let (pool, mut batches) = pool("render", 4);
    let _attachment = workers.attach(pool).unwrap();
    poll(&mut batches[3], 6);
    std::thread::scope(|scope| {
        for rig in &rigs {
            scope.spawn(|| {
                for _ in 0..50 {
                    let collected = rig.collect();
                    assert_eq!(collected.series(), workers.expected_series().total());
                    assert_eq!(collected.sum(POLLS), 6.0);
                }
            });
        }
    });
}

#[test]
fn sources_come_and_go_from_many_threads_while_readers_collect() {
    let rig = Rig::cumulative();
    let workers = Instrumentation::default();
    workers.register(&rig.provider);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let comers: Vec<_> = (0..4)
            .map(|thread| {
                let workers = workers.clone();
                scope.spawn(move || {
                    for _ in 0..50 {
                        let (pool, _batches) = pool(&format!("pool-{thread}"), 2);
                        drop(workers.attach(pool).unwrap());
                    }
                })
            })
            .collect();
        scope.spawn(|| {
            while !done.load(Relaxed) {
                rig.collect();
            }
        });
        for comer in comers {
            comer.join().unwrap();
        }
        done.store(true, Relaxed);
    });
    rig.collect();
    assert_eq!(rig.collect().series(), 0, "the last values were shown once");
}

#[test]
fn collecting_after_the_shutdown_of_the_provider_harms_nothing() {
    let rig = Rig::cumulative();
    let workers = Instrumentation::default();
    workers.register(&rig.provider);
    let (pool, _batches) = pool("render", 1);
    let attachment = workers.attach(pool).unwrap();
    rig.provider.shutdown_with_timeout(Duration::from_secs(5)).unwrap();
    assert!(rig.provider.force_flush().is_err());
    drop(attachment);
    assert_eq!(workers.expected_series().total(), 0);
}

#[test]
fn what_is_missing_is_told_with_the_reason() {
    let workers = Instrumentation::default();
    let (pool, _batches) = pool("render", 1);
    let _attachment = workers.attach(pool).unwrap();
    let coverage = workers.coverage();
    let text = coverage[0].to_string();
    assert!(
        text.contains("\n  needs `WorkerConfig::with_poll_time_histogram`: worker_pool.task.poll.duration"),
        "{text}"
    );
    let on_request = "on request: `Options::with_opt_in_metrics`: worker_pool.worker.poll.mean_duration";
    assert!(text.contains(on_request), "{text}");
    let id = &coverage[0].identity.id;
    assert!(text.starts_with(&format!("worker_pool \"render\" (id {id}): ")), "{text}");
    let with_opt_in = Instrumentation::new(Options::default().with_opt_in_metrics());
    let (pool, _batches) = self::pool("render", 1);
    let _attachment = with_opt_in.attach(pool).unwrap();
    assert!(!with_opt_in.coverage()[0].to_string().contains("on request"));
}
