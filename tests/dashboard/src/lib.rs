//! The Grafana dashboard of `deploy/grafana`, made from the catalogue.
//!
//! [`board`] says which panels there are, [`query`] makes their queries, [`panel`] and [`model`]
//! make Grafana's JSON of them. Like the table of `docs/metrics.md` it is written by a test:
//! `UPDATE=1 cargo test -p dashboard`.

pub mod board;
pub mod model;
pub mod panel;
pub mod prometheus;
pub mod query;
