//! Stalls that are counted and told while nobody collects.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver as Called, RecvTimeoutError, Sender, TryRecvError, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use opentelemetry_sdk::metrics::Temporality;
use otlp_receiver::{Document, Point, Receiver};
use tokio::runtime::{Builder, Runtime};
use worker_metrics::{
    Batch, Identity, Metric, Pool, Row, Snapshot, Source, StallCause, WorkerInfo, WorkerState,
};
use worker_metrics_otel::{Compression, Histograms, Instrumentation, Options, Proof, Stall, Watchdog};
use worker_metrics_tokio::{RuntimeBuilderExt, TaskMetrics, TokioRuntime};

use crate::rig::{Collected, Rig};
use crate::wire::{PATIENCE, Protocol, Wire};

const THRESHOLD: Duration = Duration::from_millis(50);
const INTERVAL: Duration = Duration::from_millis(5);
const STALLS: &str = "worker_pool.worker.stalls";
const DURATION: &str = "worker_pool.worker.stall.duration";

/// A watchdog, and the stalls that it calls back.
fn watchdog() -> (Watchdog, Called<Stall>) {
    let (call, called) = channel();
    let on_stall = move |stall: &Stall| {
        // The test may be over.
        let _ = call.send(stall.clone());
    };
    (Watchdog::every(INTERVAL).unwrap().on_stall(on_stall), called)
}

fn watched() -> (Instrumentation, Called<Stall>) {
    let (watchdog, called) = watchdog();
    (Instrumentation::new(Options::default().with_watchdog(watchdog)), called)
}

/// The next stall.
fn next(called: &Called<Stall>) -> Stall {
    called.recv_timeout(PATIENCE).expect("the stall is called back")
}

/// A pool whose workers are parked.
fn pool(name: &str, workers: usize) -> (Arc<Pool>, Vec<Batch>) {
    let (pool, mut batches) =
        Pool::builder(name).workers(workers).stall_threshold(THRESHOLD).build().unwrap();
    batches.iter_mut().for_each(park);
    (Arc::new(pool), batches)
}

fn park(batch: &mut Batch) {
    batch.about_to_park();
    batch.submit();
}

/// Begins a poll that blocks until the worker parks.
fn block(batch: &mut Batch) {
    batch.unparked();
    batch.start_poll();
    batch.submit();
}

fn runtime(name: &str) -> (Runtime, TokioRuntime) {
    let runtime = Builder::new_multi_thread().worker_threads(1).name(name).build().unwrap();
    let source = TokioRuntime::new(runtime.handle()).with_stall_threshold(THRESHOLD).unwrap();
    (runtime, source)
}

/// Waits until the threads of all workers are known, without which nothing is proved.
pub(crate) fn wait_for_threads(workers: &Instrumentation) {
    let is_known = || {
        let dump = workers.dump();
        dump.sources.iter().flat_map(|source| &source.workers).all(|worker| worker.thread_id.is_some())
    };
    let start = Instant::now();
    while !is_known() {
        assert!(start.elapsed() < PATIENCE, "{}", workers.dump());
        thread::yield_now();
    }
}

/// Blocks the only worker until the sender sends, or is dropped.
fn block_worker(runtime: &Runtime) -> Sender<()> {
    let (release, released) = channel::<()>();
    runtime.spawn(async move {
        let _ = released.recv();
    });
    release
}

/// A pipeline to a receiver, which exports all the time.
fn wire(workers: &Instrumentation, temporality: Temporality) -> (Receiver, Wire) {
    let receiver = Receiver::start().unwrap();
    let often = Duration::from_millis(20);
    let wire =
        Wire::with_histograms(workers, Protocol::Http, &receiver, temporality, Compression::None, often);
    workers.register(&wire.provider);
    (receiver, wire)
}

fn points(document: &Document, name: &str) -> Vec<Point> {
    document.metric(name).map_or(Vec::new(), |metric| metric.points.clone())
}

fn value(document: &Document, name: &str) -> f64 {
    points(document, name).iter().map(|point| point.value().unwrap().as_f64()).sum()
}

/// How many durations have arrived.
fn durations(document: &Document, name: &str) -> u64 {
    points(document, name).iter().map(|point| point.histogram().unwrap().count).sum()
}

#[test]
fn a_blocked_worker_of_a_tokio_runtime_is_called_back_and_counted_once_and_its_duration_measured() {
    for temporality in [Temporality::Cumulative, Temporality::Delta] {
        let (workers, called) = watched();
        let (receiver, wire) = wire(&workers, temporality);
        let (runtime, source) = runtime("main");
        let _main = workers.attach(source).unwrap();
        wait_for_threads(&workers);
        let before = Instant::now();
        let release = block_worker(&runtime);

        let stall = next(&called);
        assert_eq!(stall.identity.name.as_deref(), Some("main"));
        assert_eq!((stall.worker, stall.thread_name.as_deref()), (0, Some("tokio-rt-worker")));
        assert_eq!((stall.cause, stall.proof, &stall.task_group), (StallCause::Lock, Proof::Asleep, &None));
        assert!(stall.age >= THRESHOLD, "{:?}", stall.age);
        let id = runtime.handle().id();
        let expected = format!("worker 0 of \"main\" (tokio, id {id}) has been stuck for ");
        assert!(stall.to_string().starts_with(&expected), "{stall}");

        let age = |document: &Document| value(document, "tokio.worker.progress.age");
        assert!(receiver.wait_until(PATIENCE, |state| age(&state.document()) >= 0.2));
        let blocked = receiver.snapshot();
        assert_eq!(value(&blocked, "tokio.worker.stalls"), 1.0);
        assert_eq!(durations(&blocked, "tokio.worker.stall.duration"), 0);
        release.send(()).unwrap();

        let name = "tokio.worker.stall.duration";
        assert!(receiver.wait_until(PATIENCE, |state| durations(&state.document(), name) == 1));
        let all = before.elapsed().as_secs_f64();
        wire.provider.force_flush().unwrap();
        let released = receiver.snapshot();
        assert_eq!(value(&released, "tokio.worker.stalls"), 1.0);
        let histogram = released.metric(name).unwrap().points[0].histogram().unwrap().clone();
        assert_eq!((histogram.count, histogram.bounds.len()), (1, 11));
        let duration = histogram.sum.unwrap();
        let least = age(&blocked) - INTERVAL.as_secs_f64();
        assert!(least <= duration && duration <= all, "{least} {duration} {all}");
        assert_eq!(called.try_recv(), Err(TryRecvError::Empty));
    }
}

#[test]
fn a_blocked_worker_of_a_pool_is_named_with_its_thread_and_its_duration_is_that_of_the_poll() {
    let (workers, called) = watched();
    let (receiver, _wire) = wire(&workers, Temporality::Cumulative);
    let (pool, mut batches) = pool("render", 3);
    let _render = workers.attach(pool.clone()).unwrap();
    let thread = thread::Builder::new().name("render-1".to_owned()).spawn({
        let metrics = pool.workers()[1].clone();
        move || metrics.set_thread(&thread::current())
    });
    thread.unwrap().join().unwrap();
    let before = Instant::now();
    block(&mut batches[1]);

    let stall = next(&called);
    assert_eq!((stall.worker, stall.thread_name.as_deref()), (1, Some("render-1")));
    assert!(stall.to_string().contains("\n  thread: \"render-1\""), "{stall}");
    let mut snapshot = Snapshot::new();
    let mut age = Duration::ZERO;
    while age < 4 * THRESHOLD {
        thread::yield_now();
        pool.collect(&mut snapshot);
        age = snapshot.workers()[1].progress_age.unwrap();
    }
    park(&mut batches[1]);

    assert!(receiver.wait_until(PATIENCE, |state| durations(&state.document(), DURATION) == 1));
    let all = before.elapsed().as_secs_f64();
    let document = receiver.snapshot();
    let duration = points(&document, DURATION)[0].histogram().unwrap().sum.unwrap();
    assert!((age - INTERVAL).as_secs_f64() <= duration && duration <= all, "{age:?} {duration} {all}");
    let counts: Vec<_> =
        points(&document, STALLS).iter().map(|point| point.value().unwrap().as_f64()).collect();
    assert_eq!(counts, [0.0, 1.0, 0.0]);
}

#[test]
fn a_stall_in_a_measured_task_is_named_with_its_thread_and_its_group() {
    let (workers, called) = watched();
    let tasks = TaskMetrics::builder().group("reports").build().unwrap();
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .name("main")
        .thread_name("main-worker")
        .measure_tasks(&tasks)
        .build()
        .unwrap();
    let source = TokioRuntime::new(runtime.handle()).with_tasks(&tasks);
    let _main = workers.attach(source.with_stall_threshold(THRESHOLD).unwrap()).unwrap();
    let (_release, released) = channel::<()>();
    let blocks = async move { assert!(released.recv().is_err(), "it is dropped at the end") };
    tasks.group("reports").unwrap().spawn_on(blocks, runtime.handle());

    let stall = next(&called).to_string();
    assert!(stall.contains("\n  thread: \"main-worker\" ("), "{stall}");
    assert!(stall.contains("\n  task: of the group \"reports\", spawned at "), "{stall}");
}

#[test]
fn each_stall_is_one_and_each_runtime_has_its_own() {
    let (watchdog, called) = watchdog();
    let replayed = Options::default().with_replayed_histograms();
    let workers = Instrumentation::new(replayed.with_watchdog(watchdog));
    let rig = Rig::cumulative();
    workers.register(&rig.provider);
    let names = ["api", "disk"];
    let runtimes = names.map(runtime);
    let (runtimes, _attachments): (Vec<_>, Vec<_>) =
        runtimes.into_iter().map(|(runtime, source)| (runtime, workers.attach(source).unwrap())).unzip();
    wait_for_threads(&workers);
    let mut expected = [0.0; 2];
    for (ended, blocked) in [0, 1, 1].into_iter().enumerate() {
        let release = block_worker(&runtimes[blocked]);
        assert_eq!(next(&called).identity.name.as_deref(), Some(names[blocked]));
        expected[blocked] += 1.0;
        let collected = rig.collect();
        for (name, stalls) in names.iter().zip(expected) {
            let of = |cause: StallCause| {
                let attributes = [("tokio.runtime.name", *name), ("tokio.stall.cause", cause.as_str())];
                collected.value("tokio.worker.stalls", &attributes)
            };
            // The series of a cause begins with its first stall; one is always there.
            assert_eq!(of(StallCause::Unknown), 0.0);
            if stalls > 0.0 {
                assert_eq!(of(StallCause::Lock), stalls);
            }
        }
        drop(release);
        while counted(&rig.collect(), "tokio.worker.stall.duration") == ended as u64 {
            thread::yield_now();
        }
    }
    assert_eq!(counted(&rig.collect(), "tokio.worker.stall.duration"), 3);
}

/// How many values the histograms of this name hold.
fn counted(collected: &Collected, name: &str) -> u64 {
    let metric = collected.metrics.iter().find(|metric| metric.name == name);
    metric.map_or(0, |metric| metric.points.iter().flat_map(|point| &point.bucket_counts).sum())
}

#[test]
fn the_first_collection_sees_a_stall_at_once() {
    let (workers, called) = watched();
    let (runtime, source) = runtime("main");
    let _main = workers.attach(source).unwrap();
    wait_for_threads(&workers);
    let _release = block_worker(&runtime);
    next(&called);
    let rig = Rig::cumulative();
    workers.register(&rig.provider);
    assert_eq!(rig.collect().value("tokio.worker.count", &[("tokio.worker.state", "stalled")]), 1.0);
}

#[test]
fn a_source_that_is_detached_during_a_stall_is_let_go_with_a_count_and_no_duration() {
    let (workers, called) = watched();
    let (receiver, wire) = wire(&workers, Temporality::Delta);
    let (pool, mut batches) = pool("render", 1);
    let weak = Arc::downgrade(&pool);
    let attachment = workers.attach(pool).unwrap();
    block(&mut batches[0]);
    next(&called);
    wire.provider.force_flush().unwrap();
    drop(attachment);
    // A look may be under way.
    while weak.upgrade().is_some() {
        thread::yield_now();
    }
    wire.provider.force_flush().unwrap();
    let document = receiver.snapshot();
    assert_eq!(value(&document, STALLS), 1.0);
    assert_eq!(durations(&document, DURATION), 0);
    assert_eq!(called.try_recv(), Err(TryRecvError::Empty));
}

#[test]
fn the_watchdog_ends_with_the_instrumentation_and_the_attachments() {
    let held = Arc::new(());
    let weak = Arc::downgrade(&held);
    // Nobody waits for an interval that has begun.
    let watchdog = Watchdog::every(Watchdog::LONGEST_INTERVAL).unwrap().on_stall(move |_| {
        let _ = &held;
    });
    let workers = Instrumentation::new(Options::default().with_watchdog(watchdog));
    let (render, _batches) = pool("render", 1);
    let attachment = workers.attach(render).unwrap();
    drop(workers);
    assert!(weak.upgrade().is_some());
    drop(attachment);
    assert!(weak.upgrade().is_none());
}

#[test]
fn a_callback_may_drop_the_last_attachment() {
    let (call, called) = channel();
    let last = Arc::new(Mutex::new(None));
    let watchdog = Watchdog::every(INTERVAL).unwrap().on_stall({
        let last = last.clone();
        move |_| {
            let attachment: Option<worker_metrics_otel::Attachment> = last.lock().unwrap().take();
            call.send(attachment.is_some()).unwrap();
        }
    });
    let (pool, mut batches) = pool("render", 1);
    let workers = Instrumentation::new(Options::default().with_watchdog(watchdog));
    *last.lock().unwrap() = Some(workers.attach(pool).unwrap());
    drop(workers);
    block(&mut batches[0]);
    assert_eq!(called.recv_timeout(PATIENCE), Ok(true));
    assert_eq!(called.recv_timeout(PATIENCE), Err(RecvTimeoutError::Disconnected), "the thread has ended");
}

#[test]
fn a_callback_that_panics_is_called_again_at_the_next_stall() {
    let (call, called) = channel();
    let watchdog = Watchdog::every(INTERVAL).unwrap().on_stall(move |stall| {
        call.send(stall.clone()).unwrap();
        panic!("this callback panics on purpose");
    });
    let workers = Instrumentation::new(Options::default().with_watchdog(watchdog));
    let rig = Rig::cumulative();
    workers.register(&rig.provider);
    let (pool, mut batches) = pool("render", 2);
    let _render = workers.attach(pool).unwrap();
    for (worker, batch) in batches.iter_mut().enumerate() {
        block(batch);
        assert_eq!(next(&called).worker, worker);
    }
    assert_eq!(rig.collect().sum(STALLS), 2.0);
}

/// What a callback does must not keep the program from its end.
#[test]
fn a_callback_that_never_returns_keeps_a_drop_waiting_for_about_a_second() {
    let (call, called) = channel();
    let watchdog = Watchdog::every(INTERVAL).unwrap().on_stall(move |_| {
        call.send(()).unwrap();
        loop {
            thread::park();
        }
    });
    let (pool, mut batches) = pool("render", 1);
    let workers = Instrumentation::new(Options::default().with_watchdog(watchdog));
    let attachment = workers.attach(pool).unwrap();
    block(&mut batches[0]);
    called.recv_timeout(PATIENCE).unwrap();
    let start = Instant::now();
    drop((attachment, workers));
    let waited = start.elapsed();
    assert!(waited >= Duration::from_millis(900), "it is given a moment: {waited:?}");
    assert!(waited < Duration::from_secs(10), "{waited:?}");
}

/// A pool that panics when it is asked about a worker, and then on demand.
struct Broken(Arc<Pool>, Arc<AtomicBool>);

impl Source for Broken {
    fn identity(&self) -> &Identity {
        self.0.identity()
    }

    fn definitions(&self) -> &[Row] {
        self.0.definitions()
    }

    fn collect(&self, snapshot: &mut Snapshot) {
        self.0.collect(snapshot);
    }

    fn worker_info(&self, _: usize) -> WorkerInfo {
        self.1.store(true, Relaxed);
        panic!("this source panics on purpose")
    }
}

#[test]
fn a_source_that_panics_is_left_out_and_the_others_are_watched_on() {
    let (workers, called) = watched();
    let rig = Rig::cumulative();
    workers.register(&rig.provider);
    let (broken, mut batches) = pool("broken", 1);
    let panicked = Arc::default();
    let _broken = workers.attach(Broken(broken, Arc::clone(&panicked))).unwrap();
    let (sound, mut more) = pool("sound", 1);
    let _sound = workers.attach(sound).unwrap();
    block(&mut batches[0]);
    assert_eq!(next(&called).thread_name, None);
    assert!(panicked.load(Relaxed));
    block(&mut more[0]);
    assert_eq!(next(&called).identity.name.as_deref(), Some("sound"));
    let collected = rig.collect();
    assert_eq!(collected.metric(STALLS).points.len(), 1);
    assert_eq!(collected.value(STALLS, &[("worker_pool.name", "sound")]), 1.0);
}

#[test]
fn without_a_watchdog_the_rows_are_absent_and_the_coverage_says_why() {
    let rows = |options: Options| {
        let workers = Instrumentation::new(options);
        let (receiver, wire) = wire(&workers, Temporality::Cumulative);
        let (pool, _batches) = pool("render", 2);
        let _render = workers.attach(pool).unwrap();
        wire.provider.force_flush().unwrap();
        let document = receiver.snapshot();
        let arrived: usize = document.metrics.iter().map(|metric| metric.points.len()).sum();
        assert_eq!(arrived, workers.expected_series().total());
        let coverage = &workers.coverage()[0];
        let why = |name| coverage.missing().find(|(missing, _)| missing == name).map(|(_, why)| why);
        [STALLS, DURATION].map(|name| (points(&document, name).len(), why(name)))
    };
    let needs = Some("needs the watchdog: leave out `Options::without_watchdog`");
    assert_eq!(rows(Options::default().without_watchdog()), [(0, needs), (0, needs)]);
    // There is one by default.
    assert_eq!(rows(Options::default()), [(2, None), (1, None)]);
    assert_eq!(rows(Options::default().with_histograms(Histograms::Worker)), [(2, None), (2, None)]);
    let off = Some("switched off: `Options::with_histograms`");
    assert_eq!(rows(Options::default().with_histograms(Histograms::Off)), [(2, None), (0, off)]);
}

#[test]
fn what_a_source_does_not_leave_to_a_watchdog_stays_absent() {
    let (workers, _called) = watched();
    let rig = Rig::cumulative();
    workers.register(&rig.provider);
    let runtime = Builder::new_current_thread().build().unwrap();
    let _paused = workers.attach(TokioRuntime::new(runtime.handle()).intermittent()).unwrap();
    let (pool, _batches) = Pool::builder("render").workers(1).without(Metric::WorkerStalls).build().unwrap();
    let _render = workers.attach(pool).unwrap();
    assert!(rig.collect().metrics.iter().all(|metric| !metric.name.ends_with(".stalls")));
    let coverage = workers.coverage().iter().map(ToString::to_string).collect::<String>();
    assert!(
        coverage.contains(
            "needs a runtime that is not declared `TokioRuntime::intermittent`: tokio.worker.progress.age, \
             tokio.worker.stalls, tokio.worker.stall.duration"
        ),
        "{coverage}"
    );
    assert!(coverage.contains("left out by `PoolBuilder::without`: worker_pool.worker.stalls"), "{coverage}");
}

/// An executor that counts its stalls itself.
struct Counting(Pool, Vec<Row>, Arc<AtomicU64>);

impl Source for Counting {
    fn identity(&self) -> &Identity {
        self.0.identity()
    }

    fn definitions(&self) -> &[Row] {
        &self.1
    }

    fn collect(&self, snapshot: &mut Snapshot) {
        self.0.collect(snapshot);
        let counts =
            StallCause::ALL.map(|cause| if cause == StallCause::Unknown { self.2.load(Relaxed) } else { 0 });
        snapshot.workers_mut()[0].stalls.set_counts(counts);
        snapshot.workers_mut()[0].state = Some(WorkerState::Idle);
    }
}

#[test]
fn what_a_source_counts_itself_stands() {
    let (workers, _called) = watched();
    let rig = Rig::cumulative();
    workers.register(&rig.provider);
    let (pool, _batches) = Pool::builder("render").workers(1).build().unwrap();
    let mut rows = pool.definitions().to_vec();
    let row = rows.iter_mut().find(|row| row.metric() == Metric::WorkerStalls).unwrap();
    row.coverage = worker_metrics::Coverage::Covered;
    let stalls = Arc::new(AtomicU64::new(100));
    let _render = workers.attach(Counting(pool, rows, stalls.clone())).unwrap();
    stalls.fetch_add(7, Relaxed);
    assert_eq!(rig.collect().sum(STALLS), 7.0);
}
