#![doc = include_str!("../README.md")]

mod builder;
mod driving;
mod gate;
mod progress;
mod rows;
mod runtime;
mod stable;
mod unstable;

pub use builder::RuntimeBuilderExt;
pub use gate::Gate;
pub use runtime::{NoRuntimeError, TokioRuntime, ZeroStallThresholdError};
