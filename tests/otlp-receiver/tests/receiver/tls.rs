//! Receivers that speak TLS.

use std::{io, net::TcpStream, sync::Arc};

use otlp_receiver::{Identity, Receiver, TestCa, Tls};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
};

/// What comes of a connection and its first bytes: the protocol that was agreed on, or the error.
fn shake_hands(
    port: u16,
    name: &str,
    (ca, client): (&TestCa, Option<&Identity>),
    alpn: &str,
) -> io::Result<Option<String>> {
    use io::{Read, Write};
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(ca.pem().as_bytes()).unwrap()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().unwrap().with_root_certificates(roots);
    let mut config = match client {
        None => builder.with_no_client_auth(),
        Some(client) => builder
            .with_client_auth_cert(
                vec![CertificateDer::from_pem_slice(client.certificate().as_bytes()).unwrap()],
                PrivateKeyDer::from_pem_slice(client.key().as_bytes()).unwrap(),
            )
            .unwrap(),
    };
    config.alpn_protocols = vec![alpn.as_bytes().to_vec()];
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
    let stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(crate::peer::LONG))?;
    let mut stream = StreamOwned::new(connection, stream);
    let hello: &[u8] = match alpn {
        "h2" => b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
        _ => b"GET / HTTP/1.1\r\nhost: test\r\n\r\n",
    };
    stream.write_all(hello)?;
    // With TLS 1.3 the server's opinion of the client comes last.
    stream.read_exact(&mut [0])?;
    Ok(stream.conn.alpn_protocol().map(|protocol| String::from_utf8_lossy(protocol).into_owned()))
}

#[test]
fn both_ports_speak_tls_with_their_protocol_and_their_names() {
    let ca = TestCa::new();
    let server = ca.server(["localhost", "receiver.test", "127.0.0.1"]);
    let receiver = Receiver::builder().tls(Tls::new(&server)).start().unwrap();
    assert!(receiver.grpc_endpoint().starts_with("https://"));
    for (port, alpn) in [(receiver.grpc_port(), "h2"), (receiver.http_port(), "http/1.1")] {
        for name in ["localhost", "receiver.test", "127.0.0.1"] {
            assert_eq!(shake_hands(port, name, (&ca, None), alpn).unwrap().as_deref(), Some(alpn));
        }
        let other = shake_hands(port, "other.test", (&ca, None), alpn).unwrap_err().to_string();
        assert!(other.contains("not valid for name"), "{other}");
        let unknown = shake_hands(port, "localhost", (&TestCa::new(), None), alpn).unwrap_err().to_string();
        assert!(unknown.contains("UnknownIssuer"), "{unknown}");
        let alpn = if alpn == "h2" { "http/1.1" } else { "h2" };
        shake_hands(port, "localhost", (&ca, None), alpn).unwrap_err();
    }
    assert_eq!(receiver.attempts(), 3, "the requests of HTTP/1.1");
}

#[test]
fn a_certificate_may_have_expired() {
    let ca = TestCa::new();
    let receiver = Receiver::builder().tls(Tls::new(&ca.expired_server(["localhost"]))).start().unwrap();
    let error =
        shake_hands(receiver.http_port(), "localhost", (&ca, None), "http/1.1").unwrap_err().to_string();
    assert!(error.contains("expired"), "{error}");
}

#[test]
fn a_client_that_has_to_be_known_needs_a_certificate_of_the_right_authority() {
    let (ca, other) = (TestCa::new(), TestCa::new());
    let tls = Tls::new(&ca.server(["localhost"])).demand_client_of(&ca);
    let receiver = Receiver::builder().tls(tls).start().unwrap();
    for (port, alpn) in [(receiver.grpc_port(), "h2"), (receiver.http_port(), "http/1.1")] {
        let shake = |client: Option<&Identity>| shake_hands(port, "localhost", (&ca, client), alpn);
        shake(Some(&ca.client("client"))).unwrap();
        let error = shake(None).unwrap_err().to_string();
        assert!(error.contains("CertificateRequired"), "{error}");
        shake(Some(&other.client("client"))).unwrap_err();
    }
}

#[test]
fn certificates_and_keys_can_be_written_to_files() {
    let directory = std::env::temp_dir().join(format!("otlp-receiver-tls-{}", std::process::id()));
    std::fs::create_dir(&directory).unwrap();
    let ca = TestCa::new();
    let client = ca.client("client");
    let (certificate, key) = client.write(&directory, "client").unwrap();
    assert_eq!(std::fs::read_to_string(ca.write(&directory).unwrap()).unwrap(), ca.pem());
    assert_eq!(std::fs::read_to_string(&certificate).unwrap(), client.certificate());
    assert_eq!(std::fs::read_to_string(&key).unwrap(), client.key());
    assert_eq!((certificate, key), (directory.join("client.pem"), directory.join("client-key.pem")));
    std::fs::remove_dir_all(&directory).unwrap();
    ca.write(&directory).unwrap_err();
    assert!(!format!("{client:?} {ca:?}").contains("PRIVATE"));
}
