//! Each fault is what a peer sees.

use std::{
    io::{Read, Write},
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

use opentelemetry::metrics::MeterProvider;
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsPartialSuccess, ExportMetricsServiceResponse,
};
use otlp_receiver::{Code, Fault, Protocol, Receiver};
use prost::Message;
use tonic_types::StatusExt;

use crate::{
    message::{gauge, metric, number, of},
    peer::{BOTH, LONG, Options, Pipeline, Rpc, post_request},
};

fn some_request() -> opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest {
    of(vec![metric("test.gauge", gauge(vec![number(vec![], 1, 1)]))])
}

/// What the SDK's exporter reports with this fault, and then without it.
fn exporter_sees(fault: Fault, options: Options) -> Result<(), String> {
    let receiver = Receiver::start().unwrap();
    let pipeline = Pipeline::new(&receiver, options);
    pipeline.provider.meter("test").u64_counter("test.counter").build().add(1, &[]);
    receiver.set_fault(fault);
    let outcome = pipeline.export();
    assert_eq!(receiver.attempts(), 1);
    assert_eq!(receiver.exports(), u64::from(outcome.is_ok()));
    assert_eq!(receiver.snapshot().metric("test.counter").is_some(), outcome.is_ok());
    receiver.set_fault(Fault::None);
    pipeline.export().expect("without the fault the same exporter gets through");
    assert!(receiver.snapshot().metric("test.counter").is_some());
    outcome
}

#[test]
fn an_exporter_that_meets_a_hang_runs_into_its_timeout() {
    for protocol in BOTH {
        let timeout = Duration::from_millis(200);
        let begun = Instant::now();
        let error = exporter_sees(Fault::Hang, Options { timeout, ..Options::new(protocol) }).unwrap_err();
        assert!(begun.elapsed() >= timeout);
        let expected = match protocol {
            Protocol::Grpc => "Timeout expired",
            Protocol::Http => "network error",
        };
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn a_request_that_waits_when_a_hang_ends_is_refused_as_unavailable_and_not_stored() {
    let delayed = Fault::Delay(Duration::from_secs(3600));
    for (protocol, after) in
        BOTH.into_iter().flat_map(|protocol| [(protocol, Fault::None), (protocol, delayed.clone())])
    {
        let receiver = Receiver::start().unwrap();
        receiver.set_fault(Fault::Hang);
        thread::scope(|scope| {
            let peer = scope.spawn(|| match protocol {
                Protocol::Grpc => {
                    Rpc::new(&receiver).export(some_request()).unwrap_err().code() == Code::Unavailable
                }
                Protocol::Http => post_request(&receiver, &some_request()).status == 503,
            });
            assert!(receiver.wait_until(LONG, |state| state.attempts() == 1));
            receiver.set_fault(Fault::Hang);
            receiver.set_fault(after);
            assert!(peer.join().unwrap());
        });
        assert_eq!((receiver.exports(), receiver.attempts()), (0, 1));
    }
}

#[test]
fn a_delay_is_waited_for_and_the_request_is_stored() {
    for protocol in BOTH {
        let delay = Duration::from_millis(150);
        let receiver = Receiver::start().unwrap();
        let pipeline = Pipeline::new(&receiver, Options::new(protocol));
        pipeline.provider.meter("test").u64_counter("test.counter").build().add(1, &[]);
        receiver.set_fault(Fault::Delay(delay));
        let begun = Instant::now();
        pipeline.export().unwrap();
        assert!(begun.elapsed() >= delay);
        assert_eq!(receiver.exports(), 1);
        receiver.set_fault(Fault::None);
    }
}

#[test]
fn a_request_that_its_peer_closed_during_a_delay_is_not_stored() {
    let receiver = Receiver::start().unwrap();
    receiver.set_fault(Fault::Delay(Duration::from_millis(150)));
    let body = some_request().encode_to_vec();
    let head = format!(
        "POST /v1/metrics HTTP/1.1\r\nhost: test\r\ncontent-type: application/x-protobuf\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let mut stream = TcpStream::connect(("127.0.0.1", receiver.http_port())).unwrap();
    stream.write_all(&[head.as_bytes(), &body].concat()).unwrap();
    assert!(receiver.wait_until(LONG, |state| state.attempts() == 1));
    drop(stream);
    // Its delay begins later, and so ends later.
    assert_eq!(post_request(&receiver, &some_request()).status, 200);
    assert_eq!((receiver.attempts(), receiver.exports()), (2, 1));
}

#[test]
fn an_exporter_reports_the_status_that_was_set() {
    let refused = Fault::Status { grpc: Code::PermissionDenied, http: 403, retry_after: None };
    let grpc = exporter_sees(refused.clone(), Options::new(Protocol::Grpc)).unwrap_err();
    assert!(grpc.contains("PermissionDenied"), "{grpc}");
    let http = exporter_sees(refused, Options::new(Protocol::Http)).unwrap_err();
    assert!(http.contains("403"), "{http}");
}

#[test]
fn a_status_tells_when_to_come_back() {
    let receiver = Receiver::start().unwrap();
    let delay = Duration::from_millis(1500);
    receiver.set_fault(Fault::Status { grpc: Code::Unavailable, http: 503, retry_after: Some(delay) });

    let status = Rpc::new(&receiver).export(some_request()).unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(status.get_details_retry_info().unwrap().retry_delay, Some(delay));

    let answer = post_request(&receiver, &some_request());
    assert_eq!((answer.status, answer.retry_after.as_deref()), (503, Some("2")));
    assert_eq!(answer.refusal().code, i32::from(Code::Unavailable));

    receiver.set_fault(Fault::Status { grpc: Code::Unavailable, http: 429, retry_after: None });
    let status = Rpc::new(&receiver).export(some_request()).unwrap_err();
    assert!(status.get_details_retry_info().is_none());
    let answer = post_request(&receiver, &some_request());
    assert_eq!((answer.status, answer.retry_after), (429, None));

    for no_answer in [42, 100] {
        receiver.set_fault(Fault::Status { grpc: Code::Unavailable, http: no_answer, retry_after: None });
        assert_eq!(post_request(&receiver, &some_request()).status, 500);
    }
    assert_eq!((receiver.attempts(), receiver.exports()), (6, 0));
}

#[test]
fn a_partial_success_is_reported_and_stored() {
    let receiver = Receiver::start().unwrap();
    receiver.set_fault(Fault::PartialSuccess { rejected: 3, message: "too old".to_owned() });
    let expected = ExportMetricsServiceResponse {
        partial_success: Some(ExportMetricsPartialSuccess {
            rejected_data_points: 3,
            error_message: "too old".to_owned(),
        }),
    };
    assert_eq!(Rpc::new(&receiver).export(some_request()).unwrap(), expected);
    let answer = post_request(&receiver, &some_request());
    assert_eq!(answer.status, 200);
    assert_eq!(ExportMetricsServiceResponse::decode(&*answer.body).unwrap(), expected);
    assert_eq!((receiver.attempts(), receiver.exports()), (2, 2));
    assert!(receiver.snapshot().metric("test.gauge").is_some());
}

#[test]
fn an_exporter_takes_a_partial_success_for_a_success() {
    for protocol in BOTH {
        let partial = Fault::PartialSuccess { rejected: 1, message: "no".to_owned() };
        assert_eq!(exporter_sees(partial, Options::new(protocol)), Ok(()));
    }
}

#[test]
fn garbage_is_a_success_that_cannot_be_decoded() {
    let receiver = Receiver::start().unwrap();
    receiver.set_fault(Fault::Garbage);
    let status = Rpc::new(&receiver).export(some_request()).unwrap_err();
    assert_eq!(status.code(), Code::Internal);
    assert!(status.message().contains("decode"), "{status}");
    let answer = post_request(&receiver, &some_request());
    assert_eq!(answer.status, 200);
    assert!(ExportMetricsServiceResponse::decode(&*answer.body).is_err());
    assert_eq!((receiver.attempts(), receiver.exports()), (2, 0));

    let error = exporter_sees(Fault::Garbage, Options::new(Protocol::Grpc)).unwrap_err();
    assert!(error.contains("Internal"), "{error}");
}

#[test]
fn a_reset_closes_the_connection_without_an_answer() {
    for protocol in BOTH {
        let error = exporter_sees(Fault::Reset, Options::new(protocol)).unwrap_err();
        let expected = match protocol {
            Protocol::Grpc => "transport error",
            Protocol::Http => "network error",
        };
        assert!(error.contains(expected), "{error}");
    }

    let receiver = Receiver::start().unwrap();
    receiver.set_fault(Fault::Reset);
    let mut stream = TcpStream::connect(("127.0.0.1", receiver.http_port())).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    stream.write_all(b"POST /v1/metrics HTTP/1.1\r\nhost: test\r\ncontent-length: 0\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    assert_eq!(answer, b"");
    assert_eq!((receiver.attempts(), receiver.exports()), (1, 0));
}

#[test]
fn a_hang_does_not_keep_the_receiver_from_stopping() {
    let receiver = Receiver::start().unwrap();
    receiver.set_fault(Fault::Hang);
    let mut stream = TcpStream::connect(("127.0.0.1", receiver.http_port())).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    stream.write_all(b"POST /v1/metrics HTTP/1.1\r\nhost: test\r\ncontent-length: 0\r\n\r\n").unwrap();
    assert!(receiver.wait_until(LONG, |state| state.attempts() == 1));
    drop(receiver);
    assert_eq!(stream.read(&mut [0]).unwrap(), 0, "the connection is closed without an answer");
}
