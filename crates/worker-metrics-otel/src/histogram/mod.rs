//! Histograms that are aggregated already, as OTLP messages.
//!
//! Called by the exporter, which gives the [`Ledger`] what the sources hold and sends what it returns. Nothing here does
//! input or output, reads a clock, or costs more because more was counted: the buckets alone decide.
//!
//! `HistogramSnapshot → Ledger (Series: Totals) → Layout → Point → otlp::Requests`

mod error;
mod layout;
mod ledger;
mod options;
mod point;
mod series;
mod totals;

#[cfg(test)]
mod tests;

pub use error::BoundsError;
pub(crate) use ledger::Ledger;
pub use options::{HistogramOptions, Sum};
pub(crate) use series::SeriesId;
