//! One deadline for an export, however many requests it has.

use std::time::{Duration, Instant};

use opentelemetry_sdk::metrics::Temporality;
use otlp_receiver::{Code, Fault};

use super::{Case, HOUR, PATIENCE, Program, cases, protocols, receiver};

const WORKERS: usize = 16;

#[test]
fn a_receiver_that_hangs_costs_one_timeout_for_any_number_of_requests() {
    let timeout = Duration::from_millis(500);
    for protocol in protocols() {
        for requests in [1, 4, 16] {
            let receiver = receiver();
            let mut program = Program::with_workers(WORKERS);
            let endpoint = super::endpoint(protocol, &receiver);
            let otlp = program.otlp(protocol, &endpoint).with_temporality(Temporality::Cumulative);
            program.poll();
            // As many points as there are, in so many requests or a few more.
            let probe = otlp.with_timeout(timeout).start().unwrap();
            probe.force_flush_with_timeout(PATIENCE).unwrap();
            let points: usize = receiver.snapshot().metrics.iter().map(|metric| metric.points.len()).sum();
            drop(probe);
            let otlp = program.otlp(protocol, &endpoint).with_header("other", "destination");
            let otlp = otlp.with_temporality(Temporality::Cumulative);
            let limit = points.div_ceil(requests);
            let push = otlp.with_timeout(timeout).with_request_limits(limit, 900_000).start().unwrap();
            let before = receiver.attempts();
            push.force_flush_with_timeout(PATIENCE).unwrap_or_else(|error| panic!("{protocol}: {error}"));
            let sent = receiver.attempts() - before;
            assert!((requests as u64..=2 * requests as u64 + 1).contains(&sent), "{sent}, not {requests}");

            for fault in [Fault::Hang, Fault::Delay(Duration::from_millis(200))] {
                receiver.set_fault(fault.clone());
                let start = Instant::now();
                // One request that is late is in time all the same.
                let outcome = push.force_flush_with_timeout(HOUR);
                let is_expected = outcome.is_err() || (requests == 1 && fault != Fault::Hang);
                assert!(is_expected, "{protocol} {requests} {fault:?}");
                let elapsed = start.elapsed();
                assert!(
                    elapsed < timeout + Duration::from_secs(1),
                    "{protocol} {requests} {fault:?}: {elapsed:?}"
                );
                receiver.set_fault(Fault::None);
            }
            push.force_flush_with_timeout(PATIENCE).unwrap();
        }
    }
}

#[test]
fn what_was_taken_before_the_deadline_is_not_sent_again() {
    for protocol in protocols() {
        let receiver = receiver();
        let mut program = Program::with_workers(WORKERS);
        let endpoint = super::endpoint(protocol, &receiver);
        let push = program.otlp(protocol, &endpoint).with_request_limits(3, 900_000).start().unwrap();
        program.poll();
        // The second of the requests and all after it: an outage takes the connection for all.
        let unavailable = Fault::Status { grpc: Code::Unavailable, http: 503, retry_after: None };
        receiver.set_faults(std::iter::once(Fault::None).chain(std::iter::repeat_n(unavailable, 4)));
        push.force_flush().unwrap_err();
        assert_eq!((receiver.attempts(), receiver.exports()), (5, 1), "{protocol}");
        push.force_flush().unwrap();
        program.assert_delivered(&receiver, &protocol.to_string());
    }
}

#[test]
fn a_request_that_is_refused_does_not_cost_the_others() {
    for protocol in protocols() {
        let receiver = receiver();
        let mut program = Program::with_workers(WORKERS);
        let endpoint = super::endpoint(protocol, &receiver);
        let push = program.otlp(protocol, &endpoint).with_request_limits(3, 900_000).start().unwrap();
        program.poll();
        receiver.set_faults([Fault::Status { grpc: Code::InvalidArgument, http: 400, retry_after: None }]);
        push.force_flush().unwrap_err();
        assert!(receiver.exports() > 3, "{protocol}");
        push.force_flush().unwrap();
        program.assert_delivered(&receiver, &protocol.to_string());
    }
}

#[test]
fn a_shutdown_takes_the_time_that_it_is_given() {
    for protocol in protocols() {
        let receiver = receiver();
        let program = Program::new();
        receiver.set_fault(Fault::Hang);
        // Given to the call, and to the builder.
        let push = program.push(protocol, &receiver);
        let start = Instant::now();
        push.shutdown_with_timeout(Duration::from_millis(200)).unwrap_err();
        assert!(start.elapsed() < Duration::from_secs(2), "{protocol}: {:?}", start.elapsed());
        assert!(push.shutdown().is_err(), "it is shut down already");
        let otlp = program.otlp(protocol, &super::endpoint(protocol, &receiver));
        let push = otlp.with_shutdown_timeout(Duration::from_millis(200)).start().unwrap();
        let start = Instant::now();
        drop(push);
        assert!(start.elapsed() < Duration::from_secs(2), "{protocol}: {:?}", start.elapsed());
    }
}

#[test]
fn a_shutdown_cuts_off_an_export_under_way() {
    for Case { protocol, receiver, mut program, push } in cases() {
        program.poll();
        receiver.set_fault(Fault::Hang);
        std::thread::scope(|scope| {
            let flush = scope.spawn(|| push.force_flush_with_timeout(PATIENCE));
            assert!(receiver.wait_until(PATIENCE, |state| state.attempts() == 1));
            receiver.set_faults([]);
            let start = Instant::now();
            push.shutdown_with_timeout(PATIENCE).unwrap();
            assert!(start.elapsed() < PATIENCE, "{protocol}");
            // It was answered, or cut off.
            let _ = flush.join().unwrap();
        });
        program.assert_delivered(&receiver, &protocol.to_string());
    }
}
