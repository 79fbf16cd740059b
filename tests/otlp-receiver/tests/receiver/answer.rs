//! Answers made by hand, lost ones and oversized ones, and a script of them.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use flate2::read::GzDecoder;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use otlp_receiver::{Answer, Code, Fault, Receiver};
use prost::Message;
use tonic_types::StatusExt;

use crate::{
    message::{gauge, metric, number, of},
    peer::{LONG, Rpc, post, post_request, runtime},
};

const HOUR: Duration = Duration::from_secs(3600);

fn some_request() -> ExportMetricsServiceRequest {
    of(vec![metric("test.gauge", gauge(vec![number(vec![], 1, 1)]))])
}

/// Posts a request without following redirects or decompressing; the response is not read yet.
fn raw_post(receiver: &Receiver) -> reqwest::Result<reqwest::blocking::Response> {
    let client = reqwest::blocking::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
    let client = client.timeout(Duration::from_millis(500)).build().unwrap();
    let request = client.post(receiver.http_endpoint()).header("content-type", "application/x-protobuf");
    request.body(some_request().encode_to_vec()).send()
}

#[test]
fn an_answer_arrives_with_status_headers_and_body_and_2xx_stores_the_request() {
    let receiver = Receiver::start().unwrap();
    let soon = "Wed, 21 Oct 2099 07:28:00 GMT";
    let cases = [
        (Answer::new(200), 1),
        (Answer::new(200).header("content-type", "application/json").body("{}"), 1),
        (Answer::new(202).body("OK"), 1),
        (Answer::new(204), 1),
        (Answer::html(200), 1),
        (Answer::trailers_only(Code::Ok, ""), 1),
        (Answer::trailers_only(Code::Unavailable, "later"), 0),
        (Answer::new(307).header("location", "http://127.0.0.1:1/elsewhere"), 0),
        (Answer::new(429).header("retry-after", "0"), 0),
        (Answer::new(503).header("retry-after", soon), 0),
        (Answer::new(503).header("retry-after", b"\xff soon".to_vec()), 0),
        (Answer::html(502), 0),
    ];
    for (answer, stored) in cases {
        let before = receiver.exports();
        receiver.set_fault(Fault::Answer(answer.clone()));
        let response = raw_post(&receiver).unwrap();
        assert_eq!(receiver.exports() - before, stored, "{answer:?}");
        let mut seen = Answer::new(response.status().as_u16());
        for (name, value) in response.headers() {
            if !["date", "content-length"].contains(&name.as_str()) {
                seen = seen.header(name.as_str(), value.as_bytes());
            }
        }
        assert_eq!(seen.body(response.bytes().unwrap()), answer);
    }
    assert_eq!(receiver.attempts(), 12);
}

#[test]
fn a_gzip_body_says_so_and_holds_the_bytes() {
    let receiver = Receiver::start().unwrap();
    receiver.set_fault(Fault::Answer(Answer::new(200).gzip_body("{}")));
    let response = raw_post(&receiver).unwrap();
    assert_eq!(response.headers()["content-encoding"], "gzip");
    let mut body = String::new();
    GzDecoder::new(&*response.bytes().unwrap()).read_to_string(&mut body).unwrap();
    assert_eq!(body, "{}");
}

#[test]
fn an_answer_that_http_cannot_carry_is_a_500_and_stores_nothing() {
    let receiver = Receiver::start().unwrap();
    for answer in [
        Answer::new(100),
        Answer::new(42),
        Answer::new(200).header("no name", ""),
        Answer::new(200).header("a", "\r\n"),
    ] {
        assert!(!answer.is_acceptance());
        receiver.set_fault(Fault::Answer(answer));
        assert_eq!(raw_post(&receiver).unwrap().status(), 500);
    }
    assert_eq!((receiver.attempts(), receiver.exports()), (4, 0));
}

#[test]
fn a_grpc_peer_sees_statuses_in_headers_in_trailers_and_none() {
    let receiver = Receiver::start().unwrap();
    let rpc = Rpc::new(&receiver);
    let see = |answer: Answer| {
        let before = receiver.exports();
        receiver.set_fault(Fault::Answer(answer));
        let outcome = rpc.export(some_request());
        (outcome.map_err(|status| status.code()), receiver.exports() - before)
    };
    let taken = Ok(Default::default());
    assert_eq!(see(Answer::message(&[], Code::Ok)), (taken, 1));
    assert_eq!(see(Answer::message(&[], Code::Aborted)), (Err(Code::Aborted), 0));
    assert_eq!(see(Answer::trailers_only(Code::DataLoss, "lost")), (Err(Code::DataLoss), 0));
    assert_eq!(see(Answer::new(502)), (Err(Code::Unavailable), 0));
    // The peer takes the page for a message.
    assert_eq!(see(Answer::html(502)), (Err(Code::Internal), 0));
    // The peer finds no message; but the receiver said that it took the request.
    let (outcome, stored) = see(Answer::trailers_only(Code::Ok, ""));
    assert!(outcome.is_err());
    assert_eq!(stored, 1);
    assert_eq!(see(Answer::html(200)).1, 1);
    let trailer = Answer::new(200).header("content-type", "application/grpc").trailer("grpc-status", "8");
    assert_eq!(see(trailer), (Err(Code::ResourceExhausted), 0));
}

#[test]
fn a_request_that_is_not_valid_is_refused_whatever_the_answer() {
    let receiver = Receiver::start().unwrap();
    let headers = [("content-type", "application/x-protobuf")];
    for fault in [Fault::Answer(Answer::new(200)), Fault::CloseAfterStoring, Fault::EndlessBody] {
        receiver.set_fault(fault);
        assert_eq!(post(&receiver.http_endpoint(), &headers, vec![0xff]).status, 400);
    }
    assert_eq!((receiver.attempts(), receiver.exports()), (3, 0));
}

#[test]
fn the_shortest_waits_are_sent_as_retry_info() {
    let receiver = Receiver::start().unwrap();
    let rpc = Rpc::new(&receiver);
    for wait in [Duration::ZERO, Duration::from_millis(1), HOUR] {
        receiver.set_fault(Fault::Status { grpc: Code::Unavailable, http: 503, retry_after: Some(wait) });
        let status = rpc.export(some_request()).unwrap_err();
        assert_eq!(status.get_details_retry_info().unwrap().retry_delay, Some(wait));
    }
}

/// What a peer reads of an answer until the connection ends or nothing comes for a moment.
fn read_answer(receiver: &Receiver) -> Result<Vec<u8>, Vec<u8>> {
    let body = some_request().encode_to_vec();
    let head = format!(
        "POST /v1/metrics HTTP/1.1\r\nhost: test\r\ncontent-type: application/x-protobuf\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let mut stream = TcpStream::connect(("127.0.0.1", receiver.http_port())).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    // The connection may be closed while this is written.
    _ = stream.write_all(&[head.as_bytes(), &body].concat());
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Ok(_) => Ok(answer),
        Err(_) => Err(answer),
    }
}

#[test]
fn a_connection_is_closed_before_the_request_is_read_or_after_it_is_stored() {
    for (fault, stored) in [(Fault::CloseBeforeReading, 0), (Fault::CloseAfterStoring, 1)] {
        let receiver = Receiver::start().unwrap();
        receiver.set_faults([fault.clone(), fault]);
        let (Ok(answer) | Err(answer)) = read_answer(&receiver);
        assert_eq!(answer, b"");
        assert_eq!((receiver.attempts(), receiver.exports()), (1, stored));
        let status = Rpc::new(&receiver).export(some_request()).unwrap_err();
        assert!(
            status.message().contains("transport error") || status.code() == Code::Unavailable,
            "{status}"
        );
        assert_eq!((receiver.attempts(), receiver.exports()), (2, 2 * stored));
    }
}

#[test]
fn a_request_whose_body_is_still_to_come_is_closed_before_it_is_read() {
    let receiver = Receiver::start().unwrap();
    receiver.set_fault(Fault::CloseBeforeReading);
    let mut stream = TcpStream::connect(("127.0.0.1", receiver.http_port())).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    stream.write_all(b"POST /v1/metrics HTTP/1.1\r\nhost: test\r\ncontent-length: 1000\r\n\r\n").unwrap();
    assert_eq!(stream.read(&mut [0]).unwrap(), 0);
}

#[test]
fn an_endless_body_drips_and_holds_a_peer_until_its_timeout() {
    let receiver = Receiver::start().unwrap();
    receiver.set_fault(Fault::EndlessBody);
    let mut response = raw_post(&receiver).unwrap();
    assert_eq!((response.status().as_u16(), receiver.exports()), (200, 1));
    let begun = Instant::now();
    let mut body = [1; 11];
    response.read_exact(&mut body).unwrap();
    assert_eq!(body, [0; 11]);
    assert!(begun.elapsed() >= Duration::from_millis(80), "the bytes drip");
    drop(response);

    let mut request = tonic::Request::new(some_request());
    request.set_timeout(Duration::from_millis(200));
    let rpc = runtime();
    let status = rpc.block_on(async {
        let channel = tonic::transport::Endpoint::new(receiver.grpc_endpoint()).unwrap().connect().await.unwrap();
        let mut client = opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_client::MetricsServiceClient::new(channel);
        tokio::time::timeout(Duration::from_millis(300), client.export(request)).await
    });
    assert!(!matches!(status, Ok(Ok(_))), "{status:?}");
    assert_eq!(receiver.exports(), 2);
}

#[test]
fn a_huge_body_has_its_size() {
    let receiver = Receiver::start().unwrap();
    let size = 40 << 20;
    receiver.set_fault(Fault::HugeBody(size));
    let answer = post_request(&receiver, &some_request());
    assert_eq!((answer.status, answer.body.len()), (200, size));
    assert_eq!(receiver.exports(), 1);
    // Above what tonic reads, 4 MiB.
    let status = Rpc::new(&receiver).export(some_request()).unwrap_err();
    assert_eq!(status.code(), Code::OutOfRange, "{status}");
    assert_eq!(receiver.exports(), 2);
    receiver.set_fault(Fault::HugeBody(0));
    Rpc::new(&receiver).export(some_request()).unwrap();
}

#[test]
fn huge_headers_have_their_size() {
    let receiver = Receiver::start().unwrap();
    receiver.set_fault(Fault::HugeHeaders(100_000));
    let response = raw_post(&receiver).unwrap();
    assert_eq!(response.headers()["x-huge"].len(), 100_000);
    receiver.set_fault(Fault::HugeHeaders(1 << 20));
    raw_post(&receiver).expect_err("hyper reads no more than about 400 kB");
    assert_eq!(receiver.exports(), 2);
    Rpc::new(&receiver).export(some_request()).unwrap_err();
    assert_eq!(receiver.exports(), 3);
}

#[test]
fn each_request_of_a_script_meets_its_own_fault_and_later_ones_none() {
    let receiver = Receiver::start().unwrap();
    let status = |http| Fault::Status { grpc: Code::Unavailable, http, retry_after: None };
    receiver.set_faults([status(503), Fault::None, Fault::CloseAfterStoring, status(429)]);
    assert_eq!(post_request(&receiver, &some_request()).status, 503);
    // Both ports share the script.
    let rpc = Rpc::new(&receiver);
    rpc.export(some_request()).unwrap();
    rpc.export(some_request()).unwrap_err();
    assert_eq!(post_request(&receiver, &some_request()).status, 429);
    for _ in 0..3 {
        assert_eq!(post_request(&receiver, &some_request()).status, 200);
    }
    assert_eq!((receiver.attempts(), receiver.exports()), (7, 5));

    receiver.set_faults([status(503), status(503)]);
    receiver.set_fault(Fault::None);
    assert_eq!(post_request(&receiver, &some_request()).status, 200, "the script is replaced");
}

#[test]
fn a_script_that_hangs_holds_one_request_and_lets_the_next_through() {
    let receiver = Receiver::start().unwrap();
    receiver.set_faults([Fault::Hang]);
    std::thread::scope(|scope| {
        let held = scope.spawn(|| post_request(&receiver, &some_request()).status);
        assert!(receiver.wait_until(LONG, |state| state.attempts() == 1));
        assert_eq!(post_request(&receiver, &some_request()).status, 200);
        assert!(!held.is_finished());
        receiver.set_faults([]);
        assert_eq!(held.join().unwrap(), 503);
    });
    assert_eq!((receiver.attempts(), receiver.exports()), (2, 1));
}
