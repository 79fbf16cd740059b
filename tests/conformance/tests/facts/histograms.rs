//! Exact histograms, from what was recorded to what a receiver decodes.

use std::time::Duration;

use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::metrics::{InMemoryMetricExporter, Temporality};
use otlp_receiver::{Fault, Point, Receiver, lasting_port};
use worker_metrics::histogram::Scale;
use worker_metrics::{Batch, Namespace, Pool, WorkerConfig};
use worker_metrics_otel::{Compression, HistogramOptions, Histograms, Instrumentation, Options, Sink};

use crate::wire::{PATIENCE, Protocol, Wire};

const POLLS: &str = "worker_pool.task.poll.duration";
const DELAYS: &str = "worker_pool.task.schedule.duration";
const BOUNDS: [f64; 3] = [0.001, 0.01, 0.1];
const HOURLY: Duration = Duration::from_secs(3_600);

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
        let receiver = Receiver::start().unwrap();
        let workers = Instrumentation::new(options);
        let wire = Wire::with_histograms(&workers, protocol, &receiver, temporality, compression, HOURLY);
        workers.register(&wire.meter());
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
    let wire = Wire::with_histograms(
        &workers,
        Protocol::Http,
        &receiver,
        Temporality::Cumulative,
        Compression::None,
        HOURLY,
    );
    workers.register(&wire.meter());
    let (pool, _batches) = pool(&Scale::preset(), 1);
    let _attachment = workers.attach(pool).unwrap();
    wire.provider.force_flush().unwrap();
    let requests = receiver.requests();
    assert_eq!(requests.len(), 2);
    let of = |request: usize| {
        let resource = &requests[request].resource_metrics[0];
        let mut attributes = resource.resource.clone().unwrap().attributes;
        attributes.sort_by(|one, other| one.key.cmp(&other.key));
        (attributes, resource.scope_metrics[0].scope.clone().unwrap().name)
    };
    assert_eq!(of(0), of(1));
    assert_eq!(of(0).1, "worker-metrics");
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
    assert_eq!(rig.counts(POLLS), [[7, 0, 0, 0]], "the last values");
    rig.flush();
    assert_eq!(rig.counts(POLLS), Vec::<Vec<u64>>::new(), "the end");
    assert_eq!(rig.receiver.ended_series(), 2);
    rig.flush();
    assert_eq!(rig.receiver.no_recorded_values(), 2, "nothing is sent after the end");
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
    assert_eq!(rig.counts(POLLS), [[7, 0, 0, 0]]);
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
fn if_one_send_fails_the_other_still_goes_and_the_result_says_which() {
    // The SDK's own exporter sends to nobody, the histograms to the receiver.
    let nobody = Receiver::start().unwrap();
    let receiver = Receiver::start().unwrap();
    let workers = Instrumentation::default();
    let wire = Wire::between(&workers, &nobody, &receiver);
    workers.register(&wire.meter());
    drop(nobody);
    let (pool, mut batches) = pool(&Scale::explicit(&BOUNDS).unwrap(), 1);
    let _attachment = workers.attach(pool).unwrap();
    poll(&mut batches[0], Duration::from_micros(10), 5);
    assert!(wire.provider.force_flush().is_err());
    assert!(receiver.snapshot().metric(POLLS).is_some());
    assert!(receiver.snapshot().metric("worker_pool.worker.polls").is_none());

    let nobody = lasting_port();
    let workers = Instrumentation::default();
    let sink = Sink::http(reqwest::blocking::Client::new(), &format!("http://127.0.0.1:{nobody}")).unwrap();
    let inner = InMemoryMetricExporter::default();
    let exporter = workers.exporter_with(inner.clone(), sink.with_timeout(Duration::from_millis(100)));
    let (pool, _batches) = self::pool(&Scale::preset(), 1);
    let _attachment = workers.attach(pool).unwrap();
    let error =
        futures_executor::block_on(exporter.export(&ResourceMetrics::default())).unwrap_err().to_string();
    assert!(error.contains("the histograms were not exported: the receiver cannot be reached"), "{error}");
    assert_eq!(inner.get_finished_metrics().unwrap().len(), 1);
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
    runtime.block_on(async {
        for _ in 0..500 {
            tokio::spawn(async {}).await.unwrap();
        }
    });
    // Until both workers have parked, and so published every poll.
    let source = TokioRuntime::new(runtime.handle());
    let mut snapshot = Snapshot::with_histograms();
    loop {
        source.collect(&mut snapshot);
        if snapshot
            .workers()
            .iter()
            .filter_map(|worker| worker.count(worker_metrics::Counter::Polls))
            .sum::<u64>()
            == 500
        {
            break;
        }
        std::thread::yield_now();
    }
    let mut counted = vec![0; 23];
    for worker in snapshot.workers() {
        counted.iter_mut().zip(&worker.poll_time_histogram.buckets).for_each(|(sum, count)| *sum += count);
    }

    for protocol in [Protocol::Grpc, Protocol::Http] {
        for temporality in [Temporality::Cumulative, Temporality::Delta] {
            for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
                let rig = Rig::new(protocol, temporality, compression, Options::default());
                let _attachment = rig.workers.attach(TokioRuntime::new(runtime.handle())).unwrap();
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
                assert_eq!(rig.counts("tokio.task.poll.duration"), std::slice::from_ref(&counted));
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
