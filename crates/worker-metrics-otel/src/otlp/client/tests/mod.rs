//! The facts of the client, against a real receiver, and what their tests share.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod answers;
mod deadline;
mod faults;
mod given;
mod life;
mod network;
mod secrets;
mod throttling;
#[cfg(feature = "tls")]
mod tls;
mod wire;

use std::time::Duration;

use opentelemetry_sdk::metrics::Temporality;
use otlp_receiver::{Data, Receiver};
use worker_metrics::{Batch, Pool};

use crate::{Attachment, Instrumentation, Options, Otlp, Protocol, Push, RetryPolicy};

/// So long may a machine take for what it does at once, before a test fails.
const PATIENCE: Duration = Duration::from_secs(10);

/// The timeout of an export that is to fail.
const SHORT: Duration = Duration::from_millis(300);

const HOUR: Duration = Duration::from_secs(3_600);

const POLLS: &str = "worker_pool.worker.polls";

/// Those that are compiled in.
fn protocols() -> Vec<Protocol> {
    let all = [Protocol::Grpc, Protocol::HttpProtobuf];
    let compiled_in: Vec<_> = all.into_iter().filter(|protocol| protocol.available("").is_ok()).collect();
    assert!(!compiled_in.is_empty());
    compiled_in
}

fn endpoint(protocol: Protocol, receiver: &Receiver) -> String {
    match protocol {
        Protocol::Grpc => receiver.grpc_endpoint(),
        Protocol::HttpProtobuf => receiver.http_endpoint(),
    }
}

fn receiver() -> Receiver {
    Receiver::builder().keep_requests(true).strict(true).start().unwrap()
}

/// A program that pushes to a receiver, over one protocol.
struct Case {
    protocol: Protocol,
    receiver: Receiver,
    program: Program,
    push: Push,
}

/// One for each protocol.
fn cases() -> impl Iterator<Item = Case> {
    protocols().into_iter().map(|protocol| {
        let (receiver, program) = (receiver(), Program::new());
        let push = program.push(protocol, &receiver);
        Case { protocol, receiver, program, push }
    })
}

/// An instrumentation with one pool, whose polls are counted.
struct Program {
    workers: Instrumentation,
    batch: Batch,
    polls: u64,
    _attached: Attachment,
}

impl Program {
    fn new() -> Self {
        Self::with_workers(1)
    }

    /// Of several workers only the first polls.
    fn with_workers(count: usize) -> Self {
        let workers = Instrumentation::new(Options::default().without_watchdog());
        let (pool, batches) = Pool::builder("render").workers(count).build().unwrap();
        let attached = workers.attach(pool).unwrap();
        Self { workers, batch: batches.into_iter().next().unwrap(), polls: 0, _attached: attached }
    }

    fn poll(&mut self) {
        self.batch.start_poll();
        self.batch.end_poll();
        self.batch.submit();
        self.polls += 1;
    }

    /// Deltas, exported on request alone, and sent again after no more than a blink.
    fn otlp(&self, protocol: Protocol, endpoint: &str) -> Otlp {
        let retries = RetryPolicy::default()
            .with_initial_delay(Duration::from_millis(5))
            .with_max_jitter(Duration::ZERO);
        self.workers
            .otlp()
            .with_endpoint(endpoint)
            .with_protocol(protocol)
            .with_temporality(Temporality::Delta)
            .with_retry_policy(retries)
            .with_timeout(PATIENCE)
            .with_shutdown_timeout(SHORT)
            .with_interval(HOUR)
    }

    fn push(&self, protocol: Protocol, receiver: &Receiver) -> Push {
        self.otlp(protocol, &endpoint(protocol, receiver)).start().unwrap()
    }

    /// Each poll has arrived once.
    #[track_caller]
    fn assert_delivered(&self, receiver: &Receiver, what: &str) {
        assert!(self.polls > 0);
        assert_eq!(counted(receiver), self.polls, "{what}");
        assert_eq!(receiver.violations(), [], "{what}");
    }
}

/// The polls that a receiver has counted.
fn counted(receiver: &Receiver) -> u64 {
    let count = |data: Option<Data>| match data {
        Some(Data::Number { value }) => value.as_i64().and_then(|count| u64::try_from(count).ok()).unwrap(),
        None => 0,
        other => panic!("not a number: {other:?}"),
    };
    receiver.series(POLLS).iter().map(|series| count(series.total())).sum()
}
