#![doc = include_str!("../README.md")]

mod activity;
mod arguments;
mod call_name;
mod coverage;
mod descriptor;
mod look;
mod proc;
mod run_state;
mod socket;
#[cfg(feature = "stack")]
mod stack;
mod thread;
mod thread_id;
mod unavailable;
mod waits;
mod waits_on;

pub use activity::Activity;
pub use coverage::{Coverage, coverage};
pub use look::{Call, CallLine, Look};
pub use run_state::RunState;
pub use socket::{Protocol, Socket};
#[cfg(feature = "stack")]
pub use stack::{Cut, Fold, Folded, Frame, NoStack, Origin, RawStack, Stack, Stacks};
#[cfg(all(feature = "sampling", target_os = "linux"))]
pub use stack::{NoSamples, Sample, SampledThread};
pub use thread::{LookError, Thread};
pub use thread_id::{ThreadId, threads};
pub use unavailable::Unavailable;
pub use waits_on::WaitsOn;
