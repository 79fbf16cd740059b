//! One poll, timed by whoever records it.

use std::future::{Future, poll_fn};
use std::hint::black_box;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use tokio_metrics::TaskMonitor;
use worker_metrics::histogram::Scale;
use worker_metrics::{Batch, WorkerConfig, WorkerMetrics};

use super::duration::log_scale;
use super::subject::Subject;
use crate::report::version_of;

pub(super) const CLOCK: usize = 0;

pub(super) fn subjects() -> Vec<Subject> {
    vec![
        Subject::new("two readings of the clock", |_| {
            || {
                black_box(Instant::now());
                black_box(Instant::now());
            }
        }),
        batch("no histogram", WorkerConfig::new),
        batch("23 buckets", || WorkerConfig::new().with_poll_time_histogram(Scale::preset())),
        batch("119 buckets", || WorkerConfig::new().with_poll_time_histogram(log_scale())),
        Subject::new("a boxed future", |_| polled(poll_fn(|_| Poll::Pending))),
        Subject::new(format!("a boxed future in a `TaskMonitor` of {}", version_of("tokio-metrics")), |_| {
            polled(TaskMonitor::new().instrument(poll_fn(|_| Poll::Pending)))
        }),
    ]
}

fn batch(kept: &str, config: fn() -> WorkerConfig) -> Subject {
    Subject::new(format!("`Batch::start_poll` and `end_poll`, {kept}"), move |_| {
        let mut batch = Batch::new(WorkerMetrics::from_config(&config()));
        move || {
            let batch = black_box(&mut batch);
            batch.start_poll();
            batch.end_poll();
        }
    })
}

/// Boxed, as Tokio's tasks are: no compiler sees through it.
fn polled(future: impl Future<Output = ()> + 'static) -> impl FnMut() {
    let mut future: Pin<Box<dyn Future<Output = ()>>> = Box::pin(future);
    move || {
        let polled = black_box(&mut future).as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(polled.is_pending(), "it is pending for ever");
    }
}
