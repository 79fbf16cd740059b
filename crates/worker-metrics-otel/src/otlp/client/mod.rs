//! The client of one destination: one connection, one deadline for a whole export, and a memory for
//! waits.
//!
//! Works on a thread and a runtime of its own, never on one of the program's. Ends in time,
//! whatever the receiver does.
//!
//! `Request → Client (retry) → Transport (Grpc | Http) → Answer`

#[allow(clippy::module_inception, reason = "a file is named after the noun that it holds")]
mod client;
mod diagnosis;
mod error;
#[cfg(feature = "grpc-tonic")]
mod grpc;
mod http;
mod later;
mod proxy;
mod retry;
mod signal;
#[cfg(test)]
mod tests;
mod thread;
mod transport;

pub(super) use client::{ChangeHeaders, Client};
pub(super) use error::named;
pub use error::{Cause, ExportError};
#[cfg(feature = "grpc-tonic")]
pub(super) use grpc::{Grpc, Interceptor};
pub(super) use http::Http;
pub(super) use later::later;
pub(super) use signal::Signal;
pub(super) use thread::NetworkThread;
pub(super) use transport::Transport;
