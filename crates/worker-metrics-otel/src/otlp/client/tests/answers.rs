//! A request that was taken is never sent again, whatever the answer holds.

use std::time::Instant;

use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsPartialSuccess, ExportMetricsServiceResponse,
};
use otlp_receiver::{Answer, Fault};
use prost::Message;

use super::{Case, PATIENCE, Program, cases, protocols, receiver};
use crate::Protocol;

/// Exports under the fault and after it: both are taken, and each poll is counted once.
fn assert_taken(fault: &Fault, protocol: Protocol) {
    let name = format!("{protocol} {fault:?}");
    let name = name.chars().take(200).collect::<String>();
    let receiver = receiver();
    let mut program = Program::new();
    let push = program.push(protocol, &receiver);
    program.poll();
    receiver.set_fault(fault.clone());
    let start = Instant::now();
    push.force_flush().expect(&name);
    assert!(start.elapsed() < PATIENCE, "{name}");
    assert_eq!((receiver.attempts(), receiver.exports()), (1, 1), "{name}");
    receiver.set_fault(Fault::None);
    program.poll();
    push.force_flush().expect(&name);
    assert_eq!(receiver.exports(), 2, "{name}");
    program.assert_delivered(&receiver, &name);
}

fn partial_success(rejected: i64, message: &str) -> Vec<u8> {
    let partial =
        ExportMetricsPartialSuccess { rejected_data_points: rejected, error_message: message.to_owned() };
    ExportMetricsServiceResponse { partial_success: Some(partial) }.encode_to_vec()
}

#[test]
fn a_success_of_http_is_taken_whatever_its_body() {
    let protobuf = ("content-type", "application/x-protobuf");
    for answer in [
        Answer::new(200),
        Answer::new(201),
        Answer::new(202).body("accepted"),
        Answer::new(204),
        Answer::new(299),
        Answer::html(200),
        Answer::new(200).header("content-type", "application/json").body("{}"),
        Answer::new(200).header("content-type", "application/json").body("{\"partialSuccess\":{}}"),
        Answer::new(200).header(protobuf.0, protobuf.1).body([0xff; 64]),
        Answer::new(200).header(protobuf.0, protobuf.1).gzip_body(partial_success(3, "old")),
        Answer::new(200).header("content-encoding", "gzip").body("no gzip"),
        Answer::new(200).header(protobuf.0, protobuf.1).body(partial_success(0, "")),
        Answer::new(200).header("grpc-status", "0").body("fine"),
        Answer::new(200).header("retry-after", "3600"),
    ] {
        assert_taken(&Fault::Answer(answer), Protocol::HttpProtobuf);
    }
}

#[cfg(feature = "grpc-tonic")]
#[test]
fn a_status_of_grpc_that_is_ok_is_taken_whatever_the_message() {
    use otlp_receiver::Code;

    for answer in [
        Answer::message(b"", Code::Ok),
        Answer::message(&[0xff; 64], Code::Ok),
        Answer::message(b"hello", Code::Ok),
        Answer::message(&partial_success(1, "old"), Code::Ok),
        Answer::trailers_only(Code::Ok, ""),
    ] {
        assert_taken(&Fault::Answer(answer), Protocol::Grpc);
    }
}

#[test]
fn a_partial_success_is_taken_in_any_units() {
    for protocol in protocols() {
        for (rejected, message) in
            [(0, "a hint"), (1, "too old"), (2, ""), (1 << 40, "bytes?"), (-1, "?"), (i64::MIN, "")]
        {
            assert_taken(&Fault::PartialSuccess { rejected, message: message.to_owned() }, protocol);
        }
    }
}

#[test]
fn a_huge_answer_is_taken() {
    for protocol in protocols() {
        for bytes in [1 << 16, 1 << 20, 1 << 24, 1 << 28] {
            assert_taken(&Fault::HugeBody(bytes), protocol);
        }
        assert_taken(&Fault::HugeHeaders(8_000), protocol);
    }
}

#[test]
fn an_answer_of_http_that_never_ends_is_taken() {
    assert_taken(&Fault::EndlessBody, Protocol::HttpProtobuf);
}

#[cfg(feature = "grpc-tonic")]
#[test]
fn an_answer_of_grpc_that_never_ends_costs_one_export_and_no_more() {
    // Its status would come at the end: nobody knows whether it was taken.
    let receiver = receiver();
    let mut program = Program::new();
    let push = program.push(Protocol::Grpc, &receiver);
    program.poll();
    receiver.set_fault(Fault::EndlessBody);
    let start = Instant::now();
    push.force_flush_with_timeout(super::SHORT).unwrap_err();
    assert!(start.elapsed() < PATIENCE);
    receiver.set_fault(Fault::None);
    push.force_flush().unwrap();
    assert_eq!(receiver.attempts(), 2);
}

#[test]
fn garbage_is_taken_and_sent_no_more() {
    for Case { protocol, receiver, mut program, push } in cases() {
        program.poll();
        receiver.set_fault(Fault::Garbage);
        push.force_flush().unwrap();
        receiver.set_fault(Fault::None);
        // This receiver calls it a success, and has not stored it.
        push.force_flush().unwrap();
        assert_eq!((receiver.attempts(), super::counted(&receiver)), (2, 0), "{protocol}");
    }
}

#[test]
fn an_answer_that_is_lost_is_the_one_way_to_count_twice() {
    for protocol in protocols() {
        let receiver = receiver();
        let mut program = Program::new();
        program.poll();
        receiver.set_faults([Fault::CloseAfterStoring]);
        let push = program.push(protocol, &receiver);
        // Within the export over HTTP; over gRPC that depends on how the connection breaks.
        if push.force_flush().is_err() {
            push.force_flush().unwrap();
        }
        assert_eq!((receiver.attempts(), super::counted(&receiver)), (2, 2), "{protocol}");
    }
}
