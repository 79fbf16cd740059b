//! What arrives at a receiver.

use otlp_receiver::Receiver;

use super::{protocols, request, send, sink};
use crate::sink::Compression;

#[test]
fn a_request_arrives_as_it_is() {
    for protocol in protocols() {
        let receiver = Receiver::builder().keep_requests(true).start().unwrap();
        let answer = send(&sink(protocol, &receiver, &[])).unwrap();
        assert_eq!((answer.rejected, answer.message.as_str()), (0, ""), "{protocol:?}");
        assert_eq!(receiver.requests(), [request()], "{protocol:?}");
    }
}

#[test]
fn headers_and_the_name_of_the_crate_travel_with_it() {
    for protocol in protocols() {
        let receiver = Receiver::start().unwrap();
        let sink = sink(protocol, &receiver, &[("HEADERS", "api-key=a%20b%3D,x-tenant=one")]);
        let sink = sink.with_header("X-Tenant", "two").unwrap();
        send(&sink).unwrap();
        let transport = receiver.last_transport().unwrap();
        assert_eq!(transport.header("api-key"), Some("a b="), "{protocol:?}");
        assert_eq!(transport.header("x-tenant"), Some("two"), "{protocol:?}");
        let agent = transport.header("user-agent").unwrap();
        let own = concat!("worker-metrics-otel/", env!("CARGO_PKG_VERSION"));
        assert!(agent.starts_with(own), "{protocol:?}: {agent}");
    }
}

#[test]
fn each_compression_that_is_compiled_in_arrives_readable() {
    let mut sizes = Vec::new();
    for protocol in protocols() {
        for (name, compression) in
            [("none", Compression::None), ("gzip", Compression::Gzip), ("zstd", Compression::Zstd)]
        {
            if compression.available("").is_err() {
                continue;
            }
            let receiver = Receiver::builder().keep_requests(true).start().unwrap();
            send(&sink(protocol, &receiver, &[("COMPRESSION", name)])).unwrap();
            assert_eq!(receiver.requests(), [request()], "{protocol:?} {name}");
            let transport = receiver.last_transport().unwrap();
            let encoding = (compression != Compression::None).then_some(name);
            assert_eq!(transport.content_encoding.as_deref(), encoding, "{protocol:?}");
            if compression == Compression::None {
                sizes.push(transport.body_size);
            } else {
                assert!(transport.body_size < sizes[sizes.len() - 1] / 2, "{protocol:?} {name}");
            }
        }
    }
    assert!(!sizes.is_empty());
}
