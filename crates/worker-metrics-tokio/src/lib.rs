#![doc = include_str!("../README.md")]

mod atomic;
mod builder;
mod canary;
mod driving;
mod gate;
mod progress;
mod rows;
mod runtime;
mod stable;
mod tasks;
mod unstable;

pub use builder::RuntimeBuilderExt;
pub use canary::CanaryError;
pub use gate::Gate;
pub use runtime::{NoRuntimeError, TokioRuntime, ZeroStallThresholdError};
pub use tasks::{
    Hooks, Instrumented, TaskMetrics, TaskMetricsBuilder, TaskMetricsError, UnknownTaskGroupError,
};
