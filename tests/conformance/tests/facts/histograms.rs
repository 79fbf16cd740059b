//! Exact histograms, from what was recorded to what a receiver decodes.

use std::time::Duration;

use opentelemetry::metrics::MeterProvider;
use opentelemetry_sdk::metrics::Temporality;
use otlp_receiver::{Code, Data, Fault, Point, Receiver};
use worker_metrics::histogram::Scale;
use worker_metrics::{Batch, Namespace, Pool, WorkerConfig};
use worker_metrics_otel::{Compression, HistogramOptions, Histograms, Instrumentation, Options};

use crate::wire::{HOURLY, PATIENCE, Protocol, Wire, otlp};

const POLLS: &str = "worker_pool.task.poll.duration";
const DELAYS: &str = "worker_pool.task.schedule.duration";
const BOUNDS: [f64; 3] = [0.001, 0.01, 0.1];

fn pool(scale: &Scale, workers: usize) -> (Pool, Vec<Batch>) {
    let config = WorkerConfig::new()
        .with_poll_time_histogram(scale.clone())
        .with_schedule_latency_histogram(scale.clone());
    Pool::builder("render").workers(workers).config(config).build().unwrap()
}

fn poll(batch: &mut Batch, duration: Duration, times: u64) {
    for _ in 0..times {
        let now = batch.clock().now_ns();
        batch.start_poll_at(now);
        batch.end_poll_at(now + u64::try_from(duration.as_nanos()).unwrap());
        batch.scheduled_for(duration * 2);
    }
    batch.submit();
}

struct Rig {
    receiver: Receiver,
    wire: Wire,
    workers: Instrumentation,
}

impl Rig {
    fn new(protocol: Protocol, temporality: Temporality, compression: Compression, options: Options) -> Self {
        let receiver = Receiver::builder().keep_requests(true).start().unwrap();
        let workers = Instrumentation::new(options);
        let wire = Wire::with_histograms(&workers, protocol, &receiver, temporality, compression, HOURLY);
        workers.register(&wire.provider);
        Self { receiver, wire, workers }
    }

    fn plain(temporality: Temporality) -> Self {
        Self::new(Protocol::Grpc, temporality, Compression::None, Options::default())
    }

    fn flush(&self) {
        self.wire.provider.force_flush().unwrap();
    }

    fn points(&self, name: &str) -> Vec<Point> {
        self.receiver.snapshot().metric(name).map_or(Vec::new(), |metric| metric.points.clone())
    }

    /// What has arrived of each series, whether it has ended or not.
    fn totals(&self, name: &str) -> Vec<Vec<u64>> {
        let totals = self.receiver.series(name).into_iter().filter_map(|series| series.total());
        totals
            .map(|total| match total {
                Data::Histogram(histogram) => histogram.bucket_counts,
                other => panic!("{name} is no histogram: {other:?}"),
            })
            .collect()
    }

    fn counts(&self, name: &str) -> Vec<Vec<u64>> {
        self.points(name).iter().map(|point| point.histogram().unwrap().bucket_counts.clone()).collect()
    }
}

#[test]
fn what_was_recorded_arrives_value_by_value_over_every_transport_temporality_and_compression() {
    for protocol in [Protocol::Grpc, Protocol::Http] {
        for temporality in [Temporality::Cumulative, Temporality::Delta] {
            for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
                let rig = Rig::new(protocol, temporality, compression, Options::default());
                let (pool, mut batches) = pool(&Scale::explicit(&BOUNDS).unwrap(), 2);
                let _attachment = rig.workers.attach(pool).unwrap();
                // With deltas the receiver adds up what it got.
                for _ in 0..3 {
                    poll(&mut batches[0], Duration::from_micros(10), 3);
                    poll(&mut batches[1], Duration::from_millis(5), 2);
                    poll(&mut batches[1], Duration::from_secs(9), 1);
                    rig.flush();
                }
                let document = rig.receiver.snapshot();
                let metric = document.metric(POLLS).unwrap();
                assert_eq!(metric.unit, "s");
                assert_eq!(metric.description, "Duration of task polls.");
                let histogram = metric.points[0].histogram().unwrap();
                assert_eq!(histogram.bounds, BOUNDS);
                assert_eq!(
                    histogram.bucket_counts,
                    [9, 6, 0, 3],
                    "{protocol:?} {temporality:?} {compression:?}"
                );
                assert_eq!(histogram.count, 18);
                assert!((histogram.sum.unwrap() - 27.030_09).abs() < 1e-9);
                assert_eq!(rig.counts(DELAYS), [[9, 6, 0, 3]]);
                assert_eq!(metric.points[0].attributes["worker_pool.name"], "render");
            }
        }
    }
}

#[test]
fn histograms_have_the_resource_and_the_scope_of_the_other_metrics() {
    let receiver = Receiver::builder().keep_requests(true).start().unwrap();
    let workers = Instrumentation::default();
    let wire = Wire::by_http(&workers, &receiver, Temporality::Cumulative);
    workers.register(&wire.provider);
    let (pool, _batches) = pool(&Scale::preset(), 1);
    let _attachment = workers.attach(pool).unwrap();
    wire.provider.force_flush().unwrap();
    let requests = receiver.requests();
    assert_eq!(requests.len(), 1, "they go together");
    let resources = &requests[0].resource_metrics;
    assert_eq!(resources.len(), 2);
    let of = |index: usize| {
        let mut attributes = resources[index].resource.clone().unwrap().attributes;
        attributes.sort_by(|one, other| one.key.cmp(&other.key));
        let [scope] = &resources[index].scope_metrics[..] else { panic!("several scopes") };
        (attributes, scope.scope.clone().unwrap(), scope.schema_url.clone())
    };
    assert_eq!(of(0), of(1));
    assert_eq!(of(0).1.name, "worker-metrics-otel");
    assert_eq!((receiver.resources().len(), receiver.scopes().len()), (1, 1));
}

#[test]
fn each_worker_has_a_histogram_where_that_is_asked_for() {
    let options = Options::default().with_histograms(Histograms::Worker);
    let rig = Rig::new(Protocol::Grpc, Temporality::Cumulative, Compression::None, options);
    let (pool, mut batches) = pool(&Scale::explicit(&BOUNDS).unwrap(), 2);
    let _attachment = rig.workers.attach(pool).unwrap();
    poll(&mut batches[0], Duration::from_micros(10), 3);
    poll(&mut batches[1], Duration::from_millis(5), 2);
    rig.flush();
    assert_eq!(rig.counts(POLLS), [[3, 0, 0, 0], [0, 2, 0, 0]]);
    assert_eq!(rig.points(POLLS)[1].attributes["worker_pool.worker.index"], 1);
}

#[test]
fn the_expected_series_are_those_that_arrive_with_the_histograms() {
    for histograms in [Histograms::Off, Histograms::Runtime, Histograms::Worker] {
        let options = Options::default().with_histograms(histograms);
        let rig = Rig::new(Protocol::Grpc, Temporality::Cumulative, Compression::None, options);
        let (pool, mut batches) = pool(&Scale::preset(), 3);
        let _attachment = rig.workers.attach(pool).unwrap();
        poll(&mut batches[0], Duration::from_micros(10), 1);
        rig.flush();
        let arrived: usize = rig.receiver.snapshot().metrics.iter().map(|metric| metric.points.len()).sum();
        assert_eq!(arrived, rig.workers.expected_series().total(), "{histograms:?}");
    }
}

#[test]
fn histograms_that_are_off_or_not_kept_have_no_point() {
    let off = Options::default().with_histograms(Histograms::Off);
    let rig = Rig::new(Protocol::Grpc, Temporality::Cumulative, Compression::None, off);
    let (kept, _batches) = pool(&Scale::preset(), 1);
    let _attachment = rig.workers.attach(kept).unwrap();
    rig.flush();
    assert!(rig.receiver.snapshot().metric(POLLS).is_none());

    let rig = Rig::plain(Temporality::Cumulative);
    let (without, _batches) = Pool::builder("render").workers(1).build().unwrap();
    let _attachment = rig.workers.attach(without).unwrap();
    rig.flush();
    assert!(rig.receiver.snapshot().metric(POLLS).is_none());
    assert!(rig.receiver.snapshot().metric("worker_pool.worker.polls").is_some());
}

#[test]
fn an_exponential_scale_arrives_as_an_exponential_histogram() {
    let rig = Rig::plain(Temporality::Cumulative);
    let scale = Scale::exponential(0, Duration::from_millis(1), Duration::from_secs(10)).unwrap();
    let (pool, mut batches) = pool(&scale, 1);
    let _attachment = rig.workers.attach(pool).unwrap();
    poll(&mut batches[0], Duration::from_secs(1), 2);
    poll(&mut batches[0], Duration::from_millis(1_001), 3);
    rig.flush();
    let points = rig.points(POLLS);
    let histogram = points[0].exponential_histogram().unwrap();
    assert_eq!((histogram.scale, histogram.count, histogram.zero_count), (0, 5, 0));
    let offset = histogram.positive.offset;
    let at = |index: i32| {
        let bucket = usize::try_from(index - offset).ok();
        bucket.and_then(|bucket| histogram.positive.bucket_counts.get(bucket)).copied().unwrap_or(0)
    };
    // (0.5 s, 1 s] is index -1, (1 s, 2 s] is index 0.
    assert_eq!((at(-1), at(0)), (2, 3));
}

#[test]
fn buckets_can_be_merged_onto_coarser_bounds() {
    let options = HistogramOptions::default().with_bounds(&[0.001, 0.1]).unwrap();
    let options = Options::default().with_histogram_options(options);
    let rig = Rig::new(Protocol::Grpc, Temporality::Cumulative, Compression::None, options.clone());
    let (fits, mut batches) = pool(&Scale::explicit(&BOUNDS).unwrap(), 1);
    let _attachment = rig.workers.attach(fits).unwrap();
    poll(&mut batches[0], Duration::from_micros(10), 1);
    poll(&mut batches[0], Duration::from_millis(5), 2);
    poll(&mut batches[0], Duration::from_millis(50), 4);
    rig.flush();
    assert_eq!(rig.counts(POLLS), [[1, 6, 0]]);

    let (does_not, _batches) = pool(&Scale::preset(), 1);
    let error = rig.workers.attach(does_not).unwrap_err().to_string();
    assert!(error.contains("0.001"), "{error}");
}

#[test]
fn a_detached_source_ends_its_series_and_its_last_values_arrive() {
    let rig = Rig::plain(Temporality::Cumulative);
    let (stays, _batches) = Pool::builder("stays").workers(1).build().unwrap();
    let _stays = rig.workers.attach(stays).unwrap();
    let (pool, mut batches) = pool(&Scale::explicit(&BOUNDS).unwrap(), 1);
    let attachment = rig.workers.attach(pool).unwrap();
    poll(&mut batches[0], Duration::from_micros(10), 1);
    rig.flush();
    poll(&mut batches[0], Duration::from_micros(10), 6);
    drop(attachment);
    rig.flush();
    assert_eq!(rig.totals(POLLS), [[7, 0, 0, 0]], "the last values");
    assert_eq!(rig.counts(POLLS), Vec::<Vec<u64>>::new(), "the end, with the same request");
    assert!([POLLS, DELAYS].iter().all(|name| rig.receiver.series(name)[0].has_ended()));
    let ended = rig.receiver.ended_series();
    rig.flush();
    assert_eq!(
        (rig.receiver.no_recorded_values(), rig.receiver.ended_series()),
        (ended, ended),
        "nothing is sent after the end"
    );
    assert_eq!(rig.receiver.violations(), []);
}

#[test]
fn the_last_values_of_the_last_source_arrive_at_the_shutdown() {
    let rig = Rig::plain(Temporality::Delta);
    let (pool, mut batches) = pool(&Scale::explicit(&BOUNDS).unwrap(), 1);
    let attachment = rig.workers.attach(pool).unwrap();
    poll(&mut batches[0], Duration::from_micros(10), 1);
    rig.flush();
    poll(&mut batches[0], Duration::from_micros(10), 6);
    drop(attachment);
    rig.wire.provider.shutdown_with_timeout(PATIENCE).unwrap();
    assert_eq!(rig.totals(POLLS), [[7, 0, 0, 0]]);
    assert!(rig.receiver.series(POLLS)[0].has_ended());
}

#[test]
fn the_shutdown_delivers_what_is_pending() {
    let rig = Rig::plain(Temporality::Delta);
    let (pool, mut batches) = pool(&Scale::explicit(&BOUNDS).unwrap(), 1);
    let _attachment = rig.workers.attach(pool).unwrap();
    poll(&mut batches[0], Duration::from_micros(10), 6);
    rig.wire.provider.shutdown_with_timeout(PATIENCE).unwrap();
    assert_eq!(rig.counts(POLLS), [[6, 0, 0, 0]]);
}

#[test]
fn what_a_failed_export_carried_comes_with_the_next() {
    for protocol in [Protocol::Grpc, Protocol::Http] {
        for temporality in [Temporality::Cumulative, Temporality::Delta] {
            let rig = Rig::new(protocol, temporality, Compression::None, Options::default());
            let (pool, mut batches) = pool(&Scale::explicit(&BOUNDS).unwrap(), 1);
            let _attachment = rig.workers.attach(pool).unwrap();
            for fault in [Fault::None, Fault::Reset, Fault::Hang, Fault::None, Fault::Reset] {
                let fails = fault != Fault::None;
                rig.receiver.set_fault(fault);
                poll(&mut batches[0], Duration::from_micros(10), 5);
                assert_eq!(rig.wire.provider.force_flush().is_err(), fails);
            }
            rig.receiver.set_fault(Fault::None);
            rig.flush();
            assert_eq!(rig.counts(POLLS), [[25, 0, 0, 0]], "{protocol:?} {temporality:?}");
        }
    }
}

#[test]
fn what_a_receiver_has_against_the_histograms_does_not_cost_the_program_its_own_metrics() {
    let refused = || Fault::Status { grpc: Code::InvalidArgument, http: 400, retry_after: None };
    for protocol in [Protocol::Grpc, Protocol::Http] {
        let rig = Rig::new(protocol, Temporality::Delta, Compression::None, Options::default());
        let own = rig.wire.provider.meter("program").u64_counter("requests").build();
        let (pool, mut batches) = pool(&Scale::explicit(&BOUNDS).unwrap(), 1);
        let _attachment = rig.workers.attach(pool).unwrap();
        poll(&mut batches[0], Duration::from_micros(10), 5);
        own.add(3, &[]);
        rig.receiver.set_faults([refused(), Fault::None]);
        rig.flush();
        let document = rig.receiver.snapshot();
        assert_eq!(document.metric("requests").unwrap().points[0].value().unwrap().as_i64(), Some(3));
        assert!(document.metric(POLLS).is_none(), "{protocol:?}");
        assert_eq!(rig.workers.status().exports[0].failed, 1);
        rig.flush();
        assert_eq!(rig.counts(POLLS), [[5, 0, 0, 0]], "{protocol:?}: they come with the next export");
    }
}

#[test]
fn if_the_program_s_own_exporter_fails_a_push_still_exports_and_the_other_way_round() {
    for push_fails in [false, true] {
        let [reachable, broken] = [(); 2].map(|()| Receiver::start().unwrap());
        broken.set_fault(Fault::Reset);
        let (to_sdk, to_push) = if push_fails { (&reachable, &broken) } else { (&broken, &reachable) };
        let workers = Instrumentation::default();
        let wire = Wire::start(Protocol::Http, to_sdk, Temporality::Cumulative, HOURLY);
        workers.register(&wire.provider);
        let push = otlp(&workers, Protocol::Http, to_push).start().unwrap();
        let (pool, mut batches) = pool(&Scale::explicit(&BOUNDS).unwrap(), 1);
        let _attachment = workers.attach(pool).unwrap();
        poll(&mut batches[0], Duration::from_micros(10), 5);
        assert_eq!(wire.provider.force_flush().is_err(), !push_fails);
        assert_eq!(push.force_flush().is_err(), push_fails);
        let document = reachable.snapshot();
        assert_eq!(document.metric(POLLS).is_some(), !push_fails);
        assert_eq!(document.metric("worker_pool.worker.polls").is_some(), push_fails);
    }
}

#[test]
fn a_namespace_of_its_own_names_its_histograms() {
    let rig = Rig::plain(Temporality::Cumulative);
    let config = WorkerConfig::new().with_poll_time_histogram(Scale::preset());
    let namespace = Namespace::new("acme").unwrap();
    let (pool, _batches) =
        Pool::builder("main").namespace(namespace).workers(1).config(config).build().unwrap();
    let _attachment = rig.workers.attach(pool).unwrap();
    rig.flush();
    assert_eq!(rig.points("acme.task.poll.duration")[0].attributes["acme.name"], "main");
}

#[cfg(tokio_unstable)]
#[test]
fn the_polls_of_a_tokio_runtime_arrive_with_an_estimated_sum() {
    use tokio::runtime::Builder;
    use worker_metrics::{Snapshot, Source};
    use worker_metrics_tokio::{RuntimeBuilderExt, TokioRuntime};

    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .name("main")
        .enable_worker_histograms()
        .build()
        .unwrap();
    // Probes are polls, too.
    let source = TokioRuntime::new(runtime.handle()).without_probes();
    let mut snapshot = Snapshot::with_histograms();
    // Spawns tasks, and waits until both workers have parked, and so published every poll.
    let mut done = 0;
    let mut work = || {
        runtime.block_on(async {
            for _ in 0..500 {
                tokio::spawn(async {}).await.unwrap();
            }
        });
        done += 500;
        loop {
            source.collect(&mut snapshot);
            let polls =
                |worker: &worker_metrics::WorkerSnapshot| worker.count(worker_metrics::Counter::Polls);
            if snapshot.workers().iter().filter_map(polls).sum::<u64>() == done {
                break;
            }
            std::thread::yield_now();
        }
        let mut counted = vec![0; 23];
        for worker in snapshot.workers() {
            let buckets = &worker.poll_time_histogram.buckets;
            counted.iter_mut().zip(buckets).for_each(|(sum, count)| *sum += count);
        }
        counted
    };

    let mut before = work();
    for protocol in [Protocol::Grpc, Protocol::Http] {
        for temporality in [Temporality::Cumulative, Temporality::Delta] {
            for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
                let rig = Rig::new(protocol, temporality, compression, Options::default());
                let _attachment =
                    rig.workers.attach(TokioRuntime::new(runtime.handle()).without_probes()).unwrap();
                let after = work();
                let counted: Vec<_> =
                    after.iter().zip(&before).map(|(after, before)| after - before).collect();
                before = after;
                rig.flush();
                rig.flush();
                for name in ["tokio.task.poll.duration", "tokio.task.schedule.duration"] {
                    let document = rig.receiver.snapshot();
                    let metric = document.metric(name).unwrap();
                    assert!(metric.description.ends_with(" The sum is an estimate from the bucket bounds."));
                    let histogram = metric.points[0].histogram().unwrap();
                    assert_eq!((histogram.count, histogram.bucket_counts.iter().sum::<u64>()), (500, 500));
                    assert_eq!(histogram.bounds.len(), 22);
                    assert!(histogram.sum.unwrap() > 0.0);
                }
                assert_eq!(rig.counts("tokio.task.poll.duration"), [counted]);
            }
        }
    }
}

#[test]
fn every_series_of_many_workers_with_many_buckets_arrives() {
    for workers in [64, 256] {
        let options = Options::default().with_histograms(Histograms::Worker);
        let rig = Rig::new(Protocol::Http, Temporality::Cumulative, Compression::Gzip, options);
        let scale = Scale::linear(Duration::from_micros(10), 119).unwrap();
        let (pool, mut batches) = pool(&scale, workers);
        let _attachment = rig.workers.attach(pool).unwrap();
        for (batch, times) in batches.iter_mut().zip(1..) {
            poll(batch, Duration::from_micros(15), times);
        }
        rig.flush();
        let points = rig.points(POLLS);
        assert_eq!(points.len(), workers);
        let mut counts: Vec<_> = points.iter().map(|point| point.histogram().unwrap().count).collect();
        counts.sort_unstable();
        assert_eq!(counts, (1..=workers as u64).collect::<Vec<_>>());
        assert!(points.iter().all(|point| point.histogram().unwrap().bucket_counts.len() == 119));
    }
}
