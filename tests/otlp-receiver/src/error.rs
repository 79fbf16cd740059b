//! Why a receiver did not start.
//! Returned by `Receiver::start` and `ReceiverBuilder::start`.
//! Never about a request: a bad request gets its answer on the wire.

use std::{error::Error, fmt, io, net::Ipv4Addr};

use crate::Protocol;

/// Why a [`Receiver`](crate::Receiver) did not start.
#[derive(Debug)]
#[non_exhaustive]
pub enum ReceiverError {
    /// A port could not be bound.
    Bind {
        /// The server that wanted the port.
        protocol: Protocol,
        /// The wanted address.
        ip: Ipv4Addr,
        /// The wanted port, 0 for any free one.
        port: u16,
        /// What the operating system said.
        source: io::Error,
    },
    /// The wanted address is not one of this machine's own (127.0.0.0/8), and a receiver is nobody
    /// else's.
    NotLoopback(Ipv4Addr),
    /// The receiver's thread could not be started.
    Thread(io::Error),
    /// The receiver's runtime could not be built on its thread.
    Runtime(io::Error),
}

impl fmt::Display for ReceiverError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bind { protocol, ip, port, source } => write!(
                f,
                "cannot bind port {port} on {ip} for {protocol}: {source}; stop whatever uses the port, or choose port 0 for a free one"
            ),
            Self::NotLoopback(ip) => {
                write!(f, "{ip} is not a loopback address; choose one of 127.0.0.0/8")
            }
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
            Self::NotLoopback(_) => None,
        }
    }
}
