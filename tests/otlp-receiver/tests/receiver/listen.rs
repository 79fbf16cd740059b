//! Where a receiver listens, and what it speaks there.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, TcpStream},
};

use otlp_receiver::{Connections, Receiver, ReceiverError, lasting_port};

use crate::{
    message::{gauge, metric, number, of},
    peer::{LONG, Rpc, post_request},
};

fn some_request() -> opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest {
    of(vec![metric("test.gauge", gauge(vec![number(vec![], 1, 1)]))])
}

/// All that comes back for these bytes until the connection is closed.
fn say(port: u16, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    stream.write_all(bytes).unwrap();
    let mut answer = Vec::new();
    // The end may be a reset.
    if let Err(error) = stream.read_to_end(&mut answer) {
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    }
    answer
}

#[test]
fn a_strict_receiver_speaks_one_version_of_http_on_each_port() {
    let receiver = Receiver::builder().strict(true).start().unwrap();
    assert_eq!(post_request(&receiver, &some_request()).status, 200);
    Rpc::new(&receiver).export(some_request()).unwrap();

    let request =
        b"POST /v1/metrics HTTP/1.1\r\nhost: test\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    let answer = say(receiver.grpc_port(), request);
    // The head of a frame: the length in three bytes, then the type, which is 4 for SETTINGS.
    assert_eq!(answer.get(3), Some(&4), "{answer:?}");
    assert!(!answer.starts_with(b"HTTP"));
    let answer = say(receiver.http_port(), b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0");
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 4"), "{answer:?}");
    assert_eq!((receiver.attempts(), receiver.exports()), (2, 2));
}

#[test]
fn a_server_that_is_not_wanted_has_a_port_that_refuses() {
    let grpc = Receiver::builder().grpc_only().start().unwrap();
    Rpc::new(&grpc).export(some_request()).unwrap();
    TcpStream::connect(("127.0.0.1", grpc.http_port())).unwrap_err();

    let port = lasting_port();
    let http = Receiver::builder().http_only().grpc_port(port).start().unwrap();
    assert_eq!(post_request(&http, &some_request()).status, 200);
    assert_eq!(http.grpc_port(), port);
    TcpStream::connect(("127.0.0.1", port)).unwrap_err();
    let error = Receiver::builder().grpc_port(port).start().unwrap_err();
    assert!(matches!(error, ReceiverError::Bind { .. }), "the port is taken all the same");
}

#[test]
fn any_loopback_address_will_do_and_no_other() {
    let ip = Ipv4Addr::new(127, 0, 0, 2);
    let port = lasting_port();
    let first = Receiver::builder().ip(ip).grpc_port(port).grpc_only().start().unwrap();
    let ip = Ipv4Addr::new(127, 0, 0, 3);
    let second = Receiver::builder().ip(ip).grpc_port(port).start().unwrap();
    assert_eq!(first.grpc_endpoint(), format!("http://127.0.0.2:{port}"));
    assert_eq!(second.http_endpoint(), format!("http://127.0.0.3:{}/v1/metrics", second.http_port()));
    Rpc::new(&first).export(some_request()).unwrap();
    assert_eq!(post_request(&second, &some_request()).status, 200);
    assert_eq!((first.exports(), second.exports()), (1, 1));

    for ip in [Ipv4Addr::UNSPECIFIED, Ipv4Addr::new(192, 0, 2, 1)] {
        let error = Receiver::builder().ip(ip).start().unwrap_err();
        assert!(matches!(error, ReceiverError::NotLoopback(refused) if refused == ip));
    }
}

#[test]
fn connections_are_counted_for_each_port() {
    let receiver = Receiver::start().unwrap();
    assert_eq!(receiver.connections(), Connections::default());
    let rpc = Rpc::new(&receiver);
    rpc.export(some_request()).unwrap();
    rpc.export(some_request()).unwrap();
    assert_eq!(receiver.connections(), Connections { grpc: 1, http: 0 });
    let silent = TcpStream::connect(("127.0.0.1", receiver.http_port())).unwrap();
    assert!(receiver.wait_until(LONG, |state| state.connections().http == 1));
    drop(silent);
    post_request(&receiver, &some_request());
    assert_eq!(receiver.connections(), Connections { grpc: 1, http: 2 });
}
