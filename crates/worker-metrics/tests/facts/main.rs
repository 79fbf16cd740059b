//! The facts that the core crate promises, through its public interface.

mod batch;
mod catalogue;
mod clock;
mod histogram;
mod namespace;
mod pool;
mod pool_metrics;
mod snapshot;
mod worker;
