//! A socket that a thread waits on. Part of an activity; plain data.

use std::fmt;
use std::net::SocketAddr;

/// A socket that a thread waits on. What is not known is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Socket {
    /// Its protocol.
    ///
    /// **Absent when** the socket is neither TCP, UDP nor Unix, is in another network namespace
    /// than the thread, or is not among the first 16,384 of its protocol.
    pub protocol: Option<Protocol>,
    /// Address of this end of a TCP or UDP socket.
    pub local: Option<SocketAddr>,
    /// Address of the other end of a TCP or UDP socket, if it is connected or about to be.
    pub peer: Option<SocketAddr>,
    /// Name that a Unix socket is bound to; `@` begins one that is not in the file system.
    pub path: Option<String>,
}

/// Protocol of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Protocol {
    /// TCP, over IPv4 or IPv6.
    Tcp,
    /// UDP, over IPv4 or IPv6.
    Udp,
    /// A socket of this machine (`AF_UNIX`).
    Unix,
}

impl fmt::Display for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.protocol {
            Some(protocol) => write!(f, "a {protocol} socket")?,
            None => f.write_str("a socket")?,
        }
        match (&self.local, &self.peer, &self.path) {
            (Some(local), Some(peer), _) => write!(f, " from {local} to {peer}"),
            (Some(local), None, _) => write!(f, " at {local}"),
            (None, Some(peer), _) => write!(f, " to {peer}"),
            (None, None, Some(path)) => write!(f, " at {path}"),
            (None, None, None) => Ok(()),
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
            Self::Unix => "Unix",
        })
    }
}
