//! What stands between, and who listens.

use std::time::{Duration, Instant};

use otlp_receiver::{Receiver, Relay};

use super::{Case, Program, SHORT, cases, protocols, receiver};
use crate::{Cause, Protocol};

fn relay(protocol: Protocol, receiver: &Receiver) -> Relay {
    let port = match protocol {
        Protocol::Grpc => receiver.grpc_port(),
        Protocol::HttpProtobuf => receiver.http_port(),
    };
    Relay::start(([127, 0, 0, 1], port)).unwrap()
}

fn behind(relay: &Relay) -> String {
    format!("http://127.0.0.1:{}/v1/metrics", relay.port())
}

#[test]
fn a_connection_that_passes_nothing_on_any_more_is_given_up_after_one_export() {
    for protocol in protocols() {
        let receiver = receiver();
        let relay = relay(protocol, &receiver);
        let mut program = Program::new();
        let push = program.otlp(protocol, &behind(&relay)).start().unwrap();
        for round in 0..3 {
            program.poll();
            push.force_flush().unwrap();
            relay.go_silent();
            program.poll();
            let error = push.force_flush_with_timeout(SHORT).unwrap_err();
            assert!(matches!(error.cause, Cause::Timeout(_)), "{protocol} {round}: {error:?}");
            push.force_flush().unwrap_or_else(|error| panic!("{protocol} {round}: {error}"));
        }
        program.assert_delivered(&receiver, &protocol.to_string());
    }
}

#[test]
fn one_connection_serves_all_exports() {
    for Case { protocol, receiver, push, .. } in cases() {
        for _ in 0..5 {
            push.force_flush().unwrap();
        }
        let connections = receiver.connections();
        assert_eq!(connections.grpc + connections.http, 1, "{protocol}");
    }
}

#[test]
fn a_receiver_that_restarts_costs_no_count() {
    for protocol in protocols() {
        let receiver = receiver();
        let relay = relay(protocol, &receiver);
        let mut program = Program::new();
        let push = program.otlp(protocol, &behind(&relay)).start().unwrap();
        program.poll();
        push.force_flush().unwrap();
        relay.refuse();
        program.poll();
        let start = Instant::now();
        let error = push.force_flush().unwrap_err();
        // It depends on the machine whether the old connection is known to be closed.
        assert!(matches!(error.cause, Cause::Unreachable(_) | Cause::Broken(_)), "{protocol}: {error:?}");
        assert!(start.elapsed() < Duration::from_secs(5), "{protocol}");
        relay.resume();
        push.force_flush().unwrap();
        program.assert_delivered(&receiver, &protocol.to_string());
    }
}

#[cfg(feature = "grpc-tonic")]
#[test]
fn a_port_of_the_other_protocol_is_an_error_that_says_so() {
    let program = Program::new();
    let grpc = Receiver::builder().grpc_only().strict(true).start().unwrap();
    let http = Receiver::builder().http_only().strict(true).start().unwrap();
    for (protocol, endpoint) in
        [(Protocol::HttpProtobuf, grpc.grpc_endpoint()), (Protocol::Grpc, http.http_base())]
    {
        let push = program.otlp(protocol, &endpoint).start().unwrap();
        let error = push.force_flush().unwrap_err();
        assert_eq!(error.cause, Cause::WrongProtocol, "{protocol}: {error}");
        assert!(error.to_string().contains("OTEL_EXPORTER_OTLP_PROTOCOL"), "{error}");
    }
}

#[cfg(feature = "grpc-tonic")]
#[test]
fn without_a_protocol_the_one_that_the_port_speaks_is_found_and_kept() {
    for is_grpc in [true, false] {
        let builder = Receiver::builder().keep_requests(true).strict(true);
        let receiver = if is_grpc { builder.grpc_only() } else { builder.http_only() }.start().unwrap();
        let address = if is_grpc { receiver.grpc_endpoint() } else { receiver.http_base() };
        let mut program = Program::new();
        let push = program
            .workers
            .otlp()
            .with_endpoint(address)
            .with_temporality(opentelemetry_sdk::metrics::Temporality::Delta)
            .start()
            .unwrap();
        for _ in 0..3 {
            program.poll();
            push.force_flush().unwrap();
        }
        program.assert_delivered(&receiver, &format!("gRPC: {is_grpc}"));
        let status = program.workers.status().to_string();
        let name = if is_grpc { "(grpc)" } else { "(http/protobuf)" };
        assert!(status.contains(name), "{status}");
    }
}
