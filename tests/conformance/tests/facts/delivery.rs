//! Receivers that are down, slow or answer errors: the observed runtime is not hurt, and afterwards
//! the values are right.

use std::time::Duration;

use opentelemetry_sdk::metrics::Temporality;
use otlp_receiver::{Code, Fault, Receiver, State, lasting_port};
use tokio::runtime::{Builder, Runtime};
use worker_metrics::histogram::Scale;
use worker_metrics::{Batch, Pool, WorkerConfig};
use worker_metrics_otel::{Attachment, Compression, Instrumentation};
use worker_metrics_tokio::TokioRuntime;

use crate::wire::{PATIENCE, Protocol, Wire};

const INTERVAL: Duration = Duration::from_millis(10);

/// An observed runtime, and a pool whose values are known, with everything that is exported of
/// them.
struct Observed {
    wire: Wire,
    runtime: Runtime,
    batch: Batch,
    polls: i64,
    _attachments: [Attachment; 2],
}

impl Observed {
    fn new(protocol: Protocol, receiver: &Receiver, temporality: Temporality, interval: Duration) -> Self {
        let workers = Instrumentation::default();
        let wire =
            Wire::with_histograms(&workers, protocol, receiver, temporality, Compression::None, interval);
        workers.register(&wire.provider);
        let runtime = Builder::new_multi_thread().worker_threads(2).name("main").build().unwrap();
        let config = WorkerConfig::new().with_poll_time_histogram(Scale::preset());
        let (pool, mut batches) = Pool::builder("render").workers(1).config(config).build().unwrap();
        let attachments =
            [workers.attach(TokioRuntime::new(runtime.handle())).unwrap(), workers.attach(pool).unwrap()];
        Self { wire, runtime, batch: batches.remove(0), polls: 0, _attachments: attachments }
    }

    /// The runtime gets a thousand tasks done, and the pool a thousand polls.
    fn work(&mut self) {
        self.runtime.block_on(async {
            for _ in 0..1_000 {
                tokio::spawn(tokio::task::yield_now()).await.unwrap();
            }
        });
        for _ in 0..1_000 {
            self.batch.start_poll();
            self.batch.end_poll();
        }
        self.polls += 1_000;
        self.batch.submit();
    }
}

/// The polls that arrived, once counter and histogram agree on them.
fn polls(state: &State) -> Option<i64> {
    let document = state.document();
    let counted = document.metric("worker_pool.worker.polls")?.points.first()?.value()?.as_i64()?;
    let timed = document.metric("worker_pool.task.poll.duration")?.points.first()?.histogram()?.count;
    (u64::try_from(counted) == Ok(timed)).then_some(counted)
}

#[test]
fn a_receiver_that_fails_hurts_nobody_and_gets_the_right_values_when_it_is_back() {
    let unavailable = Fault::Status { grpc: Code::Unavailable, http: 503, retry_after: None };
    let refused = Fault::Status { grpc: Code::InvalidArgument, http: 400, retry_after: None };
    for protocol in [Protocol::Grpc, Protocol::Http] {
        for fault in [Fault::Hang, unavailable.clone(), refused.clone(), Fault::Reset, Fault::Garbage] {
            let receiver = Receiver::start().unwrap();
            let mut observed = Observed::new(protocol, &receiver, Temporality::Cumulative, INTERVAL);
            observed.work();
            assert!(receiver.wait_until(PATIENCE, |state| polls(state) == Some(1_000)), "{protocol:?}");

            receiver.set_fault(fault.clone());
            let before = receiver.attempts();
            assert!(
                receiver.wait_until(PATIENCE, |state| state.attempts() > before),
                "{protocol:?} {fault:?}"
            );
            // The export fails or hangs just now, and the runtime works.
            for _ in 0..3 {
                observed.work();
            }
            receiver.set_fault(Fault::None);
            assert!(
                receiver.wait_until(PATIENCE, |state| polls(state) == Some(observed.polls)),
                "{protocol:?} {fault:?}: {:?}",
                receiver.snapshot().metric("worker_pool.worker.polls")
            );
        }
    }
}

#[test]
fn a_slow_receiver_gets_the_right_values() {
    for protocol in [Protocol::Grpc, Protocol::Http] {
        let receiver = Receiver::start().unwrap();
        receiver.set_fault(Fault::Delay(Duration::from_millis(100)));
        let mut observed = Observed::new(protocol, &receiver, Temporality::Cumulative, INTERVAL);
        observed.work();
        assert!(receiver.wait_until(PATIENCE, |state| polls(state) == Some(observed.polls)), "{protocol:?}");
    }
}

#[test]
fn a_receiver_that_is_down_gets_the_right_values_when_it_comes_up_again() {
    for protocol in [Protocol::Grpc, Protocol::Http] {
        let ports = (lasting_port(), lasting_port());
        let receiver = Receiver::builder().grpc_port(ports.0).http_port(ports.1).start().unwrap();
        let mut observed = Observed::new(protocol, &receiver, Temporality::Cumulative, INTERVAL);
        assert!(receiver.wait_for_exports(1, PATIENCE), "{protocol:?}");
        drop(receiver);
        for _ in 0..3 {
            observed.work();
        }
        assert!(observed.wire.provider.force_flush().is_err(), "{protocol:?}: nobody listens");

        let receiver = Receiver::builder().grpc_port(ports.0).http_port(ports.1).start().unwrap();
        assert!(receiver.wait_until(PATIENCE, |state| polls(state) == Some(observed.polls)), "{protocol:?}");
    }
}

#[test]
fn deltas_that_arrive_add_up() {
    for protocol in [Protocol::Grpc, Protocol::Http] {
        let receiver = Receiver::start().unwrap();
        let mut observed = Observed::new(protocol, &receiver, Temporality::Delta, INTERVAL);
        for round in 1..=3 {
            observed.work();
            assert!(
                receiver.wait_until(PATIENCE, |state| polls(state) == Some(round * 1_000)),
                "{protocol:?}"
            );
        }
    }
}

#[test]
fn shutting_the_provider_down_delivers_what_is_left() {
    for protocol in [Protocol::Grpc, Protocol::Http] {
        let receiver = Receiver::start().unwrap();
        let mut observed =
            Observed::new(protocol, &receiver, Temporality::Cumulative, Duration::from_secs(3_600));
        observed.work();
        observed.wire.provider.shutdown_with_timeout(PATIENCE).unwrap();
        assert!(receiver.wait_until(PATIENCE, |state| polls(state) == Some(1_000)), "{protocol:?}");
    }
}
