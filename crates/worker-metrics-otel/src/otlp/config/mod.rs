//! Where requests go and how: settings of the program and of its environment.
//!
//! Whatever opentelemetry-otlp 0.33 reads from the environment is read here with the same meaning.
//! A bad value in a variable is reported and ignored, as there; a bad value set in code is an
//! error. Nothing secret is in `Debug`, errors or logs.

mod compression;
mod endpoint;
mod environment;
mod error;
mod headers;
mod protocol;
mod resource;
mod retry_policy;
#[cfg(feature = "tls")]
mod tls;

pub use compression::Compression;
pub(super) use endpoint::{Endpoint, Given, others_start_with};
pub(super) use environment::{Address, Environment};
pub use error::OtlpError;
pub(super) use headers::Headers;
pub use protocol::Protocol;
pub use resource::OtlpResource;
pub use retry_policy::RetryPolicy;
#[cfg(feature = "tls")]
pub use tls::Tls;
#[cfg(feature = "tls")]
pub(super) use tls::TlsConfig;

/// What is not compiled in.
#[cfg(not(feature = "tls"))]
pub(super) enum TlsConfig {}
