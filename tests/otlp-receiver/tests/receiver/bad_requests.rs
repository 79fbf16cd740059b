//! What is no valid request is refused as OTLP wants it, counted, and not stored.

use std::io::Write;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use otlp_receiver::{Code, Receiver};
use prost::Message;

use crate::{
    message::{gauge, metric, number, of},
    peer::{Rpc, post},
};

const PROTOBUF: (&str, &str) = ("content-type", "application/x-protobuf");

fn body() -> Vec<u8> {
    of(vec![metric("test.gauge", gauge(vec![number(vec![], 1, 1)]))]).encode_to_vec()
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

/// The status of an answer to a post with these headers and this body, which is refused and not
/// stored.
fn refused(headers: &[(&str, &str)], body: Vec<u8>) -> u16 {
    let receiver = Receiver::start().unwrap();
    let answer = post(&receiver.http_endpoint(), headers, body);
    assert!(!answer.refusal().message.is_empty());
    assert_eq!((receiver.attempts(), receiver.exports()), (1, 0));
    assert_eq!(receiver.snapshot().metrics, []);
    answer.status
}

#[test]
fn another_content_type_gets_415() {
    assert_eq!(refused(&[("content-type", "application/json")], body()), 415);
    assert_eq!(refused(&[], body()), 415);
}

#[test]
fn parameters_of_the_content_type_are_ignored() {
    let receiver = Receiver::start().unwrap();
    let headers = [("content-type", "Application/X-Protobuf; charset=utf-8")];
    assert_eq!(post(&receiver.http_endpoint(), &headers, body()).status, 200);
    assert_eq!(receiver.exports(), 1);
}

#[test]
fn another_content_encoding_gets_415() {
    assert_eq!(refused(&[PROTOBUF, ("content-encoding", "br")], body()), 415);
}

#[test]
fn garbage_gets_400() {
    assert_eq!(refused(&[PROTOBUF], vec![0xff; 20]), 400);
    let mut cut = body();
    cut.pop();
    assert_eq!(refused(&[PROTOBUF], cut), 400);
    assert_eq!(refused(&[PROTOBUF, ("content-encoding", "gzip")], body()), 400);
    assert_eq!(refused(&[PROTOBUF, ("content-encoding", "zstd")], body()), 400);
    assert_eq!(refused(&[PROTOBUF, ("content-encoding", "gzip")], gzip(&[0xff; 20])), 400);
}

#[test]
fn a_body_that_is_too_large_gets_413_before_and_after_decompression() {
    let large = vec![0; (16 << 20) + 1];
    assert_eq!(refused(&[PROTOBUF, ("content-encoding", "gzip")], gzip(&large)), 413);
    assert_eq!(refused(&[PROTOBUF], large), 413);
}

#[test]
fn a_body_of_several_megabytes_is_accepted() {
    let receiver = Receiver::start().unwrap();
    let mut request = of(vec![metric("test.gauge", gauge(vec![number(vec![], 1, 1)]))]);
    request.resource_metrics[0].schema_url = "x".repeat(5 << 20);
    assert!(request.encoded_len() > 4 << 20, "more than tonic's and axum's own limits");
    Rpc::new(&receiver).export(request.clone()).unwrap();
    assert_eq!(post(&receiver.http_endpoint(), &[PROTOBUF], request.encode_to_vec()).status, 200);
    assert_eq!(receiver.exports(), 2);
}

#[test]
fn other_paths_and_methods_are_refused() {
    let receiver = Receiver::start().unwrap();
    let traces = format!("{}/v1/traces", receiver.http_base());
    assert_eq!(post(&traces, &[PROTOBUF], body()).status, 404);
    let get = crate::peer::http_client(crate::peer::LONG).get(receiver.http_endpoint()).send().unwrap();
    assert_eq!(get.status().as_u16(), 405);
    assert_eq!((receiver.attempts(), receiver.exports()), (2, 0));
}

#[test]
fn an_empty_request_is_accepted() {
    let receiver = Receiver::start().unwrap();
    assert_eq!(post(&receiver.http_endpoint(), &[PROTOBUF], Vec::new()).status, 200);
    Rpc::new(&receiver).export(ExportMetricsServiceRequest::default()).unwrap();
    assert_eq!(receiver.snapshot().exports, 2);
    assert_eq!(receiver.snapshot().metrics, []);
}

#[test]
fn a_grpc_request_that_is_too_large_is_refused_as_exhausted() {
    let receiver = Receiver::start().unwrap();
    let mut large = of(vec![metric("test.gauge", gauge(vec![number(vec![], 1, 1)]))]);
    large.resource_metrics[0].schema_url = "x".repeat(16 << 20);
    let status = Rpc::new(&receiver).export(large).unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert_eq!((receiver.attempts(), receiver.exports()), (1, 0));
}
