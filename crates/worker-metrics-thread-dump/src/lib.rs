#![doc = include_str!("../README.md")]

mod look;
mod thread;
mod thread_id;
mod unavailable;

pub use look::{Call, CallLine, Look};
pub use thread::{LookError, Thread};
pub use thread_id::{ThreadId, threads};
pub use unavailable::Unavailable;
