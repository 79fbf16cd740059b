#![doc = include_str!("../README.md")]

mod atomic;
mod attribute;
mod batch;
pub mod catalogue;
mod clock;
mod counter;
mod evidence;
pub mod histogram;
#[cfg(all(test, worker_metrics_loom))]
mod loom;
mod mean;
mod microstate;
mod namespace;
mod pool;
mod pool_metrics;
mod snapshot;
mod source;
mod stall_cause;
mod stall_snapshot;
mod thread_number;
mod worker;
mod worker_config;

pub use attribute::Attribute;
pub use batch::Batch;
pub use catalogue::{Definition, Metric};
pub use clock::Clock;
pub use counter::Counter;
pub use evidence::Evidence;
pub use microstate::{Microstate, MicrostateTimes};
pub use namespace::{Namespace, NamespaceError};
pub use pool::{Pool, PoolBuilder, PoolError};
pub use pool_metrics::PoolMetrics;
pub use snapshot::{Snapshot, TaskGroupSnapshot, WorkerSnapshot, WorkerState};
pub use source::{Coverage, Identity, Row, Source, WorkerInfo};
pub use stall_cause::StallCause;
pub use stall_snapshot::StallSnapshot;
pub use worker::WorkerMetrics;
pub use worker_config::WorkerConfig;
