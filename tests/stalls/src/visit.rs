//! Runs a case, and takes down what really happened and what was reported.

use std::panic::Location;
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;
use tokio::task::LocalSet;
use worker_metrics_otel::Stall;
use worker_metrics_tokio::{RuntimeBuilderExt, TaskMetrics, TokioRuntime};

use crate::animals::Animal;
use crate::case::{Case, Instrumented, Place};
use crate::guard::Guard;
use crate::stay::{Blocked, Stay};
use crate::verdict::Verdict;

/// The time from one look of the watchdog to the next.
pub const INTERVAL: Duration = worker_metrics_otel::Watchdog::DEFAULT_INTERVAL;
/// The time from which a worker that does not get on is stalled.
pub const THRESHOLD: Duration = Duration::from_secs(1);

/// What really happened, and what was reported.
#[derive(Debug)]
pub struct Outcome {
    /// The poll that blocked.
    pub(crate) poll: Polled,
    /// The line above the one that spawned the task.
    pub(crate) above_spawn: &'static Location<'static>,
    /// When the watchdog looked.
    pub(crate) looks: Vec<Instant>,
    /// When each stall was reported.
    pub(crate) begun: Vec<(Instant, Stall)>,
    pub(crate) ended: Vec<Stall>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Polled {
    pub(crate) from: Instant,
    pub(crate) to: Instant,
    pub(crate) blocked: Blocked,
}

/// Runs the case, and again with a longer stall as long as the watchdog looks so rarely that the
/// stall was over before it was due.
#[must_use]
pub fn judged(case: &Case) -> Verdict {
    let mut length = Duration::from_secs_f64(case.least_seconds());
    for _ in 0..3 {
        let verdict = Verdict::of(case, &visit(case, length));
        if !verdict.was_too_short {
            return verdict;
        }
        length *= 2;
    }
    Verdict::of(case, &visit(case, length))
}

/// Runs the case, with a stall of `length`.
///
/// # Panics
///
/// If the runtime cannot be made.
#[must_use]
pub fn visit(case: &Case, length: Duration) -> Outcome {
    let tasks = TaskMetrics::new();
    let runtime = runtime(case, &tasks);
    let guard = Guard::new();
    let source = TokioRuntime::new(runtime.handle()).with_name(case.to_string());
    let source = if case.instrumented.has_tasks() { source.with_tasks(&tasks) } else { source };
    let attachment = guard.attach(source);

    let (done, polls) = channel();
    let visitor = Visitor { animal: case.animal, length, done };
    let (begin, begins) = oneshot::channel::<()>();
    let (end, ends) = oneshot::channel::<()>();
    let case = *case;
    let driver = thread::spawn(move || drive(&case, &runtime, &tasks, visitor, begins, ends));
    guard.wait_for_threads();
    begin.send(()).unwrap();
    let poll = polls.recv().expect("the animal ends, and does not panic");
    // One look sees the end; another one follows for what must not come.
    guard.looks.wait_for(3, poll.to);
    end.send(()).unwrap();
    let above_spawn = driver.join().unwrap();
    guard.looks.wait_for(2, Instant::now());
    drop(attachment);
    let reports = guard.reports();
    Outcome { poll, above_spawn, looks: guard.looks.all(), begun: reports.begun, ended: reports.ended }
}

/// Threads of different runtimes have different names: one that runs under the name of a worker
/// that sleeps may have taken it over.
fn runtime(case: &Case, tasks: &TaskMetrics) -> Runtime {
    let mut builder = match case.place {
        Place::MultiThread => Builder::new_multi_thread(),
        Place::CurrentThread | Place::Root | Place::LocalSet => Builder::new_current_thread(),
    };
    // All runtimes of the zoo share the names of their threads, as those of a service do.
    builder.worker_threads(2).enable_all();
    if case.instrumented == Instrumented::Hooked {
        builder.measure_tasks(tasks);
    }
    builder.build().unwrap()
}

struct Visitor {
    animal: Animal,
    length: Duration,
    done: Sender<Polled>,
}

/// Returns where it stands above the line that spawns.
fn drive(
    case: &Case,
    runtime: &Runtime,
    tasks: &TaskMetrics,
    visitor: Visitor,
    begins: oneshot::Receiver<()>,
    ends: oneshot::Receiver<()>,
) -> &'static Location<'static> {
    let is_plain = !case.instrumented.has_tasks();
    let begun = async move { begins.await.unwrap() };
    // Its sender is dropped where a test has failed.
    let ended = async move { drop(ends.await) };
    match case.place {
        Place::MultiThread | Place::CurrentThread => runtime.block_on(async {
            begun.await;
            let task = outer(visitor);
            let above = here();
            let task = if is_plain { tokio::spawn(task) } else { tasks.spawn(task) };
            task.await.unwrap();
            ended.await;
            above
        }),
        Place::Root => runtime.block_on(async {
            begun.await;
            let root = outer(visitor);
            match is_plain {
                true => root.await,
                false => tasks.instrument(root).await,
            }
            ended.await;
            here()
        }),
        Place::LocalSet => LocalSet::new().block_on(runtime, async {
            begun.await;
            let task = outer(visitor);
            let above = here();
            let task = if is_plain { tokio::task::spawn_local(task) } else { tasks.spawn_local(task) };
            task.await.unwrap();
            ended.await;
            above
        }),
    }
}

#[track_caller]
fn here() -> &'static Location<'static> {
    Location::caller()
}

async fn outer(visitor: Visitor) {
    middle(visitor).await;
}

async fn middle(visitor: Visitor) {
    inner(visitor).await;
}

async fn inner(visitor: Visitor) {
    let Visitor { animal, length, done } = visitor;
    let from = Instant::now();
    let stay = Stay::new(length);
    (animal.run)(&stay);
    let polled = Polled { from, to: Instant::now(), blocked: stay.blocked().unwrap() };
    // Nobody listens where a test has failed.
    let _ = done.send(polled);
}
