//! The facts that the core crate promises, through its public interface.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod batch;
mod catalogue;
mod clock;
mod histogram;
mod microstate;
mod namespace;
mod pool;
mod pool_metrics;
mod snapshot;
mod worker;
