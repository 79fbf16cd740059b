//! Everything that leaves by OTLP: a push of its own, or an exporter for the program's meter
//! provider.
//!
//! The two are one: a pipeline with an outbox and a client, driven by its own thread or by a
//! reader.
//!
//! `Registry → Outbox (delivery → wire) → Pipeline → Client → receiver`

mod builder;
mod client;
mod config;
mod connection;
mod delivery;
mod destination;
mod events;
mod exporter;
mod outbox;
mod pipeline;
mod push;
mod wire;

pub(crate) use builder::Origin;
pub use builder::Otlp;
pub use client::{Cause, ExportError};
#[cfg(feature = "tls")]
pub use config::Tls;
pub use config::{Compression, OtlpError, OtlpResource, Protocol, RetryPolicy};
pub(crate) use destination::Destinations;
pub use exporter::OtlpExporter;
pub use push::Push;
