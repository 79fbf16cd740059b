//! What can go wrong with a sink, without any secret in it.

use std::error::Error;
use std::fmt;
use std::io;
use std::time::Duration;

/// Why there is no sink.
#[derive(Debug)]
#[non_exhaustive]
pub enum SinkError {
    /// A variable, or what was given in its place, is bad.
    Bad {
        /// The variable.
        by: String,
        /// Its value, unless that may be secret.
        value: Option<String>,
        /// What to do.
        remedy: String,
    },
    /// The thread of the sink cannot be started.
    Thread(io::Error),
    /// The transport cannot be made.
    Transport(Box<dyn Error + Send + Sync>),
}

impl SinkError {
    pub(super) fn bad(by: &str, value: &str, remedy: &str) -> Self {
        Self::Bad { by: by.to_owned(), value: Some(value.to_owned()), remedy: remedy.to_owned() }
    }

    pub(super) fn not_compiled_in(by: &str, value: &str, feature: &str) -> Self {
        Self::bad(by, value, &format!("switch on the feature `{feature}` of worker-metrics-otel"))
    }

    /// The value may be secret, and is left out.
    pub(super) fn bad_secret(by: &str, remedy: &str) -> Self {
        Self::Bad { by: by.to_owned(), value: None, remedy: remedy.to_owned() }
    }

    pub(super) fn bad_header(by: &str, name: &str, remedy: &str) -> Self {
        Self::bad_secret(by, &format!("header {name:?}: {remedy}"))
    }
}

impl fmt::Display for SinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bad { by, value: Some(value), remedy } => write!(f, "{by} is {value:?}: {remedy}"),
            Self::Bad { by, value: None, remedy } => write!(f, "{by} is not usable: {remedy}"),
            Self::Thread(cause) => write!(f, "the thread that sends histograms cannot be started: {cause}"),
            Self::Transport(cause) => write!(f, "the transport for histograms cannot be made: {cause}"),
        }
    }
}

impl Error for SinkError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Bad { .. } => None,
            Self::Thread(cause) => Some(cause),
            Self::Transport(cause) => Some(&**cause),
        }
    }
}

/// Why a send failed. What it carried goes with the next one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendError {
    /// No answer came in time.
    Timeout(Duration),
    /// The receiver refuses this request, and would refuse it again.
    Refused {
        /// The status.
        status: String,
        /// What the receiver says, at most 256 characters of it.
        message: String,
    },
    /// The receiver cannot take it now, and could not until the timeout.
    Unavailable {
        /// The status.
        status: String,
        /// What the receiver says, at most 256 characters of it.
        message: String,
    },
    /// The receiver cannot be reached.
    Unreachable(String),
    /// The connection broke before the answer. The receiver may have the request or not, so it is not sent again at once.
    Broken(String),
    /// The answer cannot be read: is this an OTLP receiver?
    Answer,
    /// The request cannot be made.
    Request(String),
    /// The thread that sends has ended.
    Stopped,
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said =
            |message: &str| if message.is_empty() { String::new() } else { format!(", saying {message:?}") };
        match self {
            Self::Timeout(timeout) => write!(f, "no answer within {timeout:?}: is the receiver overloaded?"),
            Self::Refused { status, message } => {
                write!(f, "the receiver refuses them with {status}{}", said(message))
            }
            Self::Unavailable { status, message } => {
                write!(
                    f,
                    "the receiver cannot take them now, {status}{}: they go with the next export",
                    said(message)
                )
            }
            Self::Unreachable(cause) => {
                write!(f, "the receiver cannot be reached ({cause}): does it listen there?")
            }
            Self::Broken(cause) => {
                write!(f, "the connection broke before the answer ({cause}): does the receiver restart?")
            }
            Self::Answer => f.write_str("the answer cannot be read: is this an OTLP receiver?"),
            Self::Request(cause) => write!(f, "the request cannot be made: {cause}"),
            Self::Stopped => f.write_str("the thread that sends has ended"),
        }
    }
}

impl Error for SendError {}

/// The innermost cause of an error, if it is one of the system, or of TLS. Other texts may hold the URL, and with it a secret.
#[cfg(any(feature = "grpc-tonic", feature = "http-proto"))]
pub(super) fn cause_of(error: &(dyn Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(cause) = innermost.source() {
        innermost = cause;
    }
    let of_the_system = innermost.downcast_ref::<io::Error>().map(ToString::to_string);
    #[cfg(feature = "tls")]
    let of_the_system =
        of_the_system.or_else(|| innermost.downcast_ref::<rustls::Error>().map(ToString::to_string));
    of_the_system.unwrap_or_else(|| "connection failed".to_owned())
}
