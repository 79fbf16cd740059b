//! Trust roots and client identity for TLS. Keys are shown nowhere.

use std::fmt;
use std::sync::Arc;

use opentelemetry::otel_warn;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, crypto::CryptoProvider};

use super::environment::ignored;
use super::{Environment, OtlpError};

/// Trust roots and client identity for TLS, in PEM.
///
/// Without a CA of its own, the certificates of the system are trusted.
///
/// # Examples
///
/// ```no_run
/// use worker_metrics_otel::{Instrumentation, Tls};
///
/// let tls = Tls::new()
///     .with_ca_certificate(std::fs::read("ca.pem")?)
///     .with_client_certificate(std::fs::read("client.pem")?, std::fs::read("client.key")?);
/// let otlp = Instrumentation::default().otlp().with_endpoint("https://collector:4317").with_tls(tls);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct Tls {
    pub(in crate::otlp) ca: Option<Pem>,
    pub(in crate::otlp) client: Option<(Pem, Pem)>,
}

/// PEM text, and what named it.
#[derive(Clone)]
pub(in crate::otlp) struct Pem {
    pub(in crate::otlp) by: String,
    pub(in crate::otlp) text: Vec<u8>,
}

impl Tls {
    /// The certificates of the system, and no client certificate.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Trusts these certificates, in PEM, in place of those of the system.
    #[must_use]
    pub fn with_ca_certificate(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.ca = Some(Pem { by: "the CA certificate".to_owned(), text: pem.into() });
        self
    }

    /// Identifies the client by a certificate, or a chain of them, and its private key, in PEM.
    #[must_use]
    pub fn with_client_certificate(
        mut self,
        certificate: impl Into<Vec<u8>>,
        key: impl Into<Vec<u8>>,
    ) -> Self {
        let certificate = Pem { by: "the client certificate".to_owned(), text: certificate.into() };
        let key = Pem { by: "the client key".to_owned(), text: key.into() };
        self.client = Some((certificate, key));
        self
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("ca", &self.ca.is_some()).field("client", &self.client.is_some()).finish()
    }
}

/// The configuration of a secure connection.
pub(in crate::otlp) struct TlsConfig {
    pub(in crate::otlp) http: ClientConfig,
    #[cfg(feature = "grpc-tonic")]
    pub(in crate::otlp) grpc: tonic::transport::ClientTlsConfig,
}

impl Tls {
    /// What `OTEL_EXPORTER_OTLP_CERTIFICATE`, `…_CLIENT_CERTIFICATE` and `…_CLIENT_KEY` name. A
    /// file that cannot be read is reported, and left out.
    fn of_environment(environment: &Environment) -> Self {
        let read = |setting| {
            let (by, path) = environment.pem_file(setting)?;
            match std::fs::read(&path) {
                Ok(text) => Some(Pem { by, text }),
                // In place of a name, a key itself may have been given: it is not shown.
                Err(cause) => {
                    ignored(&by, &format!("it names no PEM file that can be read ({cause})"));
                    None
                }
            }
        };
        let (certificate, key) = (read("CLIENT_CERTIFICATE"), read("CLIENT_KEY"));
        let client = match (certificate, key) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (Some(lonely), None) | (None, Some(lonely)) => {
                ignored(&lonely.by, "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE and …_CLIENT_KEY go together");
                None
            }
            (None, None) => None,
        };
        Self { ca: read("CERTIFICATE"), client }
    }

    /// The configuration of a secure connection by the environment. What is bad is reported, and
    /// left out.
    pub(in crate::otlp) fn config_of_environment(environment: &Environment) -> Result<TlsConfig, OtlpError> {
        Self::of_environment(environment).config().or_else(|error| {
            ignored(
                "OTEL_EXPORTER_OTLP_CERTIFICATE, …_CLIENT_CERTIFICATE or …_CLIENT_KEY",
                &error.to_string(),
            );
            Self::new().config()
        })
    }

    /// The configuration of a secure connection.
    ///
    /// # Errors
    ///
    /// If a certificate or the key is bad.
    pub(in crate::otlp) fn config(self) -> Result<TlsConfig, OtlpError> {
        let roots = match &self.ca {
            Some(pem) => trusted(pem)?,
            None => of_the_system(),
        };
        // The program's own choice of cryptography, if it has made one: tonic does the same.
        let provider = CryptoProvider::get_default()
            .cloned()
            .unwrap_or_else(|| Arc::new(rustls::crypto::ring::default_provider()));
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|cause| OtlpError::Client(cause.into()))?
            .with_root_certificates(roots.clone());
        #[cfg(feature = "grpc-tonic")]
        let mut grpc = tonic::transport::ClientTlsConfig::new().trust_anchors(roots.roots);
        let http = match self.client {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let chain = certificates(&certificate)?;
                let secret = PrivateKeyDer::from_pem_slice(&key.text)
                    .map_err(|_| OtlpError::bad_secret(&key.by, "give a private key in PEM"))?;
                let remedy = format!("give the certificate of {}", key.by);
                let http = builder.with_client_auth_cert(chain, secret);
                let http = http.map_err(|_| OtlpError::bad_secret(&certificate.by, &remedy))?;
                #[cfg(feature = "grpc-tonic")]
                {
                    let identity = tonic::transport::Identity::from_pem(certificate.text, key.text);
                    grpc = grpc.identity(identity);
                }
                http
            }
        };
        Ok(TlsConfig {
            http,
            #[cfg(feature = "grpc-tonic")]
            grpc,
        })
    }
}

fn certificates(pem: &Pem) -> Result<Vec<CertificateDer<'static>>, OtlpError> {
    CertificateDer::pem_slice_iter(&pem.text)
        .collect::<Result<Vec<_>, _>>()
        .ok()
        .filter(|certificates| !certificates.is_empty())
        .ok_or_else(|| OtlpError::bad_secret(&pem.by, "give certificates in PEM"))
}

fn trusted(pem: &Pem) -> Result<RootCertStore, OtlpError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(pem)? {
        roots.add(certificate).map_err(|_| OtlpError::bad_secret(&pem.by, "give certificates in PEM"))?;
    }
    Ok(roots)
}

/// The certificates that the operator of the machine trusts, rather than a list that ages inside
/// the program.
fn of_the_system() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        otel_warn!(
            name: "WorkerMetrics.NoTrustRoots",
            message = "The system has no certificates to trust, so that no https receiver is: install them, set \
                       OTEL_EXPORTER_OTLP_CERTIFICATE to a PEM file, or give a CA with Otlp::with_tls."
        );
    }
    roots
}
