//! A blocked worker, all the way to a receiver, while it is blocked.

use std::sync::mpsc::channel;
use std::time::Duration;

use opentelemetry_sdk::metrics::Temporality;
use otlp_receiver::{Receiver, State};
use tokio::runtime::Builder;
use worker_metrics_otel::{Instrumentation, Options};
use worker_metrics_tokio::{TaskMetrics, TokioRuntime};

use crate::watchdog::wait_for_threads;
use crate::wire::{PATIENCE, Protocol, Wire};

#[test]
fn a_receiver_sees_a_worker_stalled_while_every_worker_is_blocked() {
    // A watchdog looks at the thread; without one the age of a measured poll proves it.
    let ways = [(Options::default(), false), (Options::default().without_watchdog(), true)];
    let ways = ways.into_iter().flat_map(|(options, is_measured)| {
        [Protocol::Grpc, Protocol::Http].map(|protocol| (options.clone(), is_measured, protocol))
    });
    for (options, is_measured, protocol) in ways {
        let receiver = Receiver::start().unwrap();
        let wire = Wire::start(protocol, &receiver, Temporality::Cumulative, Duration::from_millis(20));
        let workers = Instrumentation::new(options);
        workers.register(&wire.provider);
        let runtime = Builder::new_multi_thread().worker_threads(1).name("main").build().unwrap();
        let source =
            TokioRuntime::new(runtime.handle()).with_stall_threshold(Duration::from_millis(50)).unwrap();
        let tasks = TaskMetrics::new();
        let source = if is_measured { source.with_tasks(&tasks) } else { source };
        let _main = workers.attach(source).unwrap();
        wait_for_threads(&workers);

        let (release, released) = channel::<()>();
        let blocks = async move {
            // An error is the end of a failed test.
            let _ = released.recv();
        };
        match is_measured {
            true => drop(tasks.spawn_on(blocks, runtime.handle())),
            false => drop(runtime.spawn(blocks)),
        }
        let seen = receiver.wait_until(PATIENCE, |state| busy(state, "stalled") == Some(1));
        assert!(seen, "{protocol:?}: {:?}", receiver.snapshot().metric("tokio.worker.count"));
        let document = receiver.snapshot();
        let age = document.metric("tokio.worker.progress.age").unwrap().points[0].value().unwrap().as_f64();
        assert!(age >= 0.05, "{age}");

        release.send(()).unwrap();
        assert!(receiver.wait_until(PATIENCE, |state| busy(state, "idle") == Some(1)));
    }
}

/// How many workers are in `state`.
fn busy(received: &State, state: &str) -> Option<i64> {
    let document = received.document();
    let workers = document.metric("tokio.worker.count")?;
    workers.point(&[("tokio.runtime.name", "main"), ("tokio.worker.state", state)])?.value()?.as_i64()
}
