//! What stands between a peer and the receiver.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use otlp_receiver::{HttpProxy, ProxyRequest, Receiver, Relay};
use prost::Message;

use crate::{
    message::{gauge, metric, number, of},
    peer::LONG,
};

const REQUEST: &[u8] = b"POST /v1/metrics HTTP/1.1\r\nhost: test\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n";

fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    stream
}

/// Sends a request without a body and reads the status line.
fn ask(stream: &mut TcpStream) -> std::io::Result<String> {
    stream.write_all(REQUEST)?;
    let mut answer = [0; 4096];
    let len = stream.read(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer[..len]).into_owned();
    Ok(answer.lines().next().unwrap_or_default().to_owned())
}

fn relayed() -> (Receiver, Relay) {
    let receiver = Receiver::start().unwrap();
    let relay = Relay::start(([127, 0, 0, 1], receiver.http_port())).unwrap();
    (receiver, relay)
}

#[test]
fn a_relay_passes_on_and_counts_connections() {
    let (receiver, relay) = relayed();
    for connections in 1..=3 {
        let mut stream = connect(relay.port());
        assert_eq!(ask(&mut stream).unwrap(), "HTTP/1.1 200 OK");
        assert_eq!(ask(&mut stream).unwrap(), "HTTP/1.1 200 OK");
        assert_eq!(relay.connections(), connections);
    }
    assert_eq!((receiver.exports(), receiver.connections().http), (6, 3));
}

#[test]
fn a_silent_connection_stays_open_and_later_ones_work() {
    let (receiver, relay) = relayed();
    let mut lost = connect(relay.port());
    ask(&mut lost).unwrap();
    for _ in 0..2 {
        relay.go_silent();
        lost.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        let error = ask(&mut lost).unwrap_err();
        assert!(
            matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut),
            "{error}"
        );
        let before = receiver.exports();
        let mut later = connect(relay.port());
        assert_eq!(ask(&mut later).unwrap(), "HTTP/1.1 200 OK");
        assert_eq!(receiver.exports(), before + 1);
    }
    assert_eq!(receiver.attempts(), 3, "nothing of the silent connection arrived");
}

#[test]
fn a_relay_that_refuses_closes_everything_until_it_resumes() {
    let (_receiver, relay) = relayed();
    let mut stream = connect(relay.port());
    ask(&mut stream).unwrap();
    for _ in 0..2 {
        relay.refuse();
        relay.refuse();
        assert!(matches!(stream.read(&mut [0]), Ok(0) | Err(_)));
        let error = TcpStream::connect(("127.0.0.1", relay.port())).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
        relay.resume();
        relay.resume();
        stream = connect(relay.port());
        assert_eq!(ask(&mut stream).unwrap(), "HTTP/1.1 200 OK");
    }
    assert_eq!(relay.connections(), 3);
}

#[test]
fn a_relay_that_is_dropped_is_gone_and_one_without_a_receiver_closes() {
    let (receiver, relay) = relayed();
    let mut stream = connect(relay.port());
    ask(&mut stream).unwrap();
    drop(receiver);
    assert!(matches!(stream.read(&mut [0]), Ok(0) | Err(_)));
    let mut stream = connect(relay.port());
    assert!(matches!(stream.read(&mut [0]), Ok(0) | Err(_)));
    let port = relay.port();
    drop(relay);
    TcpStream::connect(("127.0.0.1", port)).unwrap_err();
}

#[test]
fn a_proxy_passes_on_requests_for_any_host_and_notes_them() {
    let receiver = Receiver::builder().strict(true).keep_requests(true).start().unwrap();
    let proxy = HttpProxy::start(([127, 0, 0, 1], receiver.http_port())).unwrap();
    let through = reqwest::Proxy::all(proxy.url()).unwrap().basic_auth("user", "word");
    let client = reqwest::blocking::Client::builder().proxy(through).timeout(LONG).build().unwrap();
    let request = of(vec![metric("test.gauge", gauge(vec![number(vec![], 1, 1)]))]);
    for url in ["http://collector.test:4318/v1/metrics", "http://other.test/v1/metrics"] {
        let post = client.post(url).header("content-type", "application/x-protobuf");
        assert_eq!(post.body(request.encode_to_vec()).send().unwrap().status(), 200);
    }
    assert_eq!(receiver.requests(), [request.clone(), request]);
    let asked = |host: &str, port| ProxyRequest {
        method: "POST".to_owned(),
        host: host.to_owned(),
        port,
        authorization: Some("Basic dXNlcjp3b3Jk".to_owned()),
    };
    assert_eq!(proxy.requests(), [asked("collector.test", Some(4318)), asked("other.test", None)]);
    let transport = receiver.last_transport().unwrap();
    assert_eq!(transport.header("host"), Some("other.test"));
    assert_eq!(transport.header("proxy-authorization"), None);
}

#[test]
fn a_proxy_makes_tunnels() {
    let receiver = Receiver::start().unwrap();
    let proxy = HttpProxy::start(([127, 0, 0, 1], receiver.http_port())).unwrap();
    let mut stream = connect(proxy.port());
    stream.write_all(b"CONNECT secret.test:443 HTTP/1.1\r\nhost: secret.test:443\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        answer.push(byte[0]);
    }
    assert!(
        answer.starts_with(b"HTTP/1.1 200 OK\r\n")
            && !answer.windows(14).any(|name| name == b"content-length")
    );
    assert_eq!(ask(&mut stream).unwrap(), "HTTP/1.1 200 OK");
    assert_eq!((proxy.hosts(), receiver.exports()), (vec!["secret.test".to_owned()], 1));
}

#[test]
fn a_proxy_answers_itself_what_is_not_for_a_proxy_or_has_no_receiver() {
    let receiver = Receiver::start().unwrap();
    let proxy = HttpProxy::start(([127, 0, 0, 1], receiver.http_port())).unwrap();
    assert_eq!(ask(&mut connect(proxy.port())).unwrap(), "HTTP/1.1 400 Bad Request");
    assert_eq!((proxy.hosts(), receiver.attempts()), (vec![], 0));
    drop(receiver);
    let mut stream = connect(proxy.port());
    stream.write_all(b"GET http://gone.test/ HTTP/1.1\r\nhost: gone.test\r\n\r\n").unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 502");
    assert_eq!(proxy.hosts(), ["gone.test"]);
}
