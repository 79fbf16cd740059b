//! What the dashboard, the rules, the runbook and the catalogue promise each other.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod board;
mod promql;
mod provisioning;
mod rules;
mod runbook;
mod tree;
