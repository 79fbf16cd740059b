//! Runs in which nothing may be reported, and true stalls among them.
//!
//! Polls are measured by the CPU time they take.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::channel;
use worker_metrics_otel::Stall;
use worker_metrics_tokio::{RuntimeBuilderExt, TaskMetrics, TokioRuntime};

use crate::case::Instrumented;
use crate::cpu;
use crate::guard::Guard;

/// A run.
#[derive(Clone, Copy, Debug)]
pub struct Healthy {
    /// What runs.
    pub name: &'static str,
    /// How many stalls there are in truth.
    pub stalls: usize,
    /// Whether it leaves the CPUs to others, so that several such runs can share them.
    pub is_quiet: bool,
    run: fn(&Run),
}

/// What was reported of a run.
#[derive(Debug)]
pub struct Reported {
    /// The stalls.
    pub stalls: Vec<Stall>,
    /// How often the watchdog has looked.
    pub looks: usize,
}

/// What a run is given.
struct Run {
    guard: Guard,
    length: Duration,
    instrumented: Instrumented,
    tasks: TaskMetrics,
}

/// All of them, the busiest first.
pub const SCENARIOS: [Healthy; 24] = [
    busy("LIFO slot, 1 worker, polls of 20 ms", |run| lifo(run, 1, ms(20), 0)),
    busy("LIFO slot, 1 worker, polls of 4.5 ms", |run| lifo(run, 1, Duration::from_micros(4_500), 0)),
    busy("LIFO slot, 1 worker, polls of 0.1 ms", |run| lifo(run, 1, Duration::from_micros(100), 0)),
    busy("LIFO slot, 2 workers, polls of 1 ms, 8 busy threads", |run| lifo(run, 2, ms(1), 8)),
    busy("LIFO slot, 8 workers, polls of 2 ms", |run| lifo(run, 8, ms(2), 0)),
    busy("yields, 1 worker, polls of 20 ms", |run| yields(run, 1, ms(20), 0)),
    busy("yields, 2 workers, polls of 18 ms, 8 busy threads", |run| yields(run, 2, ms(18), 8)),
    busy("yields, 8 workers, polls of 5 ms, 8 busy threads", |run| yields(run, 8, ms(5), 8)),
    busy("half loaded, 8 workers, polls of 5 ms, 8 busy threads", |run| half_loaded(run, 8, ms(5), 8)),
    busy("a current thread, yields, polls of 20 ms", |run| {
        drive_current_thread(run, |run| spin(run.length, ms(20)));
    }),
    busy("block_in_place beside yields, polls of 20 ms", |run| in_place(run, ms(20))),
    quiet("idle, 2 workers", |run| idle(run, 2)),
    quiet("idle, 8 workers", |run| idle(run, 8)),
    quiet("half loaded, 2 workers, polls of 1 ms", |run| half_loaded(run, 2, ms(1), 0)),
    quiet("block_in_place, idle beside", |run| in_place(run, Duration::ZERO)),
    quiet("spawn_blocking", spawn_blocking),
    quiet("a current thread, idle", |run| {
        drive_current_thread(run, |run| {
            let length = run.length;
            async move { tokio::time::sleep(length).await }
        });
    }),
    quiet("a current thread that has finished", finished),
    quiet("a current thread that is dropped", dropped),
    quiet("a current thread between two block_on", between),
    quiet("a current thread that is never driven", never_driven),
    quiet("a multi-thread runtime that is dropped", dropped_multi_thread),
    quiet("a shutdown with tasks", shut_down),
    Healthy { stalls: 1, ..quiet("a worker that blocks the shutdown", blocked_shutdown) },
];

const fn busy(name: &'static str, run: fn(&Run)) -> Healthy {
    Healthy { name, stalls: 0, is_quiet: false, run }
}

const fn quiet(name: &'static str, run: fn(&Run)) -> Healthy {
    Healthy { name, stalls: 0, is_quiet: true, run }
}

const fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

impl Healthy {
    /// Runs it for about `length`.
    #[must_use]
    pub fn run(&self, instrumented: Instrumented, length: Duration) -> Reported {
        let run = Run { guard: Guard::new(), length, instrumented, tasks: TaskMetrics::new() };
        (self.run)(&run);
        let reports = run.guard.reports();
        Reported {
            stalls: reports.begun.into_iter().map(|(_, stall)| stall).collect(),
            looks: run.guard.looks.all().len(),
        }
    }
}

impl Run {
    fn build(&self, builder: &mut Builder) -> Runtime {
        if self.instrumented == Instrumented::Hooked {
            builder.measure_tasks(&self.tasks);
        }
        builder.enable_all().build().unwrap()
    }

    fn multi_thread(&self, workers: usize) -> Runtime {
        self.build(Builder::new_multi_thread().worker_threads(workers))
    }

    fn source(&self, runtime: &Runtime) -> TokioRuntime {
        let source = TokioRuntime::new(runtime.handle());
        if self.instrumented.has_tasks() { source.with_tasks(&self.tasks) } else { source }
    }

    fn spawn(&self, runtime: &Runtime, task: impl Future<Output = ()> + Send + 'static) {
        match self.instrumented.has_tasks() {
            true => drop(self.tasks.spawn_on(task, runtime.handle())),
            false => drop(runtime.spawn(task)),
        }
    }

    /// Lets the run go on for its length, by the looks of the watchdog.
    fn let_go_on(&self) {
        let until = Instant::now() + self.length;
        while Instant::now() < until {
            self.guard.looks.wait_for(1, Instant::now());
        }
    }

    /// A saturated runtime: everything of it ends before the runtime is dropped.
    fn saturated(&self, workers: usize, busy: usize, spawn: impl Fn(&Runtime, &Arc<AtomicBool>)) {
        let runtime = self.multi_thread(workers);
        let attachment = self.guard.attach(self.source(&runtime));
        let stop = Arc::new(AtomicBool::new(false));
        let beside: Vec<JoinHandle<()>> = (0..busy)
            .map(|_| {
                let stop = stop.clone();
                thread::spawn(move || while !stop.load(Relaxed) {})
            })
            .collect();
        spawn(&runtime, &stop);
        self.let_go_on();
        stop.store(true, Relaxed);
        beside.into_iter().for_each(|thread| thread.join().unwrap());
        drop(attachment);
    }
}

/// Two tasks to a worker that wake each other: a turn of the worker polls up to four of them.
fn lifo(run: &Run, workers: usize, poll: Duration, busy: usize) {
    run.saturated(workers, busy, |runtime, stop| {
        for _ in 0..workers {
            let ((ping, pings), (pong, pongs)) = (channel(1), channel(1));
            ping.try_send(()).unwrap();
            for (mut from, to) in [(pings, pong), (pongs, ping)] {
                let stop = stop.clone();
                run.spawn(runtime, async move {
                    while from.recv().await.is_some() && !stop.load(Relaxed) {
                        cpu::compute(poll);
                        let _ = to.send(()).await;
                    }
                });
            }
        }
    });
}

fn yields(run: &Run, workers: usize, poll: Duration, busy: usize) {
    run.saturated(workers, busy, |runtime, stop| {
        for _ in 0..2 * workers {
            let stop = stop.clone();
            run.spawn(runtime, async move {
                while !stop.load(Relaxed) {
                    cpu::compute(poll);
                    tokio::task::yield_now().await;
                }
            });
        }
    });
}

fn half_loaded(run: &Run, workers: usize, poll: Duration, busy: usize) {
    run.saturated(workers, busy, |runtime, stop| {
        for _ in 0..workers {
            let stop = stop.clone();
            run.spawn(runtime, async move {
                while !stop.load(Relaxed) {
                    cpu::compute(poll);
                    tokio::time::sleep(poll).await;
                }
            });
        }
    });
}

fn idle(run: &Run, workers: usize) {
    half_loaded(run, workers, Duration::from_micros(10), 0);
}

/// A worker is handed over again and again, beside polls of that length, or none.
fn in_place(run: &Run, beside: Duration) {
    run.saturated(2, 0, |runtime, stop| {
        if !beside.is_zero() {
            for _ in 0..3 {
                let stop = stop.clone();
                run.spawn(runtime, async move {
                    while !stop.load(Relaxed) {
                        cpu::compute(beside);
                        tokio::task::yield_now().await;
                    }
                });
            }
        }
        let (stop, length) = (stop.clone(), run.length.div_f64(2.2));
        run.spawn(runtime, async move {
            while !stop.load(Relaxed) {
                tokio::task::block_in_place(|| thread::sleep(length));
                tokio::task::yield_now().await;
            }
        });
    });
}

fn spawn_blocking(run: &Run) {
    run.saturated(2, 0, |runtime, _| {
        for _ in 0..3 {
            let length = run.length;
            run.spawn(runtime, async move {
                tokio::task::spawn_blocking(move || thread::sleep(length)).await.unwrap();
            });
        }
    });
}

async fn spin(length: Duration, poll: Duration) {
    let until = Instant::now() + length;
    while Instant::now() < until {
        cpu::compute(poll);
        tokio::task::yield_now().await;
    }
}

fn current_thread(run: &Run) -> Runtime {
    run.build(&mut Builder::new_current_thread())
}

fn drive_current_thread<F: Future<Output = ()> + Send + 'static>(run: &Run, task: impl Fn(&Run) -> F) {
    let runtime = current_thread(run);
    let _attachment = run.guard.attach(run.source(&runtime));
    let (task, tasks) = (task(run), run.tasks.clone());
    let has_tasks = run.instrumented.has_tasks();
    runtime.block_on(async move {
        let task = if has_tasks { tasks.spawn(task) } else { tokio::spawn(task) };
        task.await.unwrap();
    });
}

fn finished(run: &Run) {
    let runtime = current_thread(run);
    let _attachment = run.guard.attach(run.source(&runtime));
    runtime.block_on(async { tokio::time::sleep(ms(300)).await });
    run.let_go_on();
}

fn dropped(run: &Run) {
    let runtime = current_thread(run);
    let _attachment = run.guard.attach(run.source(&runtime));
    run.spawn(&runtime, std::future::pending());
    runtime.block_on(async { tokio::time::sleep(ms(300)).await });
    drop(runtime);
    run.let_go_on();
}

/// Its thread sleeps, and computes, where nobody drives the runtime.
fn between(run: &Run) {
    let runtime = current_thread(run);
    let _attachment = run.guard.attach(run.source(&runtime));
    let length = run.length.div_f64(4.4);
    for _ in 0..2 {
        run.spawn(&runtime, std::future::pending());
        runtime.block_on(async { tokio::time::sleep(ms(50)).await });
        thread::sleep(length);
        runtime.block_on(async { tokio::task::yield_now().await });
        cpu::compute(length);
    }
}

fn never_driven(run: &Run) {
    let runtime = current_thread(run);
    let _attachment = run.guard.attach(run.source(&runtime));
    run.spawn(&runtime, std::future::pending());
    run.let_go_on();
}

fn dropped_multi_thread(run: &Run) {
    let runtime = run.multi_thread(2);
    let _attachment = run.guard.attach(run.source(&runtime));
    run.spawn(&runtime, std::future::pending());
    run.guard.looks.wait_for(3, Instant::now());
    drop(runtime);
    run.let_go_on();
}

fn shut_down(run: &Run) {
    let length = run.length / 5;
    for how in 0..3 {
        let runtime = run.multi_thread(4);
        let _attachment = run.guard.attach(run.source(&runtime));
        for _ in 0..8 {
            run.spawn(&runtime, async {
                loop {
                    tokio::time::sleep(ms(1)).await;
                }
            });
        }
        run.guard.looks.wait_for(3, Instant::now());
        match how {
            0 => drop(runtime),
            1 => runtime.shutdown_background(),
            _ => runtime.shutdown_timeout(length),
        }
        let until = Instant::now() + length;
        while Instant::now() < until {
            run.guard.looks.wait_for(1, Instant::now());
        }
    }
}

/// The worker sleeps from before the shutdown until the watchdog has seen it, or long after.
fn blocked_shutdown(run: &Run) {
    let runtime = run.multi_thread(2);
    let _attachment = run.guard.attach(run.source(&runtime));
    run.guard.wait_for_threads();
    let (blocked, is_blocked) = mpsc::channel();
    let length = run.length.max(Duration::from_secs(4));
    run.spawn(&runtime, async move {
        blocked.send(()).unwrap();
        thread::sleep(length);
    });
    is_blocked.recv().unwrap();
    drop(runtime);
    run.guard.looks.wait_for(2, Instant::now());
}
