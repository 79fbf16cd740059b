//! Why a receiver did not start.
//! Returned by `Receiver::start` and `ReceiverBuilder::start`.
//! Never about a request: a bad request gets its answer on the wire.

use std::{error::Error, fmt, io};

use crate::Protocol;

/// Why a [`Receiver`](crate::Receiver) did not start.
#[derive(Debug)]
#[non_exhaustive]
pub enum ReceiverError {
    /// A port could not be bound.
    Bind {
        /// The server that wanted the port.
        protocol: Protocol,
        /// The wanted port, 0 for any free one.
        port: u16,
        /// What the operating system said.
        source: io::Error,
    },
    /// The receiver's thread could not be started.
    Thread(io::Error),
    /// The receiver's runtime could not be built on its thread.
    Runtime(io::Error),
}

impl fmt::Display for ReceiverError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bind { protocol, port, source } => write!(
                f,
                "cannot bind port {port} on 127.0.0.1 for {protocol}: {source}; stop whatever uses the port, or choose port 0 for a free one"
            ),
            Self::Thread(source) => {
                write!(f, "cannot start the receiver's thread: {source}; raise the limit on threads")
            }
            Self::Runtime(source) => {
                write!(f, "cannot build the receiver's runtime: {source}; raise the limit on open files")
            }
        }
    }
}

impl Error for ReceiverError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Bind { source, .. } | Self::Thread(source) | Self::Runtime(source) => Some(source),
        }
    }
}
