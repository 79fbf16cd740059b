//! Numbers, as OTLP messages, without the SDK.
//!
//! Called by the exporter, which gives the [`Ledger`] what the sources say and sends what it returns. Nothing here does input or output,
//! or reads a clock.
//!
//! `Number → Ledger (Metric: Block: Series) → Point → otlp::Requests`

mod block;
mod kind;
mod ledger;
mod metric;
mod point;
mod series;
#[cfg(test)]
mod tests;

pub(crate) use kind::Kind;
pub(crate) use ledger::{Ledger, Source};
