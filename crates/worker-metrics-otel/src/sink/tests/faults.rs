//! What becomes of a send when the receiver fails.

use std::thread;
use std::time::{Duration, Instant};

use otlp_receiver::{Code, Fault, Receiver, lasting_port};

use super::{PATIENCE, SHORT, from, protocols, send, sink};
use crate::sink::retry::{Again, Failure, until_acknowledged};
use crate::sink::{Protocol, SendError};

const HOUR: Duration = Duration::from_secs(3_600);

fn status(grpc: Code, http: u16, retry_after: Option<Duration>) -> Fault {
    Fault::Status { grpc, http, retry_after }
}

/// The error of a send to a receiver with this fault, and how often it was sent; once the fault is gone, the next one arrives.
fn under(fault: &Fault, protocol: Protocol) -> (SendError, u64) {
    let receiver = Receiver::start().unwrap();
    let sink = sink(protocol, &receiver, &[("TIMEOUT", SHORT)]);
    receiver.set_fault(fault.clone());
    let start = Instant::now();
    let error = send(&sink).unwrap_err();
    assert!(start.elapsed() < PATIENCE, "{protocol:?} {fault:?}: {:?}", start.elapsed());
    let attempts = receiver.attempts();
    receiver.set_fault(Fault::None);
    send(&sink.with_timeout(PATIENCE)).unwrap();
    assert_eq!(receiver.exports(), 1, "{protocol:?} {fault:?}");
    (error, attempts)
}

#[test]
fn a_receiver_that_does_not_answer_in_time_gets_the_request_once() {
    for protocol in protocols() {
        for fault in [Fault::Hang, Fault::Delay(HOUR)] {
            let (error, attempts) = under(&fault, protocol);
            assert_eq!(error, SendError::Timeout(Duration::from_millis(300)), "{protocol:?} {fault:?}");
            assert_eq!(attempts, 1, "{protocol:?} {fault:?}");
        }
    }
}

#[test]
fn a_slow_receiver_that_answers_in_time_is_no_fault() {
    for protocol in protocols() {
        let receiver = Receiver::start().unwrap();
        receiver.set_fault(Fault::Delay(Duration::from_millis(50)));
        send(&sink(protocol, &receiver, &[])).unwrap();
        assert_eq!(receiver.attempts(), 1, "{protocol:?}");
    }
}

#[test]
fn what_the_specification_calls_retryable_is_sent_again_until_the_timeout() {
    let codes = [
        Code::Cancelled,
        Code::DeadlineExceeded,
        Code::Aborted,
        Code::OutOfRange,
        Code::Unavailable,
        Code::DataLoss,
    ];
    for protocol in protocols() {
        let cases: Vec<_> = match protocol {
            Protocol::Grpc => codes.iter().map(|code| (*code, 500, format!("{code:?}"))).collect(),
            Protocol::HttpProtobuf => [
                (429, "429 Too Many Requests"),
                (502, "502 Bad Gateway"),
                (503, "503 Service Unavailable"),
                (504, "504 Gateway Timeout"),
            ]
            .map(|(http, name)| (Code::Internal, http, name.to_owned()))
            .into(),
        };
        for (grpc, http, name) in cases {
            let (error, attempts) = under(&status(grpc, http, None), protocol);
            assert!(matches!(&error, SendError::Unavailable { status, .. } if *status == name), "{error:?}");
            assert!(attempts > 1, "{protocol:?} {name}: {attempts}");
        }
    }
}

#[test]
fn everything_else_is_refused_and_not_sent_again() {
    for protocol in protocols() {
        let cases: Vec<_> = match protocol {
            // Resource exhausted may be retried only if the receiver says when.
            Protocol::Grpc => [
                Code::InvalidArgument,
                Code::Unauthenticated,
                Code::Internal,
                Code::Unknown,
                Code::Unimplemented,
                Code::ResourceExhausted,
            ]
            .map(|code| (code, 503, format!("{code:?}")))
            .into(),
            Protocol::HttpProtobuf => [
                (302, "302 Found"),
                (307, "307 Temporary Redirect"),
                (400, "400 Bad Request"),
                (401, "401 Unauthorized"),
                (404, "404 Not Found"),
                (500, "500 Internal Server Error"),
            ]
            .map(|(http, name)| (Code::Unavailable, http, name.to_owned()))
            .into(),
        };
        for (grpc, http, name) in cases {
            let (error, attempts) = under(&status(grpc, http, None), protocol);
            assert!(matches!(&error, SendError::Refused { status, .. } if *status == name), "{error:?}");
            assert_eq!(attempts, 1, "{protocol:?} {name}");
        }
    }
}

#[test]
fn a_receiver_that_recovers_in_time_gets_the_request() {
    for protocol in protocols() {
        let receiver = Receiver::start().unwrap();
        receiver.set_fault(status(Code::Unavailable, 503, None));
        let sink = sink(protocol, &receiver, &[]);
        thread::scope(|scope| {
            let sending = scope.spawn(|| send(&sink));
            assert!(receiver.wait_until(PATIENCE, |state| state.attempts() >= 2), "{protocol:?}");
            receiver.set_fault(Fault::None);
            sending.join().unwrap().unwrap();
        });
        assert_eq!(receiver.exports(), 1, "{protocol:?}");
    }
}

#[test]
fn the_wait_that_the_receiver_asks_for_is_kept() {
    // The receiver asks in whole seconds over HTTP.
    let wait = Duration::from_secs(1);
    for protocol in protocols() {
        let receiver = Receiver::start().unwrap();
        // With this code gRPC is sent again only because the receiver says when.
        receiver.set_fault(status(Code::ResourceExhausted, 429, Some(wait)));
        let sink = sink(protocol, &receiver, &[]);
        let start = Instant::now();
        thread::scope(|scope| {
            let sending = scope.spawn(|| send(&sink));
            assert!(receiver.wait_until(PATIENCE, |state| state.attempts() == 1), "{protocol:?}");
            receiver.set_fault(Fault::None);
            sending.join().unwrap().unwrap();
        });
        assert!(start.elapsed() >= wait, "{protocol:?}: {:?}", start.elapsed());
        assert_eq!(receiver.attempts(), 2, "{protocol:?}");
    }
}

#[test]
fn a_wait_beyond_the_timeout_ends_the_send_at_once() {
    for protocol in protocols() {
        let receiver = Receiver::start().unwrap();
        receiver.set_fault(status(Code::Unavailable, 503, Some(HOUR)));
        let start = Instant::now();
        let sink = sink(protocol, &receiver, &[]).with_timeout(HOUR / 2);
        assert!(matches!(send(&sink), Err(SendError::Unavailable { .. })), "{protocol:?}");
        assert!(start.elapsed() < PATIENCE, "{protocol:?}");
        assert_eq!(receiver.attempts(), 1, "{protocol:?}");
    }
}

#[test]
fn no_wait_and_no_timeout_is_too_long_for_the_clock() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let failure = || Failure { error: SendError::Answer, again: Again::After(Duration::MAX) };
    for timeout in [PATIENCE, Duration::MAX] {
        let outcome = runtime.block_on(until_acknowledged(timeout, || async { Err(failure()) }));
        assert_eq!(outcome.unwrap_err(), SendError::Answer);
    }
    for protocol in protocols() {
        let receiver = Receiver::start().unwrap();
        send(&sink(protocol, &receiver, &[]).with_timeout(Duration::MAX)).unwrap();
        let longest = u64::MAX.to_string();
        send(&sink(protocol, &receiver, &[("TIMEOUT", &longest)])).unwrap();
    }
}

#[test]
fn a_partial_success_is_told() {
    for protocol in protocols() {
        let receiver = Receiver::start().unwrap();
        receiver.set_fault(Fault::PartialSuccess { rejected: 2, message: "too old".to_owned() });
        let answer = send(&sink(protocol, &receiver, &[])).unwrap();
        assert_eq!((answer.rejected, answer.message.as_str()), (2, "too old"), "{protocol:?}");
        assert_eq!(receiver.attempts(), 1, "{protocol:?}");
    }
}

#[test]
fn an_answer_that_cannot_be_read_is_not_asked_for_again() {
    for protocol in protocols() {
        let (error, attempts) = under(&Fault::Garbage, protocol);
        match protocol {
            // tonic reports what it cannot read as an internal error.
            Protocol::Grpc => {
                assert!(
                    matches!(&error, SendError::Refused { status, .. } if status == "Internal"),
                    "{error:?}"
                );
            }
            Protocol::HttpProtobuf => assert_eq!(error, SendError::Answer),
        }
        assert_eq!(attempts, 1, "{protocol:?}");
    }
}

#[test]
fn a_connection_that_breaks_before_the_answer_is_not_tried_again() {
    for protocol in protocols() {
        let (error, attempts) = under(&Fault::Reset, protocol);
        assert!(matches!(error, SendError::Broken(_)), "{protocol:?}: {error:?}");
        assert_eq!(attempts, 1, "{protocol:?}");
    }
}

#[test]
fn a_receiver_that_nobody_runs_is_tried_until_it_runs() {
    for protocol in protocols() {
        let port = lasting_port();
        let endpoint = format!("http://127.0.0.1:{port}/v1/metrics");
        let short = from(protocol, &endpoint, &[("TIMEOUT", SHORT)]).unwrap();
        let start = Instant::now();
        let error = send(&short).unwrap_err();
        assert!(start.elapsed() < PATIENCE, "{protocol:?}");
        assert!(
            matches!(&error, SendError::Unreachable(cause) if cause.contains("refused")),
            "{protocol:?}: {error:?}"
        );

        let patient = short.with_timeout(PATIENCE);
        thread::scope(|scope| {
            let sending = scope.spawn(|| send(&patient));
            let builder = Receiver::builder();
            let receiver = match protocol {
                Protocol::Grpc => builder.grpc_port(port),
                Protocol::HttpProtobuf => builder.http_port(port),
            }
            .start()
            .unwrap();
            sending.join().unwrap().unwrap();
            assert_eq!(receiver.exports(), 1, "{protocol:?}");
        });
    }
}
