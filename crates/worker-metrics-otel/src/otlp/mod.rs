//! OTLP requests, written field by field.
//!
//! Filled by the ledgers of one exporter, sent by its sink. What was written once, such as attributes and bounds, is copied; buffers are
//! kept. Nothing here does input or output, or reads a clock.
//!
//! `Descriptor, points → Requests (Envelope) → Part`

mod descriptor;
mod envelope;
mod moment;
mod outcome;
mod requests;
mod temporality;
pub(crate) mod wire;

pub(crate) use descriptor::{Descriptor, Kind, MetricInfo};
pub(crate) use envelope::Envelope;
pub(crate) use moment::Moment;
pub(crate) use outcome::Outcome;
pub(crate) use requests::{Limits, Part, PartId, Requests};
pub(crate) use temporality::aggregation_temporality;
