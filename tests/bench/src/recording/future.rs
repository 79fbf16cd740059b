//! The events of a task, polled by hand.

use std::cell::OnceCell;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use tokio::runtime::Builder;
use tokio_metrics::TaskMonitor;
use worker_metrics_tokio::TaskMetrics;

use super::{each_ns, repeated};
use crate::report::version_of;

/// Boxed, as Tokio's tasks are: no compiler sees through it.
type Task = Pin<Box<dyn Future<Output = ()>>>;

const INSTRUMENTED: usize = 1;
const MONITORED: usize = 3;

pub(super) fn table(rounds: usize) -> String {
    // On a worker, as tasks are: to ask which one it is is part of what is measured.
    let runtime = Builder::new_current_thread().build().expect("a runtime");
    let rows = runtime.block_on(async {
        [
            ("a poll", polls(rounds, |_| Poll::Pending)),
            ("a wake, then a poll", polls(rounds, wake)),
            ("a further wake", further_wakes(rounds)),
        ]
    });
    let mut table = format!(
        "A future that is always pending, polled by hand on a worker, with a waker that wakes nothing. A further wake finds the task \
         woken already.\n\n\
         | | bare | instrumented | in a task group | {} `TaskMonitor` | instrumented to `TaskMonitor` |\n|---|---|---|---|---|---|\n",
        version_of("tokio-metrics")
    );
    for (event, times_ns) in rows {
        let cells: String = times_ns.iter().map(|ns| format!(" {ns:.1} ns |")).collect();
        table += &format!("| {event} |{cells} {:.2} |\n", times_ns[INSTRUMENTED] / times_ns[MONITORED]);
    }
    table
}

/// The same future, bare and measured in each way.
fn each_way<F: Future<Output = ()> + 'static>(mut future: impl FnMut() -> F) -> [Task; 4] {
    let tasks = TaskMetrics::builder().group("bench").build().expect("a good name");
    let group = tasks.group("bench").expect("it was named");
    [
        Box::pin(future()),
        Box::pin(tasks.instrument(future())),
        Box::pin(group.instrument(future())),
        Box::pin(TaskMonitor::new().instrument(future())),
    ]
}

fn polls(rounds: usize, poll: fn(&mut Context<'_>) -> Poll<()>) -> Vec<f64> {
    let runs = each_way(|| poll_fn(poll)).map(|mut task| repeated(move || poll_once(&mut task)));
    each_ns(rounds, &mut Vec::from(runs))
}

fn further_wakes(rounds: usize) -> Vec<f64> {
    let mut wakers = Vec::new();
    let tasks = each_way(|| {
        let waker = Rc::new(OnceCell::new());
        wakers.push(waker.clone());
        poll_fn(move |cx| {
            waker.set(cx.waker().clone()).expect("it is polled once");
            Poll::Pending
        })
    });
    let runs = tasks.into_iter().zip(wakers).map(|(mut task, waker)| {
        poll_once(&mut task);
        repeated(move || {
            // A waker does nothing for a task that is gone.
            let _alive = &task;
            waker.get().expect("it was polled").wake_by_ref();
        })
    });
    each_ns(rounds, &mut runs.collect::<Vec<_>>())
}

fn wake(cx: &mut Context<'_>) -> Poll<()> {
    cx.waker().wake_by_ref();
    Poll::Pending
}

fn poll_once(task: &mut Task) {
    let polled = task.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(polled.is_pending(), "it is pending for ever");
}
