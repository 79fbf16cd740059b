//! Waits that a receiver asks for.

use std::time::{Duration, Instant};

use otlp_receiver::{Answer, Code, Fault};

use super::{Case, HOUR, PATIENCE, Program, cases, protocols, receiver};
use crate::{Cause, Protocol};

fn wait(retry_after: Duration) -> Fault {
    Fault::Status { grpc: Code::Unavailable, http: 503, retry_after: Some(retry_after) }
}

#[test]
fn a_wait_of_nothing_is_no_storm() {
    for protocol in protocols() {
        let mut faults = vec![wait(Duration::ZERO)];
        match protocol {
            // In whole seconds over HTTP, rounded up.
            Protocol::Grpc => faults.push(wait(Duration::from_millis(1))),
            Protocol::HttpProtobuf => {
                for after in ["0", "-1", "", "soon", "Wed, 21 Oct 2015 07:28:00 GMT"] {
                    for status in [429, 503] {
                        faults.push(Fault::Answer(Answer::new(status).header("retry-after", after)));
                    }
                }
            }
        }
        for fault in faults {
            let receiver = receiver();
            let mut program = Program::new();
            let push = program.push(protocol, &receiver);
            program.poll();
            receiver.set_fault(fault.clone());
            let error = push.force_flush_with_timeout(Duration::from_secs(2)).unwrap_err();
            assert!(matches!(error.cause, Cause::Unavailable { .. }), "{protocol} {fault:?}: {error:?}");
            let attempts = receiver.attempts();
            assert!((2..=10).contains(&attempts), "{protocol} {fault:?}: {attempts}");
            receiver.set_fault(Fault::None);
            push.force_flush().unwrap();
            program.assert_delivered(&receiver, &format!("{protocol} {fault:?}"));
        }
    }
}

#[test]
fn a_wait_within_the_timeout_is_kept() {
    let second = Duration::from_secs(1);
    for protocol in protocols() {
        let receiver = receiver();
        let mut program = Program::new();
        // With this code gRPC is sent again only because the receiver says when.
        let fault = Fault::Status { grpc: Code::ResourceExhausted, http: 429, retry_after: Some(second) };
        receiver.set_faults([fault]);
        program.poll();
        let start = Instant::now();
        let push = program.push(protocol, &receiver);
        push.force_flush().unwrap();
        assert!(start.elapsed() >= second, "{protocol}: {:?}", start.elapsed());
        assert_eq!(receiver.attempts(), 2, "{protocol}");
        program.assert_delivered(&receiver, &protocol.to_string());
    }
}

#[test]
fn a_wait_beyond_the_timeout_ends_the_export_at_once_and_is_remembered() {
    for protocol in protocols() {
        let mut faults = vec![wait(HOUR), wait(Duration::MAX)];
        if protocol == Protocol::HttpProtobuf {
            let date = httpdate::fmt_http_date(std::time::SystemTime::now() + HOUR);
            faults.push(Fault::Answer(Answer::new(503).header("retry-after", date)));
        }
        for fault in faults {
            let receiver = receiver();
            let program = Program::new();
            let push = program.push(protocol, &receiver);
            receiver.set_fault(fault.clone());
            let start = Instant::now();
            let error = push.force_flush().unwrap_err();
            assert!(matches!(error.cause, Cause::Unavailable { .. }), "{protocol}: {error:?}");
            receiver.set_fault(Fault::None);
            for _ in 0..3 {
                let error = push.force_flush().unwrap_err();
                let Cause::Throttled { wait } = error.cause else {
                    panic!("{protocol} {fault:?}: {error:?}")
                };
                // No longer than opentelemetry-otlp would wait.
                assert!(wait <= Duration::from_secs(600), "{protocol}: {wait:?}");
            }
            assert!(start.elapsed() < PATIENCE, "{protocol}");
            assert_eq!(receiver.attempts(), 1, "{protocol}");
        }
    }
}

#[test]
fn a_wait_that_is_not_over_is_kept_by_the_next_export_if_it_has_the_time() {
    let second = Duration::from_secs(1);
    for Case { protocol, receiver, mut program, push } in cases() {
        program.poll();
        receiver.set_faults([wait(second)]);
        let start = Instant::now();
        push.force_flush_with_timeout(second / 2).unwrap_err();
        push.force_flush_with_timeout(second / 10).unwrap_err();
        assert_eq!(receiver.attempts(), 1, "{protocol}");
        push.shutdown_with_timeout(PATIENCE).unwrap();
        assert!(start.elapsed() >= second, "{protocol}");
        assert_eq!(receiver.attempts(), 2, "{protocol}");
        program.assert_delivered(&receiver, &protocol.to_string());
    }
}

#[test]
fn a_wait_goes_for_every_request_of_an_export() {
    for protocol in protocols() {
        let receiver = receiver();
        let program = Program::with_workers(8);
        let endpoint = super::endpoint(protocol, &receiver);
        let push = program.otlp(protocol, &endpoint).with_request_limits(2, 100_000).start().unwrap();
        receiver.set_fault(wait(HOUR));
        push.force_flush().unwrap_err();
        assert_eq!(receiver.attempts(), 1, "{protocol}");
    }
}
