//! Errors of bad settings, without any secret in them.

use std::error::Error;
use std::io;

/// Why there is no export by OTLP. Nothing has been started then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OtlpError {
    /// A setting is bad.
    #[error("{by} is {}: {remedy}", value.as_ref().map_or("not usable".to_owned(), |value| format!("{value:?}")))]
    Bad {
        /// The variable or the method.
        by: String,
        /// Its value, unless that may be secret.
        value: Option<String>,
        /// What to do.
        remedy: String,
    },
    /// The thread that exports cannot be started.
    #[error(
        "the thread that exports worker metrics cannot be started: {0}; start again when there is room for a thread"
    )]
    Thread(#[source] io::Error),
    /// The client cannot be made.
    #[error("the client for worker metrics cannot be made: {0}")]
    Client(#[source] Box<dyn Error + Send + Sync>),
}

impl OtlpError {
    pub(in crate::otlp) fn bad(by: &str, value: &str, remedy: &str) -> Self {
        Self::Bad { by: by.to_owned(), value: Some(value.to_owned()), remedy: remedy.to_owned() }
    }

    /// The value may be secret, and is left out.
    pub(in crate::otlp) fn bad_secret(by: &str, remedy: &str) -> Self {
        Self::Bad { by: by.to_owned(), value: None, remedy: remedy.to_owned() }
    }

    pub(super) fn not_compiled_in(by: &str, value: &str, feature: &str) -> Self {
        Self::bad(by, value, &format!("switch on the feature `{feature}` of worker-metrics-otel"))
    }
}
