//! What becomes of an export when the receiver fails.

use std::thread;
use std::time::{Duration, Instant};

use otlp_receiver::{Answer, Code, Fault, Receiver, lasting_port};

use super::{Case, HOUR, PATIENCE, Program, SHORT, cases, protocols, receiver};
use crate::{Cause, Protocol};

fn status(grpc: Code, http: u16) -> Fault {
    Fault::Status { grpc, http, retry_after: None }
}

/// The cause of a failed export to a receiver with this fault, and how often it was sent. Once the
/// fault is gone, the next one arrives, with what the first has carried.
fn under(fault: &Fault, protocol: Protocol) -> (Cause, u64) {
    let what = format!("{protocol} {fault:?}");
    let receiver = receiver();
    let mut program = Program::new();
    let push = program.push(protocol, &receiver);
    program.poll();
    receiver.set_fault(fault.clone());
    let start = Instant::now();
    // Long enough for all retries, and short enough for what never answers.
    let error = push.force_flush_with_timeout(Duration::from_secs(1)).expect_err(&what);
    assert!(start.elapsed() < PATIENCE, "{what}: {:?}", start.elapsed());
    let attempts = receiver.attempts();
    assert_eq!(receiver.exports(), 0, "{what}");
    receiver.set_fault(Fault::None);
    program.poll();
    push.force_flush().expect(&what);
    assert_eq!(receiver.exports(), 1, "{what}");
    program.assert_delivered(&receiver, &what);
    (error.cause, attempts)
}

#[test]
fn a_receiver_that_does_not_answer_in_time_gets_the_request_once() {
    for protocol in protocols() {
        for fault in [Fault::Hang, Fault::Delay(HOUR)] {
            let (cause, attempts) = under(&fault, protocol);
            assert!(matches!(cause, Cause::Timeout(_)), "{protocol} {fault:?}: {cause:?}");
            assert_eq!(attempts, 1, "{protocol} {fault:?}");
        }
    }
}

#[test]
fn a_slow_receiver_that_answers_in_time_is_no_fault() {
    for protocol in protocols() {
        let receiver = receiver();
        let mut program = Program::new();
        program.poll();
        receiver.set_fault(Fault::Delay(Duration::from_millis(50)));
        let push = program.push(protocol, &receiver);
        push.force_flush().unwrap();
        assert_eq!(receiver.attempts(), 1, "{protocol}");
        program.assert_delivered(&receiver, &protocol.to_string());
    }
}

#[test]
fn what_the_specification_calls_retryable_is_sent_again_three_times() {
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
            let (cause, attempts) = under(&status(grpc, http), protocol);
            assert!(matches!(&cause, Cause::Unavailable { status, .. } if *status == name), "{cause:?}");
            assert_eq!(attempts, 4, "{protocol} {name}");
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
                Code::PermissionDenied,
                Code::Internal,
                Code::Unknown,
                Code::Unimplemented,
                Code::ResourceExhausted,
            ]
            .map(|code| (code, 503, format!("{code:?}")))
            .into(),
            Protocol::HttpProtobuf => [
                (301, "301 Moved Permanently"),
                (302, "302 Found"),
                (307, "307 Temporary Redirect"),
                (400, "400 Bad Request"),
                (401, "401 Unauthorized"),
                (404, "404 Not Found"),
                (413, "413 Payload Too Large"),
                (500, "500 Internal Server Error"),
            ]
            .map(|(http, name)| (Code::Unavailable, http, name.to_owned()))
            .into(),
        };
        for (grpc, http, name) in cases {
            let (cause, attempts) = under(&status(grpc, http), protocol);
            assert!(matches!(&cause, Cause::Refused { status, .. } if *status == name), "{cause:?}");
            assert_eq!(attempts, 1, "{protocol} {name}");
        }
    }
}

#[test]
fn a_redirect_is_not_followed() {
    let (elsewhere, receiver) = (receiver(), receiver());
    let program = Program::new();
    let answer = Answer::new(307).header("location", elsewhere.http_endpoint());
    receiver.set_fault(Fault::Answer(answer));
    let push = program.push(Protocol::HttpProtobuf, &receiver);
    let error = push.force_flush().unwrap_err();
    assert!(error.to_string().contains("redirects are not followed"), "{error}");
    assert_eq!(elsewhere.attempts(), 0);
}

#[test]
fn a_grpc_status_behind_a_success_of_http_is_a_refusal() {
    for protocol in protocols() {
        for (code, attempts) in [(Code::InvalidArgument, 1), (Code::Unavailable, 4)] {
            let fault = Fault::Answer(Answer::trailers_only(code, "not today"));
            let (cause, sent) = under(&fault, protocol);
            assert_eq!(sent, attempts, "{protocol} {code:?}");
            let said = match &cause {
                Cause::Refused { message, .. } | Cause::Unavailable { message, .. } => message,
                other => panic!("{protocol} {code:?}: {other:?}"),
            };
            assert_eq!(said, "not today", "{protocol} {code:?}");
        }
    }
}

#[cfg(feature = "grpc-tonic")]
#[test]
fn a_grpc_status_behind_a_message_is_a_refusal() {
    let (cause, attempts) =
        under(&Fault::Answer(Answer::message(b"", Code::InvalidArgument)), Protocol::Grpc);
    assert!(matches!(&cause, Cause::Refused { status, .. } if status == "InvalidArgument"), "{cause:?}");
    assert_eq!(attempts, 1);
}

#[test]
fn what_a_receiver_says_of_an_error_is_in_the_message() {
    for protocol in protocols() {
        let (cause, _) = under(&status(Code::InvalidArgument, 400), protocol);
        assert!(matches!(&cause, Cause::Refused { message, .. } if !message.is_empty()), "{cause:?}");
    }
    let answer = Answer::new(400).header("content-type", "text/plain").body("no  such\ntenant");
    let (cause, _) = under(&Fault::Answer(answer), Protocol::HttpProtobuf);
    assert!(matches!(&cause, Cause::Refused { message, .. } if message == "no such tenant"), "{cause:?}");
    let (cause, _) = under(&Fault::Answer(Answer::html(404)), Protocol::HttpProtobuf);
    assert!(matches!(&cause, Cause::Refused { message, .. } if message.is_empty()), "{cause:?}");
}

#[test]
fn a_receiver_that_recovers_in_time_gets_the_request_once() {
    for protocol in protocols() {
        let receiver = receiver();
        let mut program = Program::new();
        program.poll();
        receiver.set_faults([status(Code::Unavailable, 503), status(Code::Unavailable, 502)]);
        let push = program.push(protocol, &receiver);
        push.force_flush().unwrap();
        assert_eq!(receiver.exports(), 1, "{protocol}");
        program.assert_delivered(&receiver, &protocol.to_string());
    }
}

#[test]
fn a_connection_that_breaks_before_the_answer_is_an_error_and_goes_with_the_next_export() {
    for protocol in protocols() {
        for fault in [Fault::Reset, Fault::CloseBeforeReading] {
            let (cause, attempts) = under(&fault, protocol);
            assert!(matches!(cause, Cause::Broken(_)), "{protocol} {fault:?}: {cause:?}");
            assert!((1..=10).contains(&attempts), "{protocol} {fault:?}: {attempts}");
        }
    }
}

#[test]
fn a_receiver_that_nobody_runs_is_an_error_at_once_and_found_when_it_runs() {
    for protocol in protocols() {
        let port = lasting_port();
        let mut program = Program::new();
        let push = program.otlp(protocol, &format!("http://127.0.0.1:{port}/v1/metrics")).start().unwrap();
        program.poll();
        let start = Instant::now();
        let error = push.force_flush_with_timeout(HOUR).unwrap_err();
        assert!(start.elapsed() < PATIENCE, "{protocol}");
        let Cause::Unreachable(cause) = &error.cause else { panic!("{protocol}: {error:?}") };
        assert!(cause.contains("refused"), "{protocol}: {error:?}");

        let builder = Receiver::builder().keep_requests(true);
        let receiver = match protocol {
            Protocol::Grpc => builder.grpc_port(port),
            Protocol::HttpProtobuf => builder.http_port(port),
        };
        let receiver = receiver.start().unwrap();
        push.force_flush().unwrap();
        program.assert_delivered(&receiver, &protocol.to_string());
    }
}

#[test]
fn a_host_that_has_no_address_is_an_error_that_says_so() {
    for protocol in protocols() {
        let program = Program::new();
        let push = program.otlp(protocol, "http://nowhere.invalid:1/").start().unwrap();
        let error = push.force_flush().unwrap_err();
        // Behind some resolvers that takes for ever, or is refused.
        assert!(
            matches!(error.cause, Cause::UnknownHost(_) | Cause::Timeout(_) | Cause::Unreachable(_)),
            "{protocol}: {error:?}"
        );
    }
}

#[test]
fn no_timeout_is_too_long_for_the_clock() {
    for protocol in protocols() {
        let receiver = receiver();
        let program = Program::new();
        let otlp = program.otlp(protocol, &super::endpoint(protocol, &receiver));
        let push = otlp.with_timeout(Duration::MAX).start().unwrap();
        push.force_flush().unwrap();
        push.force_flush_with_timeout(Duration::MAX).unwrap();
    }
}

#[test]
fn an_export_that_is_given_up_leaves_the_next_one_free() {
    for Case { protocol, receiver, mut program, push } in cases() {
        program.poll();
        // What is cut off before its answer is due is not stored.
        receiver.set_fault(Fault::Delay(HOUR));
        for attempts in 1..=4 {
            push.force_flush_with_timeout(SHORT).unwrap_err();
            assert_eq!(receiver.attempts(), attempts, "{protocol}: no attempt waits for an earlier one");
        }
        receiver.set_fault(Fault::None);
        push.force_flush().unwrap();
        program.assert_delivered(&receiver, &protocol.to_string());
    }
}

#[test]
fn flushes_from_several_threads_count_nothing_twice() {
    for Case { protocol, receiver, mut program, push } in cases() {
        program.poll();
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| push.force_flush().unwrap());
            }
        });
        program.assert_delivered(&receiver, &protocol.to_string());
    }
}
