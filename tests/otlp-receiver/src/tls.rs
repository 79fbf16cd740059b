//! Certificates for tests, and how a receiver uses them.
//! Made by tests, given to `ReceiverBuilder::tls`.
//! Never good for anything but tests: keys lie about in memory and in files.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    date_time_ymd,
};
use rustls::{
    RootCertStore, ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::WebPkiClientVerifier,
};
use tokio_rustls::TlsAcceptor;

use crate::Protocol;

/// A certificate authority that nobody trusts unless told to.
///
/// Each has a name of its own, so that a certificate of one is of an unknown issuer to who trusts
/// another.
///
/// # Examples
///
/// ```rust
/// use otlp_receiver::{Receiver, TestCa, Tls};
///
/// let ca = TestCa::new();
/// let server = ca.server(["localhost", "127.0.0.1"]);
/// let receiver = Receiver::builder().tls(Tls::new(&server).demand_client_of(&ca)).start()?;
/// assert!(receiver.http_endpoint().starts_with("https://127.0.0.1:"));
///
/// // What a peer needs in order to be let in:
/// let (trusted, client) = (ca.pem(), ca.client("client"));
/// assert!(trusted.starts_with("-----BEGIN CERTIFICATE-----") && client.key().contains("PRIVATE KEY"));
/// # Ok::<(), otlp_receiver::ReceiverError>(())
/// ```
pub struct TestCa {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl TestCa {
    /// A new authority.
    ///
    /// # Panics
    ///
    /// If the operating system gives no random numbers.
    #[must_use]
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let mut params = params([]);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let name = format!("test authority {}", NEXT.fetch_add(1, Relaxed));
        params.distinguished_name.push(DnType::CommonName, name);
        let issuer = CertifiedIssuer::self_signed(params, new_key());
        Self { issuer: issuer.expect("a new key signs") }
    }

    /// The certificate of a server with these names: DNS names, or IP addresses.
    ///
    /// # Panics
    ///
    /// If a name is not ASCII.
    #[must_use]
    pub fn server<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> Identity {
        self.issue(params(names), ExtendedKeyUsagePurpose::ServerAuth)
    }

    /// Like [`server`](Self::server), but valid only until the end of 2001.
    ///
    /// # Panics
    ///
    /// If a name is not ASCII.
    #[must_use]
    pub fn expired_server<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> Identity {
        let mut params = params(names);
        (params.not_before, params.not_after) = (date_time_ymd(2001, 1, 1), date_time_ymd(2001, 12, 31));
        self.issue(params, ExtendedKeyUsagePurpose::ServerAuth)
    }

    /// The certificate of a client of this name.
    ///
    /// # Panics
    ///
    /// If the name is not ASCII.
    #[must_use]
    pub fn client(&self, name: &str) -> Identity {
        self.issue(params([name]), ExtendedKeyUsagePurpose::ClientAuth)
    }

    /// The authority's own certificate in PEM: what a peer has to trust.
    #[must_use]
    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// Writes the authority's certificate to `ca.pem` in this directory; the path of the file.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub fn write(&self, directory: impl AsRef<Path>) -> io::Result<PathBuf> {
        write(directory.as_ref(), "ca.pem", &self.pem())
    }

    fn issue(&self, mut params: CertificateParams, usage: ExtendedKeyUsagePurpose) -> Identity {
        params.extended_key_usages.push(usage);
        let key = new_key();
        let certificate = params.signed_by(&key, &self.issuer).expect("the authority's key signs");
        Identity { certificate: certificate.pem(), key: key.serialize_pem() }
    }
}

impl Default for TestCa {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for TestCa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestCa").finish_non_exhaustive()
    }
}

/// A certificate and its key, in PEM.
#[derive(Clone)]
pub struct Identity {
    certificate: String,
    key: String,
}

impl Identity {
    /// The certificate.
    #[must_use]
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// The key.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Writes `NAME.pem` and `NAME-key.pem` to this directory; the paths of the two.
    ///
    /// # Errors
    ///
    /// If a file cannot be written.
    pub fn write(&self, directory: impl AsRef<Path>, name: &str) -> io::Result<(PathBuf, PathBuf)> {
        let directory = directory.as_ref();
        let certificate = write(directory, &format!("{name}.pem"), &self.certificate)?;
        Ok((certificate, write(directory, &format!("{name}-key.pem"), &self.key)?))
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").finish_non_exhaustive()
    }
}

/// How a receiver speaks TLS (1.2 or 1.3): ALPN is `h2` on the gRPC port and `http/1.1` on the
/// other.
#[derive(Clone, Debug)]
pub struct Tls {
    server: Identity,
    /// Whoever signed a client, in DER; no client is asked if there is none.
    clients: Option<CertificateDer<'static>>,
}

impl Tls {
    /// TLS with the certificate of this server, for every client.
    #[must_use]
    pub fn new(server: &Identity) -> Self {
        Self { server: server.clone(), clients: None }
    }

    /// Demands that a client has a certificate of this authority.
    #[must_use]
    pub fn demand_client_of(self, ca: &TestCa) -> Self {
        Self { clients: Some(ca.issuer.der().clone()), ..self }
    }

    pub(crate) fn acceptor(&self, protocol: Protocol) -> TlsAcceptor {
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .expect("ring has all versions");
        let builder = match &self.clients {
            None => builder.with_no_client_auth(),
            Some(authority) => {
                let mut roots = RootCertStore::empty();
                roots.add(authority.clone()).expect("an authority of ours is well-formed");
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
                builder.with_client_cert_verifier(verifier.expect("there is a root"))
            }
        };
        let certificate = CertificateDer::from_pem_slice(self.server.certificate.as_bytes());
        let key = PrivateKeyDer::from_pem_slice(self.server.key.as_bytes());
        let mut config = builder
            .with_single_cert(vec![certificate.expect("PEM of ours")], key.expect("PEM of ours"))
            .expect("the key is the certificate's");
        config.alpn_protocols = match protocol {
            Protocol::Grpc => vec![b"h2".to_vec()],
            Protocol::Http => vec![b"http/1.1".to_vec()],
        };
        TlsAcceptor::from(Arc::new(config))
    }
}

fn new_key() -> KeyPair {
    KeyPair::generate().expect("the operating system gives random numbers")
}

fn params<'a>(names: impl IntoIterator<Item = &'a str>) -> CertificateParams {
    let names: Vec<_> = names.into_iter().map(str::to_owned).collect();
    CertificateParams::new(names).expect("names are ASCII")
}

fn write(directory: &Path, name: &str, text: &str) -> io::Result<PathBuf> {
    let path = directory.join(name);
    fs::write(&path, text)?;
    Ok(path)
}
