//! The exporter in a meter provider of the SDK, against a real receiver.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::time::{Duration, Instant};

use opentelemetry::metrics::MeterProvider;
use opentelemetry_sdk::metrics::{SdkMeterProvider, Temporality};
use otlp_receiver::{Code, Data, Fault, Receiver};
use worker_metrics::{Batch, Pool};

use crate::{Attachment, Instrumentation, Numbers, Options, Protocol, RetryPolicy};

const PATIENCE: Duration = Duration::from_secs(10);

/// A program whose own metrics and ours go to one receiver.
struct Program {
    provider: SdkMeterProvider,
    workers: Instrumentation,
    batch: Batch,
    receiver: Receiver,
    attached: Option<Attachment>,
}

fn program(protocol: Protocol) -> Program {
    let receiver = Receiver::builder().keep_requests(true).strict(true).start().unwrap();
    let endpoint = match protocol {
        Protocol::Grpc => receiver.grpc_endpoint(),
        Protocol::HttpProtobuf => receiver.http_endpoint(),
    };
    let workers = Instrumentation::new(Options::default().without_watchdog().with_numbers(Numbers::Otlp));
    let otlp = workers.otlp().with_endpoint(endpoint).with_protocol(protocol).with_timeout(PATIENCE / 10);
    let otlp = otlp.with_temporality(Temporality::Delta).with_retry_policy(RetryPolicy::disabled());
    let provider = SdkMeterProvider::builder().with_periodic_exporter(otlp.exporter().unwrap()).build();
    let (pool, batches) = Pool::builder("render").workers(1).build().unwrap();
    let attached = Some(workers.attach(pool).unwrap());
    Program { provider, workers, batch: batches.into_iter().next().unwrap(), receiver, attached }
}

impl Program {
    fn act(&mut self) {
        self.provider.meter("own").u64_counter("requests").build().add(1, &[]);
        self.batch.start_poll();
        self.batch.end_poll();
        self.batch.submit();
    }

    fn counted(&self, metric: &str) -> i64 {
        let count = |data: Option<Data>| match data {
            Some(Data::Number { value }) => value.as_i64().unwrap(),
            other => panic!("not a number: {other:?}"),
        };
        self.receiver.series(metric).iter().map(|series| count(series.total())).sum()
    }

    fn assert_counted(&self, times: i64, what: &str) {
        let counted = [self.counted("requests"), self.counted("worker_pool.worker.polls")];
        assert_eq!(counted, [times, times], "{what}");
        assert_eq!(self.receiver.violations(), [], "{what}");
    }
}

fn protocols() -> Vec<Protocol> {
    let all = [Protocol::Grpc, Protocol::HttpProtobuf];
    all.into_iter().filter(|protocol| protocol.available("").is_ok()).collect()
}

#[test]
fn the_programs_metrics_and_ours_are_one_request() {
    for protocol in protocols() {
        let mut program = program(protocol);
        for attempts in 1..=3 {
            program.act();
            program.provider.force_flush().unwrap();
            assert_eq!(program.receiver.attempts(), attempts, "{protocol}");
        }
        program.assert_counted(3, &protocol.to_string());
    }
}

#[test]
fn what_a_receiver_has_against_ours_does_not_cost_the_program_its_own() {
    for protocol in protocols() {
        let mut program = program(protocol);
        program.act();
        let refusal = Fault::Status { grpc: Code::InvalidArgument, http: 400, retry_after: None };
        program.receiver.set_faults([refusal]);
        program.provider.force_flush().unwrap();
        assert_eq!((program.receiver.attempts(), program.counted("requests")), (2, 1), "{protocol}");
        assert!(program.receiver.series("worker_pool.worker.polls").is_empty());
        assert!(program.workers.status().exports[0].last_error.is_some());
        // Ours go with the next.
        program.act();
        program.provider.force_flush().unwrap();
        program.assert_counted(2, &protocol.to_string());
    }
}

#[test]
fn a_failure_of_the_connection_is_the_error_of_the_flush_and_costs_one_timeout() {
    for protocol in protocols() {
        let mut program = program(protocol);
        program.act();
        program.receiver.set_fault(Fault::Hang);
        let start = Instant::now();
        program.provider.force_flush().unwrap_err();
        assert!(start.elapsed() < PATIENCE / 2, "{protocol}: {:?}", start.elapsed());
        assert_eq!(program.receiver.attempts(), 1, "{protocol}");
    }
}

#[test]
fn last_values_leave_at_the_shutdown_also_if_the_sdk_has_none() {
    for protocol in protocols() {
        let mut program = program(protocol);
        // The SDK calls no exporter without a value of its own.
        program.batch.start_poll();
        program.batch.end_poll();
        program.batch.submit();
        drop(program.attached.take());
        program.provider.shutdown().unwrap();
        assert_eq!(program.counted("worker_pool.worker.polls"), 1, "{protocol}");
        assert!(program.receiver.series("worker_pool.worker.polls").iter().all(|series| series.has_ended()));
    }
}

#[test]
fn a_provider_ends_on_a_runtime_and_in_a_task_without_a_panic() {
    for protocol in protocols() {
        let mut program = program(protocol);
        program.act();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let provider = program.provider.clone();
        runtime.block_on(async move {
            provider.force_flush().unwrap();
            tokio::spawn(async move { provider.shutdown().unwrap() }).await.unwrap();
        });
        program.assert_counted(1, &protocol.to_string());
    }
}
