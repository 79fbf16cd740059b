//! What one destination has of every series, and what each export carries.
//!
//! Driven by the outbox: it records snapshots and reports what became of each request. Does no I/O
//! and reads no clock.
//!
//! `Snapshot → Ledger → Metric → Block (Numbers | Histograms) → Series → points → wire::Requests`

mod block;
mod buckets;
mod histogram_point;
mod histograms;
mod kind;
mod ledger;
mod metric;
mod number_point;
mod numbers;
mod series;
mod totals;

#[cfg(test)]
mod tests;

pub(super) use ledger::Ledger;
