#![doc = include_str!("../README.md")]

mod atomic;
mod builder;
mod canary;
mod driving;
mod gate;
mod probes;
mod progress;
mod rows;
mod runtime;
mod sentinel;
mod stable;
mod tasks;
mod thread;
mod unstable;

pub use builder::RuntimeBuilderExt;
pub use canary::CanaryError;
pub use gate::Gate;
pub use runtime::{NoRuntimeError, TokioRuntime, ZeroStallThresholdError};
pub use tasks::{
    Hooks, Instrumented, TaskMetrics, TaskMetricsBuilder, TaskMetricsError, UnknownTaskGroupError,
};

// What a user of a Tokio source meets of the core, and the core itself for the rest.
pub use worker_metrics;
#[doc(no_inline)]
pub use worker_metrics::{
    Attribute, Counter, Coverage, Definition, Evidence, Identity, Metric, Namespace, Row, Snapshot, Source,
    TaskGroupSnapshot, WorkerInfo, WorkerSnapshot, WorkerState,
};
