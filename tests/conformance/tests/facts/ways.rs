//! The ways out beside each other: the same rows, whichever way they go, and no repetition when one
//! is rebuilt.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use opentelemetry::metrics::MeterProvider;
use opentelemetry_sdk::metrics::{InMemoryMetricExporter, SdkMeterProvider, Temporality};
use otlp_receiver::{Data, Document, Metric, Point, Receiver, Scope, Series};
use tokio::runtime::Builder;
use worker_metrics::histogram::Scale;
use worker_metrics::{Batch, Pool, Snapshot, Source, WorkerConfig, WorkerState};
use worker_metrics_otel::{Detail, Instrumentation, Numbers, Options};
use worker_metrics_tokio::{RuntimeBuilderExt, TaskMetrics, TokioRuntime};

use crate::rig::Rig;
use crate::wire::{HOURLY, PATIENCE, Protocol, Wire, otlp};

const TEMPORALITIES: [Temporality; 3] = [Temporality::Cumulative, Temporality::Delta, Temporality::LowMemory];
const POLLS: &str = "worker_pool.worker.polls";

/// A provider with the SDK's own exporter.
fn sdk(receiver: &Receiver, temporality: Temporality) -> SdkMeterProvider {
    Wire::start(Protocol::Http, receiver, temporality, HOURLY).provider
}

/// What of a metric does not depend on the moment: everything but times, in the value too.
///
/// Of deltas the SDK sends those of nothing as well, and of histograms none before the first value:
/// both are left out. A sum is an estimate where a histogram is replayed, and its description says
/// so where it goes by OTLP.
fn shape(metric: &Metric) -> Option<String> {
    let Metric { name, unit, description, kind, monotonic, temporality, .. } = metric;
    let description = description.trim_end_matches(" The sum is an estimate from the bucket bounds.");
    let is_empty = |point: &&Point| match &point.data {
        Data::Number { value } => {
            *temporality == Some(otlp_receiver::Temporality::Delta) && value.as_f64() == 0.0
        }
        Data::Histogram(histogram) => histogram.count == 0,
        _ => false,
    };
    let point = |point: &Point| {
        let value = match &point.data {
            Data::Number { value } => match value.as_i64() {
                Some(count) => format!("{count}"),
                None => "a time".to_owned(),
            },
            Data::Histogram(histogram) => format!("{:?} {:?}", histogram.bounds, histogram.bucket_counts),
            other => panic!("{other:?}"),
        };
        let attributes: BTreeMap<_, _> = point.attributes.iter().collect();
        format!("  {attributes:?} {value}")
    };
    let mut points: Vec<_> = metric.points.iter().filter(|point| !is_empty(point)).map(point).collect();
    points.sort();
    (!points.is_empty()).then(|| {
        format!("{name} [{unit}] {description} {kind:?} {monotonic:?} {temporality:?}\n{}", points.join("\n"))
    })
}

fn shapes(document: &Document) -> Vec<String> {
    let mut shapes: Vec<_> = document.metrics.iter().filter_map(shape).collect();
    shapes.sort();
    shapes
}

/// Exports one source through a meter and by OTLP, and compares everything. `work` runs between the
/// attachment and the export.
fn compare<S: Source + 'static>(
    options: &Options,
    temporality: Temporality,
    protocol: Protocol,
    source: impl Fn() -> S,
    work: impl FnOnce(),
) -> Vec<String> {
    let [by_meter, by_otlp] = [(); 2].map(|()| Receiver::start().unwrap());
    let with_meter = Instrumentation::new(options.clone().with_replayed_histograms());
    let provider = sdk(&by_meter, temporality);
    with_meter.register(&provider);
    let with_push = Instrumentation::new(options.clone());
    let push = otlp(&with_push, protocol, &by_otlp).with_timeout(PATIENCE).with_temporality(temporality);
    let push = push.start().unwrap();
    let _attachments = [with_meter.attach(source()).unwrap(), with_push.attach(source()).unwrap()];
    work();
    provider.force_flush().unwrap();
    push.force_flush().unwrap();
    let [through_meter, pushed] = [by_meter, by_otlp].map(|receiver| shapes(&receiver.snapshot()));
    assert_eq!(through_meter.join("\n"), pushed.join("\n"), "{temporality:?} {protocol:?}");
    through_meter
}

/// Everything that can be asked for.
fn everything(detail: Detail) -> Options {
    // Without stalls of its own, which two watchdogs may see at different times.
    Options::default().with_worker_detail(detail).with_opt_in_metrics().with_flavor()
}

fn work(batches: &mut [Batch], polls: u64) {
    for (batch, more) in batches.iter_mut().zip(0..) {
        batch.unparked();
        for _ in 0..polls + more {
            let now = batch.clock().now_ns();
            batch.start_poll_at(now);
            batch.end_poll_at(now + 20_000);
            batch.scheduled_for(Duration::from_millis(2));
        }
        batch.stole(3);
        batch.scheduled_locally();
        batch.overflowed();
        batch.metrics().set_queue_depth(5);
        batch.about_to_park();
        batch.submit();
    }
}

#[test]
fn every_row_of_a_pool_is_the_same_through_a_meter_and_by_otlp() {
    let bounds = Scale::explicit(&[0.001, 0.01, 0.1]).unwrap();
    for protocol in [Protocol::Grpc, Protocol::Http] {
        for temporality in TEMPORALITIES {
            for detail in [Detail::Worker, Detail::Runtime] {
                let config = WorkerConfig::new()
                    .with_poll_time_histogram(bounds.clone())
                    .with_schedule_latency_histogram(bounds.clone())
                    .with_microstates();
                let (pool, mut batches) = Pool::builder("render").workers(3).config(config).build().unwrap();
                let pool = Arc::new(pool);
                let rows = pool.definitions().len();
                work(&mut batches, 1_000);
                let exported = compare(
                    &everything(detail),
                    temporality,
                    protocol,
                    || pool.clone(),
                    || {
                        work(&mut batches, 100);
                        let metrics = pool.metrics();
                        metrics.task_spawned();
                        metrics.task_spawned();
                        metrics.task_completed();
                        metrics.scheduled_remotely();
                        metrics.yield_forced();
                        metrics.set_global_queue_depth(7);
                    },
                );
                // All but the duration of stalls, of which there are none, and deltas of nothing.
                let nothing = if temporality == Temporality::Delta { 5 } else { 1 };
                assert!(exported.len() + nothing >= rows, "{} of {rows}: {exported:#?}", exported.len());
            }
        }
    }
}

/// Until nothing of a runtime moves any more.
fn settle(source: &TokioRuntime) {
    let read = |snapshot: &mut Snapshot| {
        source.collect(snapshot);
        let workers = snapshot.workers().iter();
        let are_idle = workers.clone().all(|worker| worker.state == Some(WorkerState::Idle));
        let counts = workers.map(|worker| {
            worker_metrics::Counter::ALL.iter().map(|counter| worker.count(*counter)).collect::<Vec<_>>()
        });
        (are_idle, counts.collect::<Vec<_>>())
    };
    let mut snapshot = Snapshot::new();
    let (mut before, mut since) = (read(&mut snapshot), Instant::now());
    while !before.0 || since.elapsed() < Duration::from_millis(50) {
        std::thread::yield_now();
        let now = read(&mut snapshot);
        if now != before {
            (before, since) = (now, Instant::now());
        }
    }
}

#[test]
fn every_row_of_a_tokio_runtime_is_the_same_through_a_meter_and_by_otlp() {
    for protocol in [Protocol::Grpc, Protocol::Http] {
        for temporality in TEMPORALITIES {
            for detail in [Detail::Worker, Detail::Runtime] {
                let tasks = TaskMetrics::builder().group("db").group("http").build().unwrap();
                let runtime = Builder::new_multi_thread()
                    .worker_threads(2)
                    .name("main")
                    .enable_all()
                    .enable_worker_histograms()
                    .build()
                    .unwrap();
                let source = || TokioRuntime::new(runtime.handle()).without_probes().with_tasks(&tasks);
                let work = || {
                    runtime.block_on(async {
                        for _ in 0..200 {
                            tasks.spawn(tokio::task::yield_now()).await.unwrap();
                            tasks.group("db").unwrap().spawn(async {}).await.unwrap();
                            tokio::spawn(tokio::task::yield_now()).await.unwrap();
                        }
                        tokio::task::spawn_blocking(|| ()).await.unwrap();
                    });
                    settle(&source());
                };
                work();
                let exported = compare(&everything(detail), temporality, protocol, source, work);
                // Of deltas those that are not 0: whether there are noops and steals is the
                // machine's.
                assert!(exported.len() >= if cfg!(tokio_unstable) { 20 } else { 11 }, "{exported:#?}");
            }
        }
    }
}

/// The schema of the registry.
fn schema_url() -> String {
    #[derive(serde::Deserialize)]
    struct Manifest {
        schema_url: String,
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../registry/manifest.yaml");
    let manifest: Manifest = serde_yaml_ng::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    manifest.schema_url
}

#[test]
fn the_scope_is_the_same_on_all_ways_and_its_schema_is_the_registry_s() {
    let expected = Scope {
        name: "worker-metrics-otel".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        schema_url: schema_url(),
        ..Scope::default()
    };
    let receiver = || Receiver::builder().keep_requests(true).start().unwrap();
    let (a, b, b_numbers, c, replayed) = (receiver(), receiver(), receiver(), receiver(), receiver());
    let config = || WorkerConfig::new().with_poll_time_histogram(Scale::preset());
    let attach = |workers: &Instrumentation| {
        let (pool, mut batches) = Pool::builder("render").workers(1).config(config()).build().unwrap();
        let attachment = workers.attach(pool).unwrap();
        work(&mut batches, 1);
        attachment
    };

    let workers = Instrumentation::default();
    let push = otlp(&workers, Protocol::Grpc, &a).start().unwrap();
    let _a = attach(&workers);
    push.force_flush().unwrap();

    for (receiver, numbers) in [(&b, Numbers::Auto), (&b_numbers, Numbers::Otlp)] {
        let workers = Instrumentation::new(Options::default().with_numbers(numbers));
        let exporter = otlp(&workers, Protocol::Http, receiver).exporter().unwrap();
        let provider = SdkMeterProvider::builder().with_periodic_exporter(exporter).build();
        workers.register(&provider);
        provider.meter("program").u64_counter("requests").build().add(1, &[]);
        let _b = attach(&workers);
        provider.force_flush().unwrap();
    }
    let plain = (&c, Options::default());
    for (receiver, options) in [plain, (&replayed, Options::default().with_replayed_histograms())] {
        let workers = Instrumentation::new(options);
        let provider = sdk(receiver, Temporality::Cumulative);
        workers.register(&provider);
        let _c = attach(&workers);
        provider.force_flush().unwrap();
    }
    let programs = Scope { name: "program".to_owned(), ..Scope::default() };
    for (way, receiver) in
        [("A", a), ("B", b), ("B with numbers", b_numbers), ("C", c), ("C with replay", replayed)]
    {
        let scopes: Vec<_> = receiver.scopes().into_iter().filter(|scope| *scope != programs).collect();
        assert_eq!(scopes, std::slice::from_ref(&expected), "{way}");
    }
}

fn value(data: &Data) -> i64 {
    match data {
        Data::Number { value } => value.as_i64().unwrap(),
        Data::Histogram(histogram) => i64::try_from(histogram.count).unwrap(),
        other => panic!("{other:?}"),
    }
}

/// All that has arrived, where each pipeline begins its totals anew: what each of them has told,
/// added up.
fn told(series: &[Series]) -> i64 {
    series.iter().filter_map(Series::total).map(|total| value(&total)).sum()
}

#[test]
fn a_provider_that_takes_the_place_of_another_repeats_nothing() {
    for temporality in TEMPORALITIES {
        let receivers = [(); 2].map(|()| Receiver::builder().keep_requests(true).start().unwrap());
        let workers = Instrumentation::new(Options::default().with_replayed_histograms());
        let config = WorkerConfig::new().with_poll_time_histogram(Scale::preset());
        let (pool, mut batches) = Pool::builder("render").workers(1).config(config).build().unwrap();
        let _attachment = workers.attach(pool).unwrap();
        let mut work = |polls| work(&mut batches, polls);

        let first = sdk(&receivers[0], temporality);
        workers.register(&first);
        work(100);
        first.force_flush().unwrap();
        work(10);
        first.shutdown_with_timeout(PATIENCE).unwrap();
        // Nobody has collected these: they are the second one's.
        work(5);
        let second = sdk(&receivers[1], temporality);
        workers.register(&second);
        second.force_flush().unwrap();
        work(20);
        second.force_flush().unwrap();
        for metric in [POLLS, "worker_pool.task.poll.duration"] {
            let told = receivers.each_ref().map(|receiver| told(&receiver.series(metric)));
            assert_eq!(told, [110, 25], "{metric} {temporality:?}");
        }
    }
}

#[test]
fn an_export_by_otlp_that_takes_the_place_of_another_repeats_nothing() {
    for temporality in TEMPORALITIES {
        for exporter in [false, true] {
            let receiver = Receiver::builder().keep_requests(true).start().unwrap();
            let workers = Instrumentation::new(Options::default().with_numbers(Numbers::Otlp));
            let config = WorkerConfig::new().with_poll_time_histogram(Scale::preset());
            let (pool, mut batches) = Pool::builder("render").workers(1).config(config).build().unwrap();
            let attachment = workers.attach(pool).unwrap();
            for polls in [100, 20, 3] {
                let otlp = otlp(&workers, Protocol::Http, &receiver).with_timeout(PATIENCE);
                let otlp = otlp.with_temporality(temporality);
                work(&mut batches, polls);
                if exporter {
                    let exporter = otlp.exporter().unwrap();
                    let provider = SdkMeterProvider::builder().with_periodic_exporter(exporter).build();
                    provider.meter("program").u64_counter("requests").build().add(1, &[]);
                    provider.force_flush().unwrap();
                    provider.shutdown_with_timeout(PATIENCE).unwrap();
                } else {
                    let push = otlp.start().unwrap();
                    push.force_flush().unwrap();
                    push.shutdown_with_timeout(PATIENCE).unwrap();
                }
            }
            drop(attachment);
            for metric in [POLLS, "worker_pool.task.poll.duration"] {
                assert_eq!(
                    told(&receiver.series(metric)),
                    123,
                    "{metric} {temporality:?} exporter: {exporter}"
                );
            }
            if !exporter {
                assert_eq!(receiver.violations(), [], "{temporality:?}");
            }
        }
    }
}

/// Whoever exports to memory, to Prometheus or to standard output sends nothing by the network.
#[test]
fn through_a_meter_alone_the_numbers_are_there_and_no_connection_is_opened() {
    // Where an exporter would connect to if nobody told it otherwise.
    let listeners: Vec<_> =
        [4317, 4318].iter().filter_map(|port| TcpListener::bind(("127.0.0.1", *port)).ok()).collect();
    for listener in &listeners {
        listener.set_nonblocking(true).unwrap();
    }
    let rig = Rig::cumulative();
    let workers = Instrumentation::default();
    workers.register(&rig.provider);
    let config = WorkerConfig::new().with_poll_time_histogram(Scale::preset());
    let (pool, mut batches) = Pool::builder("render").workers(1).config(config).build().unwrap();
    let attachment = workers.attach(pool).unwrap();
    work(&mut batches, 3);
    let start = Instant::now();
    assert_eq!(rig.collect().sum(POLLS), 3.0);
    rig.provider.force_flush().unwrap();
    drop(attachment);
    rig.provider.shutdown_with_timeout(PATIENCE).unwrap();
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    assert!(workers.status().exports.is_empty());
    for listener in &listeners {
        assert_eq!(listener.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    }
}

/// As the first lines of a program that has a provider already.
#[test]
fn a_provider_of_the_program_goes_on_as_it_was() {
    let exporter = InMemoryMetricExporter::default();
    let provider = SdkMeterProvider::builder().with_periodic_exporter(exporter.clone()).build();
    let own = provider.meter("program").u64_counter("requests").build();
    let workers = Instrumentation::default();
    workers.register(&provider);
    own.add(2, &[]);
    provider.force_flush().unwrap();
    let exported = exporter.get_finished_metrics().unwrap();
    let scopes: Vec<_> = exported.iter().flat_map(|metrics| metrics.scope_metrics()).collect();
    assert_eq!(scopes.iter().map(|scope| scope.scope().name()).collect::<Vec<_>>(), ["program"]);
    drop(workers);
    own.add(2, &[]);
    provider.force_flush().unwrap();
    assert_eq!(exporter.get_finished_metrics().unwrap().len(), 2);
}
