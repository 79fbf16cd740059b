//! Histograms through an instrument of the SDK.

use std::num::NonZeroU32;
use std::time::Duration;

use opentelemetry_sdk::metrics::Temporality;
use worker_metrics::histogram::Scale;
use worker_metrics::{Batch, Pool, WorkerConfig};
use worker_metrics_otel::{Histograms, Instrumentation, Options};

use crate::rig::{Collected, Rig};

const DURATION: &str = "worker_pool.task.poll.duration";
const BOUNDS: [f64; 3] = [0.001, 0.01, 0.1];

fn pool(name: &str, workers: usize) -> (Pool, Vec<Batch>) {
    let config = WorkerConfig::new().with_poll_time_histogram(Scale::explicit(&BOUNDS).unwrap());
    Pool::builder(name).workers(workers).config(config).build().unwrap()
}

fn poll(batch: &mut Batch, duration: Duration, times: u64) {
    for _ in 0..times {
        let now = batch.clock().now_ns();
        batch.start_poll_at(now);
        batch.end_poll_at(now + u64::try_from(duration.as_nanos()).unwrap());
    }
    batch.submit();
}

fn replaying(at_most: u32) -> Options {
    Options::default().with_replay_limit(NonZeroU32::new(at_most).unwrap())
}

fn counts(collected: &Collected) -> Vec<u64> {
    let metric = collected.metrics.iter().find(|metric| metric.name == DURATION);
    metric.map_or(Vec::new(), |metric| {
        metric.points.iter().flat_map(|point| point.bucket_counts.clone()).collect()
    })
}

#[test]
fn every_value_is_recorded_once_in_its_bucket() {
    let rig = Rig::cumulative();
    let workers = Instrumentation::new(Options::default().with_replayed_histograms());
    workers.register(&rig.provider);
    let (pool, mut batches) = pool("render", 2);
    let _attachment = workers.attach(pool).unwrap();
    poll(&mut batches[0], Duration::from_micros(10), 3);
    poll(&mut batches[1], Duration::from_millis(5), 2);
    poll(&mut batches[1], Duration::from_secs(9), 1);
    assert_eq!(counts(&rig.collect()), [3, 2, 0, 1]);
    assert_eq!(counts(&rig.collect()), [3, 2, 0, 1], "nothing is recorded twice");
    let collected = rig.collect();
    let metric = collected.metric(DURATION);
    assert_eq!((metric.unit.as_str(), metric.kind.as_str()), ("s", "cumulative histogram of f64"));
    assert_eq!(metric.points[0].attributes["worker_pool.name"], "render");
}

#[test]
fn one_collection_records_no_more_than_it_may_and_the_rest_comes_later() {
    let rig = Rig::new(Temporality::Delta);
    let workers = Instrumentation::new(replaying(10));
    workers.register(&rig.provider);
    let (pool, mut batches) = pool("render", 1);
    let _attachment = workers.attach(pool).unwrap();
    poll(&mut batches[0], Duration::from_micros(10), 25);
    let by_cycle: Vec<u64> = (0..4).map(|_| counts(&rig.collect()).iter().sum()).collect();
    assert_eq!(by_cycle, [10, 10, 5, 0]);
}

#[test]
fn a_backlog_of_one_series_does_not_starve_another() {
    let rig = Rig::cumulative();
    let workers = Instrumentation::new(replaying(10).with_histograms(Histograms::Worker));
    workers.register(&rig.provider);
    let (pool, mut batches) = pool("render", 2);
    let _attachment = workers.attach(pool).unwrap();
    poll(&mut batches[0], Duration::from_micros(10), 1_000);
    poll(&mut batches[1], Duration::from_micros(10), 5);
    for cycle in 1..=5 {
        let collected = rig.collect();
        let points = &collected.metric(DURATION).points;
        let worker = points.iter().find(|point| point.attributes["worker_pool.worker.index"] == "1");
        assert_eq!(worker.expect("worker 1 had its turn").bucket_counts, [cycle, 0, 0, 0]);
    }
}

#[test]
fn slow_polls_are_replayed_as_well_as_fast_ones_where_there_is_a_limit() {
    let rig = Rig::cumulative();
    let workers = Instrumentation::new(replaying(1_000));
    workers.register(&rig.provider);
    let (pool, mut batches) = pool("render", 1);
    let attachment = workers.attach(pool).unwrap();
    let (mut fast, mut slow) = (0, 0);
    for _ in 0..20 {
        poll(&mut batches[0], Duration::from_micros(10), 2_000);
        poll(&mut batches[0], Duration::from_millis(500), 200);
        fast += 2_000;
        slow += 200;
        let counts = counts(&rig.collect());
        // A tenth of what is replayed is slow, as a tenth of what was counted.
        assert!((10 * counts[3]).abs_diff(counts[0]) <= counts[0] / 50 + 100, "{counts:?}");
    }
    let behind = counts(&rig.collect());
    assert!(behind[0] < fast && behind[3] < slow, "{behind:?}");
    assert!(workers.status().meters[0].replay_backlog > 0);

    // What is left when the source is detached is replayed all the same.
    drop(attachment);
    for _ in 0..100 {
        rig.collect();
    }
    assert_eq!(counts(&rig.collect()), [fast, 0, 0, slow]);
    assert_eq!(workers.status().meters[0].replay_backlog, 0);
}

#[test]
fn a_pool_that_is_attached_later_is_replayed_through_the_same_instrument() {
    let rig = Rig::cumulative();
    let workers = Instrumentation::new(replaying(1_000));
    let (one, mut ones) = pool("one", 1);
    let _one = workers.attach(one).unwrap();
    workers.register(&rig.provider);
    let (other, mut others) = pool("other", 1);
    let _other = workers.attach(other).unwrap();
    poll(&mut ones[0], Duration::from_micros(10), 1);
    poll(&mut others[0], Duration::from_millis(50), 4);
    let collected = rig.collect();
    let points = &collected.metric(DURATION).points;
    assert_eq!(
        points.iter().map(|point| point.bucket_counts.clone()).collect::<Vec<_>>(),
        [[1, 0, 0, 0], [0, 0, 4, 0]]
    );
}

#[test]
fn without_it_no_histogram_goes_through_the_meter() {
    let rig = Rig::cumulative();
    let workers = Instrumentation::default();
    workers.register(&rig.provider);
    let (pool, mut batches) = pool("render", 1);
    let _attachment = workers.attach(pool).unwrap();
    poll(&mut batches[0], Duration::from_micros(10), 1);
    assert!(counts(&rig.collect()).is_empty());
    let told = workers.coverage()[0].to_string();
    let why = told.lines().find(|line| line.contains("no instrument takes a ready histogram: push it"));
    assert!(why.is_some_and(|line| line.contains("worker_pool.task.poll.duration")), "{told}");
}

#[test]
fn readers_and_attachments_may_come_and_go_while_histograms_are_replayed() {
    let rig = Rig::cumulative();
    let workers = Instrumentation::new(replaying(1_000));
    workers.register(&rig.provider);
    std::thread::scope(|scope| {
        let comer = scope.spawn(|| {
            for index in 0..50 {
                let (pool, mut batches) = pool(&format!("pool-{index}"), 1);
                poll(&mut batches[0], Duration::from_micros(10), 1);
                drop(workers.attach(pool).unwrap());
            }
        });
        while !comer.is_finished() {
            rig.collect();
        }
    });
}
