//! Secure connections, to a front that ends TLS before the receiver.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use otlp_receiver::Receiver;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio_rustls::TlsAcceptor;

use super::{SHORT, from, protocols, request, send};
use crate::sink::{Protocol, SendError};

/// A certificate and its key, in PEM.
struct Identity {
    certificate: String,
    key: String,
}

/// An authority, whose certificate is a file.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    files: Files,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let files = Files::new();
        files.write("ca.pem", &issuer.pem());
        Self { issuer, files }
    }

    fn issue(&self, host: &str) -> Identity {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![host.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Identity { certificate: certificate.pem(), key: key.serialize_pem() }
    }

    fn ca(&self) -> String {
        self.files.path("ca.pem")
    }
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

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    fn write(&self, name: &str, text: &str) -> String {
        std::fs::write(self.0.join(name), text).unwrap();
        self.path(name)
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Ends TLS, and passes on what is in it.
struct Front {
    port: u16,
    _runtime: Runtime,
}

impl Front {
    fn start(authority: &Authority, client_must_be_known: bool, to: u16) -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider.clone());
        let builder = builder.with_safe_default_protocol_versions().unwrap();
        let builder = if client_must_be_known {
            let mut roots = RootCertStore::empty();
            roots.add(authority.issuer.der().clone()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        } else {
            builder.with_no_client_auth()
        };
        let identity = authority.issue("localhost");
        let chain = vec![CertificateDer::from_pem_slice(identity.certificate.as_bytes()).unwrap()];
        let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap();
        let mut config = builder.with_single_cert(chain, key).unwrap();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];

        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).unwrap();
        let port = listener.local_addr().unwrap().port();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        runtime.spawn(async move {
            while let Ok((peer, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    // A peer that is refused is what some of the tests want.
                    let Ok(mut peer) = acceptor.accept(peer).await else { return };
                    let mut receiver = TcpStream::connect((Ipv4Addr::LOCALHOST, to)).await.unwrap();
                    _ = tokio::io::copy_bidirectional(&mut peer, &mut receiver).await;
                });
            }
        });
        Self { port, _runtime: runtime }
    }

    fn endpoint(&self) -> String {
        format!("https://localhost:{}/v1/metrics", self.port)
    }
}

fn port(protocol: Protocol, receiver: &Receiver) -> u16 {
    match protocol {
        Protocol::Grpc => receiver.grpc_port(),
        Protocol::HttpProtobuf => receiver.http_port(),
    }
}

#[test]
fn a_receiver_whose_authority_is_trusted_gets_the_request() {
    let authority = Authority::new();
    for protocol in protocols() {
        let receiver = Receiver::builder().keep_requests(true).start().unwrap();
        let front = Front::start(&authority, false, port(protocol, &receiver));
        let sink = from(protocol, &front.endpoint(), &[("CERTIFICATE", &authority.ca())]).unwrap();
        send(&sink).unwrap();
        assert_eq!(receiver.requests(), [request()], "{protocol:?}");
    }
}

#[test]
fn a_receiver_whose_authority_is_not_trusted_gets_nothing_and_the_error_says_why() {
    let (authority, other) = (Authority::new(), Authority::new());
    for protocol in protocols() {
        let receiver = Receiver::start().unwrap();
        let front = Front::start(&authority, false, port(protocol, &receiver));
        let more = [("CERTIFICATE", &*other.ca()), ("TIMEOUT", SHORT)];
        let error = send(&from(protocol, &front.endpoint(), &more).unwrap()).unwrap_err();
        assert!(
            matches!(&error, SendError::Unreachable(cause) if cause.contains("certificate")),
            "{protocol:?}: {error:?}"
        );
        assert_eq!(receiver.attempts(), 0, "{protocol:?}");
    }
}

#[test]
fn a_receiver_that_asks_for_a_certificate_gets_it() {
    let authority = Authority::new();
    let ca = authority.ca();
    let client = authority.issue("client");
    let certificate = authority.files.write("client.pem", &client.certificate);
    let key = authority.files.write("key.pem", &client.key);
    for protocol in protocols() {
        let receiver = Receiver::builder().keep_requests(true).start().unwrap();
        let front = Front::start(&authority, true, port(protocol, &receiver));
        let known =
            [("CERTIFICATE", &*ca), ("METRICS_CLIENT_CERTIFICATE", &*certificate), ("CLIENT_KEY", &*key)];
        send(&from(protocol, &front.endpoint(), &known).unwrap()).unwrap();
        assert_eq!(receiver.requests(), [request()], "{protocol:?}");

        let unknown = [("CERTIFICATE", &*ca), ("TIMEOUT", SHORT)];
        send(&from(protocol, &front.endpoint(), &unknown).unwrap()).unwrap_err();
        assert_eq!(receiver.attempts(), 1, "{protocol:?}");
    }
}

#[test]
fn bad_files_are_refused_by_variable_and_remedy() {
    let authority = Authority::new();
    let (one, two) = (authority.issue("one"), authority.issue("two"));
    let certificate = authority.files.write("one.pem", &one.certificate);
    let key = authority.files.write("one-key.pem", &one.key);
    let other_key = authority.files.write("two-key.pem", &two.key);
    let text = authority.files.write("text.pem", "no certificate");
    let missing = authority.files.path("missing.pem");
    let cases: [(&[(&str, &str)], String); 7] = [
        (
            &[("CERTIFICATE", &missing)],
            format!("OTEL_EXPORTER_OTLP_CERTIFICATE is {missing:?}: name a PEM file that can be read (No such file or directory (os error 2))"),
        ),
        (
            &[("METRICS_CERTIFICATE", &text)],
            format!("OTEL_EXPORTER_OTLP_METRICS_CERTIFICATE is {text:?}: name a PEM file with certificates"),
        ),
        (
            &[("CLIENT_CERTIFICATE", &certificate)],
            format!("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE is {certificate:?}: set OTEL_EXPORTER_OTLP_CLIENT_KEY as well"),
        ),
        (
            &[("CLIENT_KEY", &key)],
            "OTEL_EXPORTER_OTLP_CLIENT_KEY is not usable: set OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE as well".to_owned(),
        ),
        (
            &[("CLIENT_CERTIFICATE", &certificate), ("CLIENT_KEY", "-----BEGIN hunter2")],
            "OTEL_EXPORTER_OTLP_CLIENT_KEY is not usable: name a PEM file that can be read (No such file or directory (os error 2))".to_owned(),
        ),
        (
            &[("CLIENT_CERTIFICATE", &certificate), ("CLIENT_KEY", &certificate)],
            "OTEL_EXPORTER_OTLP_CLIENT_KEY is not usable: name a PEM file with a private key".to_owned(),
        ),
        (
            &[("CLIENT_CERTIFICATE", &certificate), ("CLIENT_KEY", &other_key)],
            format!("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE is {certificate:?}: name the certificate of the key that OTEL_EXPORTER_OTLP_CLIENT_KEY names"),
        ),
    ];
    for protocol in protocols() {
        for (more, message) in &cases {
            let ca = authority.ca();
            let mut more = more.to_vec();
            if !more.iter().any(|(name, _)| name.ends_with("CERTIFICATE") && !name.starts_with("CLIENT")) {
                more.push(("CERTIFICATE", &ca));
            }
            let error = from(protocol, "https://localhost:1", &more).unwrap_err();
            assert_eq!(error.to_string(), *message, "{protocol:?}");
        }
    }
}

#[test]
fn certificates_do_not_matter_without_tls() {
    let receiver = Receiver::start().unwrap();
    for protocol in protocols() {
        send(&super::sink(protocol, &receiver, &[("CERTIFICATE", "missing.pem")])).unwrap();
    }
}
