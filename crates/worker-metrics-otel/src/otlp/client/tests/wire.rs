//! What arrives at a receiver.

use opentelemetry_sdk::Resource;
use prost::Message;

use super::{POLLS, Program, protocols, receiver};
use crate::Compression;

#[test]
fn a_request_arrives_with_its_resource_and_scope() {
    for protocol in protocols() {
        let receiver = receiver();
        let mut program = Program::new();
        let endpoint = super::endpoint(protocol, &receiver);
        let resource = Resource::builder_empty().with_service_name("shop").build();
        let push = program.otlp(protocol, &endpoint).with_resource(resource).start().unwrap();
        program.poll();
        push.force_flush().unwrap();
        program.assert_delivered(&receiver, &format!("{protocol}"));
        let [series] = &receiver.series(POLLS)[..] else { panic!("not one series") };
        assert_eq!(series.resource.get("service.name").and_then(|name| name.as_str()), Some("shop"));
        let scope = &series.scope;
        assert_eq!((&*scope.name, &*scope.version), ("worker-metrics-otel", env!("CARGO_PKG_VERSION")));
        assert!(scope.schema_url.starts_with("https://"), "{scope:?}");
        assert_eq!(receiver.attempts(), 1);
    }
}

#[test]
fn headers_and_the_name_of_the_crate_travel_with_it() {
    for protocol in protocols() {
        let receiver = receiver();
        let program = Program::new();
        let otlp = program.otlp(protocol, &super::endpoint(protocol, &receiver));
        let otlp =
            otlp.with_headers([("api-key", "a b="), ("x-tenant", "one")]).with_header("X-Tenant", "two");
        otlp.start().unwrap().force_flush().unwrap();
        let transport = receiver.last_transport().unwrap();
        assert_eq!(transport.header("api-key"), Some("a b="), "{protocol}");
        assert_eq!(transport.header("x-tenant"), Some("two"), "{protocol}");
        let agent = transport.header("user-agent").unwrap();
        let own = concat!("worker-metrics-otel/", env!("CARGO_PKG_VERSION"));
        assert!(agent.starts_with(own), "{protocol}: {agent}");
    }
}

#[test]
fn headers_can_change_from_request_to_request() {
    for protocol in protocols() {
        let receiver = receiver();
        let program = Program::new();
        let number = std::sync::atomic::AtomicU32::new(0);
        let otlp = program.otlp(protocol, &super::endpoint(protocol, &receiver)).with_header("token", "old");
        let push = otlp
            .with_changing_headers(move |headers| {
                let number = number.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                headers.insert("token", number.to_string().parse().unwrap());
            })
            .start()
            .unwrap();
        for number in ["0", "1"] {
            push.force_flush().unwrap();
            assert_eq!(receiver.last_transport().unwrap().header("token"), Some(number), "{protocol}");
        }
    }
}

#[cfg(feature = "grpc-tonic")]
#[test]
fn metadata_and_an_interceptor_go_with_grpc_requests() {
    let receiver = receiver();
    let program = Program::new();
    let mut metadata = tonic::metadata::MetadataMap::new();
    metadata.insert("tenant", "a".parse().unwrap());
    let mut number = 0;
    let interceptor = move |mut request: tonic::Request<()>| {
        number += 1;
        request.metadata_mut().insert("token", number.to_string().parse().unwrap());
        if number == 3 { Err(tonic::Status::unauthenticated("hunter2")) } else { Ok(request) }
    };
    let otlp = program.otlp(crate::Protocol::Grpc, &receiver.grpc_endpoint());
    let push = otlp.with_metadata(metadata).with_interceptor(interceptor).start().unwrap();
    for number in ["1", "2"] {
        push.force_flush().unwrap();
        let transport = receiver.last_transport().unwrap();
        assert_eq!((transport.header("tenant"), transport.header("token")), (Some("a"), Some(number)));
    }
    let error = push.force_flush().unwrap_err().to_string();
    assert!(error.contains("Unauthenticated") && !error.contains("hunter2"), "{error}");
    assert_eq!(receiver.attempts(), 2);
}

#[test]
fn each_compression_that_is_compiled_in_arrives_readable() {
    for protocol in protocols() {
        let mut size = None;
        for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
            if compression.available("").is_err() {
                continue;
            }
            let receiver = receiver();
            let mut program = Program::with_workers(8);
            let otlp = program.otlp(protocol, &super::endpoint(protocol, &receiver));
            let push = otlp.with_compression(compression).start().unwrap();
            program.poll();
            push.force_flush().unwrap();
            program.assert_delivered(&receiver, &format!("{protocol} {compression:?}"));
            let transport = receiver.last_transport().unwrap();
            assert_eq!(transport.content_encoding.as_deref(), compression.encoding(), "{protocol}");
            let plain = *size.get_or_insert(transport.body_size);
            assert!(
                compression == Compression::None || transport.body_size < plain / 2,
                "{protocol} {compression:?}"
            );
            assert!(receiver.requests()[0].encoded_len() > 1_000);
        }
        assert!(size.is_some());
    }
}
