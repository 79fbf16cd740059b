//! An OTLP metrics receiver embedded in a process, for tests and examples.
//!
//! ```text
//! peer ─ gRPC or HTTP/protobuf ─ server ─ gate (count, fault) ─ grpc | http ─ Store ─ State ─ Document
//! ```
//!
//! A [`Receiver`] listens on two loopback ports and keeps the last state of every series. It runs
//! on a thread and a runtime of its own, so that it never adds to what is measured, and it stops
//! when it is dropped.
//!
//! * What it received: [`Receiver::snapshot`] gives a [`Document`]; [`Receiver::requests`] the
//!   messages themselves, if asked for; [`Receiver::last_transport`] how the last one travelled.
//! * Log records: [`Receiver::logs`].
//! * How each series came: [`Receiver::series`] with all points, [`Receiver::violations`] with
//!   those that cannot be right; [`Receiver::resources`] and [`Receiver::scopes`] with all there
//!   were.
//! * When it received it: [`Receiver::wait_until`] and [`Receiver::wait_for_exports`]; no test
//!   needs to sleep.
//! * How it misbehaves: [`Receiver::set_fault`] with a [`Fault`], [`Receiver::set_faults`] with one
//!   for each request; [`Answer`] is any answer at all.
//! * Where it listens and how it speaks: [`ReceiverBuilder`]; with the feature `tls`, `TestCa`
//!   makes certificates for TLS.
//! * What stands between: a [`Relay`] that falls silent or refuses, an [`HttpProxy`] that notes
//!   what it was asked for.
//!
//! ```rust
//! use otlp_receiver::Receiver;
//!
//! let receiver = Receiver::start()?;
//! assert!(receiver.grpc_endpoint().starts_with("http://127.0.0.1:"));
//! assert!(receiver.http_endpoint().ends_with("/v1/metrics"));
//! // … let an exporter send there, then:
//! let document = receiver.snapshot();
//! assert_eq!(document.exports, 0);
//! # Ok::<(), otlp_receiver::ReceiverError>(())
//! ```

mod accumulate;
mod answer;
mod attributes;
mod background;
mod document;
mod encoding;
mod error;
mod fault;
mod gate;
mod grpc;
mod history;
mod http;
mod outsize;
mod point;
mod port;
mod proxy;
mod receiver;
mod relay;
mod script;
mod server;
mod state;
mod store;
#[cfg(feature = "tls")]
mod tls;
mod transport;

pub use answer::Answer;
pub use attributes::Attributes;
pub use document::{
    Buckets, Data, Document, ExponentialHistogram, Histogram, Metric, MetricType, Number, Point, Temporality,
};
pub use error::ReceiverError;
pub use fault::Fault;
pub use history::{Arrival, Breach, Interval, Scope, Series, Violation};
pub use port::lasting_port;
pub use proxy::{HttpProxy, ProxyRequest};
pub use receiver::{Receiver, ReceiverBuilder};
pub use relay::Relay;
pub use state::{Connections, State};
#[cfg(feature = "tls")]
pub use tls::{Identity, TestCa, Tls};
pub use tonic::Code;
pub use transport::{Protocol, Transport};
