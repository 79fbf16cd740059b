//! Secure connections.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use otlp_receiver::{Identity, Receiver, TestCa, Tls as ReceiverTls};

use super::{PATIENCE, Program, protocols, receiver};
use crate::otlp::config::Environment;
use crate::{Cause, Protocol, Tls};

fn secured(tls: ReceiverTls) -> Receiver {
    Receiver::builder().keep_requests(true).tls(tls).start().unwrap()
}

/// The address of a receiver, by this name.
fn endpoint(protocol: Protocol, receiver: &Receiver, scheme: &str, host: &str) -> String {
    let port = match protocol {
        Protocol::Grpc => receiver.grpc_port(),
        Protocol::HttpProtobuf => receiver.http_port(),
    };
    format!("{scheme}://{host}:{port}")
}

fn server(ca: &TestCa) -> Identity {
    ca.server(["localhost"])
}

/// A directory that goes with its test.
struct Files(PathBuf);

impl Files {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("worker-metrics-tls-{}-{}", std::process::id(), NUMBER.fetch_add(1, Relaxed));
        let directory = std::env::temp_dir().join(name);
        std::fs::create_dir(&directory).unwrap();
        Self(directory)
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_receiver_whose_authority_is_trusted_gets_the_request() {
    let ca = TestCa::new();
    for protocol in protocols() {
        let receiver = secured(ReceiverTls::new(&server(&ca)));
        let mut program = Program::new();
        let otlp = program.otlp(protocol, &endpoint(protocol, &receiver, "https", "localhost"));
        let push = otlp.with_tls(Tls::new().with_ca_certificate(ca.pem())).start().unwrap();
        program.poll();
        push.force_flush().unwrap();
        program.assert_delivered(&receiver, &protocol.to_string());
    }
}

#[test]
fn a_certificate_that_is_not_trusted_is_an_error_that_says_so_at_once() {
    let (ca, other) = (TestCa::new(), TestCa::new());
    let names = ["elsewhere.example"];
    for protocol in protocols() {
        for (identity, trusted) in [
            (server(&ca), other.pem()),
            (ca.expired_server(["localhost"]), ca.pem()),
            (ca.server(names), ca.pem()),
        ] {
            let receiver = secured(ReceiverTls::new(&identity));
            let program = Program::new();
            let otlp = program.otlp(protocol, &endpoint(protocol, &receiver, "https", "localhost"));
            let push = otlp.with_tls(Tls::new().with_ca_certificate(trusted)).start().unwrap();
            let start = std::time::Instant::now();
            let error = push.force_flush().unwrap_err();
            assert!(start.elapsed() < PATIENCE / 2, "{protocol}");
            assert!(matches!(&error.cause, Cause::Certificate(_)), "{protocol}: {error:?}");
            assert!(error.to_string().contains("OTEL_EXPORTER_OTLP_CERTIFICATE"), "{error}");
            assert_eq!(receiver.attempts(), 0, "{protocol}");
        }
    }
}

#[test]
fn a_receiver_that_asks_for_a_certificate_gets_it() {
    let ca = TestCa::new();
    let client = ca.client("client");
    for protocol in protocols() {
        let receiver = secured(ReceiverTls::new(&server(&ca)).demand_client_of(&ca));
        let mut program = Program::new();
        let address = endpoint(protocol, &receiver, "https", "localhost");
        let trusting = Tls::new().with_ca_certificate(ca.pem());
        let known = trusting.clone().with_client_certificate(client.certificate(), client.key());
        let push = program.otlp(protocol, &address).with_tls(known).start().unwrap();
        program.poll();
        push.force_flush().unwrap();
        program.assert_delivered(&receiver, &protocol.to_string());
        drop(push);

        let attempts = receiver.attempts();
        let push = program.otlp(protocol, &address).with_tls(trusting).start().unwrap();
        let error = push.force_flush().unwrap_err();
        // The alert comes after the handshake of TLS 1.3, and may be lost with the connection.
        assert!(
            matches!(&error.cause, Cause::ClientCertificate(_) | Cause::Broken(_)),
            "{protocol}: {error:?}"
        );
        assert_eq!(receiver.attempts(), attempts, "{protocol}");
    }
}

#[test]
fn tls_on_one_side_alone_is_an_error_that_says_so() {
    let ca = TestCa::new();
    for protocol in protocols() {
        let program = Program::new();
        let plain = receiver();
        let otlp = program.otlp(protocol, &endpoint(protocol, &plain, "https", "localhost"));
        let push = otlp.with_tls(Tls::new().with_ca_certificate(ca.pem())).start().unwrap();
        let error = push.force_flush().unwrap_err();
        assert_eq!(error.cause, Cause::NoTls, "{protocol}: {error}");

        let secure = secured(ReceiverTls::new(&server(&ca)));
        let push = program.otlp(protocol, &endpoint(protocol, &secure, "http", "localhost")).start().unwrap();
        let error = push.force_flush().unwrap_err();
        assert_eq!(error.cause, Cause::TlsWanted, "{protocol}: {error}");
    }
}

#[test]
fn bad_certificates_in_code_are_refused_by_name_and_remedy() {
    let ca = TestCa::new();
    let (one, other) = (ca.client("one"), ca.client("other"));
    let program = Program::new();
    for protocol in protocols() {
        for (tls, message) in [
            (
                Tls::new().with_ca_certificate("no certificate"),
                "the CA certificate is not usable: give certificates in PEM",
            ),
            (
                Tls::new().with_client_certificate("hunter2", one.key()),
                "the client certificate is not usable: give certificates in PEM",
            ),
            (
                Tls::new().with_client_certificate(one.certificate(), "hunter2"),
                "the client key is not usable: give a private key in PEM",
            ),
            (
                Tls::new().with_client_certificate(one.certificate(), other.key()),
                "the client certificate is not usable: give the certificate of the client key",
            ),
        ] {
            let error = program.otlp(protocol, "https://localhost:1").with_tls(tls).start().unwrap_err();
            assert_eq!(error.to_string(), message, "{protocol}");
        }
    }
}

#[test]
fn files_that_the_environment_names_are_read_and_bad_ones_are_left_out() {
    let (ca, files) = (TestCa::new(), Files::new());
    let authority = ca.write(&files.0).unwrap();
    let (certificate, key) = ca.client("client").write(&files.0, "client").unwrap();
    let (_, other_key) = ca.client("other").write(&files.0, "other").unwrap();
    let text = files.0.join("text.pem");
    std::fs::write(&text, "no certificate").unwrap();
    let missing = files.0.join("missing.pem");
    let environment = |variables: &[(&str, &PathBuf)]| {
        let pairs = variables
            .iter()
            .map(|(name, path)| (format!("OTEL_EXPORTER_OTLP_{name}"), path.as_os_str().into()));
        Environment::new(pairs)
    };
    for variables in [
        &[("CERTIFICATE", &authority), ("METRICS_CLIENT_CERTIFICATE", &certificate), ("CLIENT_KEY", &key)][..],
        &[("CERTIFICATE", &missing)],
        &[("METRICS_CERTIFICATE", &text)],
        &[("CLIENT_CERTIFICATE", &certificate)],
        &[("CLIENT_KEY", &key)],
        &[("CLIENT_CERTIFICATE", &certificate), ("CLIENT_KEY", &missing)],
        &[("CLIENT_CERTIFICATE", &certificate), ("CLIENT_KEY", &certificate)],
        &[("CLIENT_CERTIFICATE", &certificate), ("CLIENT_KEY", &other_key)],
    ] {
        assert!(Tls::config_of_environment(&environment(variables)).is_ok(), "{variables:?}");
    }
}

#[test]
fn certificates_do_not_matter_without_tls() {
    for protocol in protocols() {
        let receiver = receiver();
        let mut program = Program::new();
        let otlp = program.otlp(protocol, &super::endpoint(protocol, &receiver));
        let push = otlp.with_tls(Tls::new().with_ca_certificate("no certificate")).start().unwrap();
        program.poll();
        push.force_flush().unwrap();
        program.assert_delivered(&receiver, &protocol.to_string());
    }
}
