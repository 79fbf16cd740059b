//! Whom a sink trusts over TLS, and who it is.
//!
//! Made from the environment for an endpoint that is https. Keys are shown nowhere.

use std::fmt;
use std::path::PathBuf;

#[cfg(feature = "tls")]
use std::sync::Arc;

#[cfg(feature = "tls")]
use rustls::pki_types::pem::PemObject;
#[cfg(feature = "tls")]
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
#[cfg(feature = "tls")]
use rustls::{ClientConfig, RootCertStore, crypto::CryptoProvider};

use super::SinkError;

/// A PEM file, and the variable that names it.
pub(super) struct PemFile {
    pub(super) by: String,
    pub(super) path: PathBuf,
}

#[cfg(feature = "tls")]
impl PemFile {
    fn refuse(&self, remedy: &str) -> SinkError {
        SinkError::bad(&self.by, &self.path.to_string_lossy(), remedy)
    }

    fn read(&self) -> Result<Vec<u8>, SinkError> {
        let refuse = |cause| format!("name a PEM file that can be read ({cause})");
        std::fs::read(&self.path).map_err(|cause| self.refuse(&refuse(cause)))
    }

    fn certificates(&self, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, SinkError> {
        CertificateDer::pem_slice_iter(pem)
            .collect::<Result<Vec<_>, _>>()
            .ok()
            .filter(|certificates| !certificates.is_empty())
            .ok_or_else(|| self.refuse("name a PEM file with certificates"))
    }
}

/// What a secure connection needs.
pub(super) struct Tls {
    #[cfg(feature = "tls")]
    #[cfg_attr(
        not(feature = "http-proto"),
        allow(dead_code, reason = "HTTP alone takes it; making it checks the files")
    )]
    config: ClientConfig,
    #[cfg(all(feature = "tls", feature = "grpc-tonic"))]
    grpc: tonic::transport::ClientTlsConfig,
}

#[cfg(not(feature = "tls"))]
impl Tls {
    /// Nobody comes here: an endpoint that is https was refused.
    pub(super) fn new(
        ca: Option<PemFile>,
        _certificate: Option<PemFile>,
        _key: Option<PemFile>,
    ) -> Result<Self, SinkError> {
        ca.map_or(Ok(Self {}), |file| {
            Err(SinkError::not_compiled_in(&file.by, &file.path.to_string_lossy(), "tls"))
        })
    }
}

#[cfg(feature = "tls")]
impl Tls {
    /// Trusts `ca`, or else the certificates of the system; is known by `certificate` and `key`, or by nothing.
    pub(super) fn new(
        ca: Option<PemFile>,
        certificate: Option<PemFile>,
        key: Option<PemFile>,
    ) -> Result<Self, SinkError> {
        let roots = match &ca {
            Some(file) => trusted(file)?,
            None => of_the_system()?,
        };
        // The program's own choice of cryptography, if it has made one: tonic does the same.
        let provider = CryptoProvider::get_default()
            .cloned()
            .unwrap_or_else(|| Arc::new(rustls::crypto::ring::default_provider()));
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|cause| SinkError::Transport(cause.into()))?
            .with_root_certificates(roots.clone());
        #[cfg(feature = "grpc-tonic")]
        let grpc = tonic::transport::ClientTlsConfig::new().trust_anchors(roots.roots);
        match (certificate, key) {
            (Some(certificate), Some(key)) => {
                let (certificate_pem, key_pem) = (certificate.read()?, key.read_secret()?);
                let chain = certificate.certificates(&certificate_pem)?;
                let secret = PrivateKeyDer::from_pem_slice(&key_pem)
                    .map_err(|_| SinkError::bad_secret(&key.by, "name a PEM file with a private key"))?;
                let config = config.with_client_auth_cert(chain, secret).map_err(|_| {
                    certificate.refuse(&format!("name the certificate of the key that {} names", key.by))
                })?;
                #[cfg(feature = "grpc-tonic")]
                let grpc = grpc.identity(tonic::transport::Identity::from_pem(certificate_pem, key_pem));
                Ok(Self {
                    config,
                    #[cfg(feature = "grpc-tonic")]
                    grpc,
                })
            }
            (None, None) => Ok(Self {
                config: config.with_no_client_auth(),
                #[cfg(feature = "grpc-tonic")]
                grpc,
            }),
            (Some(certificate), None) => Err(certificate.refuse("set OTEL_EXPORTER_OTLP_CLIENT_KEY as well")),
            (None, Some(key)) => {
                Err(SinkError::bad_secret(&key.by, "set OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE as well"))
            }
        }
    }

    #[cfg(feature = "http-proto")]
    pub(super) fn into_config(self) -> ClientConfig {
        self.config
    }

    #[cfg(feature = "grpc-tonic")]
    pub(super) fn into_grpc(self) -> tonic::transport::ClientTlsConfig {
        self.grpc
    }
}

#[cfg(feature = "tls")]
impl PemFile {
    /// In place of a name, the key itself may have been given.
    fn read_secret(&self) -> Result<Vec<u8>, SinkError> {
        let refuse = |cause| format!("name a PEM file that can be read ({cause})");
        std::fs::read(&self.path).map_err(|cause| SinkError::bad_secret(&self.by, &refuse(cause)))
    }
}

#[cfg(feature = "tls")]
fn trusted(file: &PemFile) -> Result<RootCertStore, SinkError> {
    let mut roots = RootCertStore::empty();
    for certificate in file.certificates(&file.read()?)? {
        roots.add(certificate).map_err(|_| file.refuse("name a PEM file with certificates"))?;
    }
    Ok(roots)
}

/// Those that the operator of the machine trusts, rather than a list that ages inside the program.
#[cfg(feature = "tls")]
fn of_the_system() -> Result<RootCertStore, SinkError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        let remedy =
            "the system has no certificates to trust: install them, or set this variable to a PEM file";
        return Err(SinkError::bad_secret("OTEL_EXPORTER_OTLP_CERTIFICATE", remedy));
    }
    Ok(roots)
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}
