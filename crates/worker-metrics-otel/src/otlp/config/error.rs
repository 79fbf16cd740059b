//! Errors of bad settings, without any secret in them.

use std::error::Error;
use std::fmt;
use std::io;

/// Why there is no export by OTLP. Nothing has been started then.
#[derive(Debug)]
#[non_exhaustive]
pub enum OtlpError {
    /// A setting is bad.
    Bad {
        /// The variable or the method.
        by: String,
        /// Its value, unless that may be secret.
        value: Option<String>,
        /// What to do.
        remedy: String,
    },
    /// The thread that exports cannot be started.
    Thread(io::Error),
    /// The client cannot be made.
    Client(Box<dyn Error + Send + Sync>),
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

impl fmt::Display for OtlpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bad { by, value: Some(value), remedy } => write!(f, "{by} is {value:?}: {remedy}"),
            Self::Bad { by, value: None, remedy } => write!(f, "{by} is not usable: {remedy}"),
            Self::Thread(cause) => write!(
                f,
                "the thread that exports worker metrics cannot be started: {cause}; start again when there is room for a thread"
            ),
            Self::Client(cause) => write!(f, "the client for worker metrics cannot be made: {cause}"),
        }
    }
}

impl Error for OtlpError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Bad { .. } => None,
            Self::Thread(cause) => Some(cause),
            Self::Client(cause) => Some(&**cause),
        }
    }
}
