//! The ways to export that are compared.
//!
//! ```text
//! Case (subject, observed, workers, buckets) ─ prepare ─ Export: collect, encode ─ Delivered
//! ```
//!
//! A new one is a variant of [`Subject`] and an arm of [`Case::prepare`].

mod attached;
mod bridge;
mod case;
mod collect;
mod counts;
mod delivered;
mod expected;
mod from_zero;
mod kept;
mod loads;
mod observed;
mod otel_tokio;
mod otlp;
mod tokio_metrics;

pub use attached::Attached;
pub use bridge::{Bridge, Halves};
pub use case::{Case, Subject};
pub use counts::Counts;
pub use delivered::{Delivered, gzipped};
pub use observed::{Observed, pool};

/// One way to export, ready to do so again and again.
pub trait Export {
    /// What of an export its two functions do.
    fn steps(&self) -> Steps;

    /// Collects.
    fn collect(&mut self);

    /// Encodes what was collected. Does nothing where nothing is to be sent.
    fn encode(&mut self);

    /// What an export delivers: exports once more.
    fn delivered(&mut self) -> Delivered;

    /// Collects and encodes.
    fn export(&mut self) {
        self.collect();
        self.encode();
    }
}

/// What [`Export::collect`] and [`Export::encode`] do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Steps {
    /// Collecting, and encoding.
    Apart,
    /// Collecting; nothing is encoded.
    CollectOnly,
    /// Only both together are an export.
    Together,
}
