//! What one destination has of every series, and what each export carries.
//!
//! Driven by the outbox: it records snapshots and reports what became of each request. Does no I/O
//! and reads no clock.
//!
//! `Snapshot → Ledger → Metric → Block → Series (Life, values) → points → wire::Requests`

mod block;
mod buckets;
mod histogram;
mod ledger;
mod life;
mod metric;
mod number;
mod rule;
mod series;
mod totals;

#[cfg(test)]
mod tests;

pub(super) use ledger::Ledger;
