//! Polls and schedulings of tasks, measured around their futures: what stable Tokio does not
//! measure itself.
//!
//! ```text
//! Instrumented (the future) ─ its waker stamps each wake ─┐
//!   poll begins, ends ─ writer of this thread (thread.rs) ─┴─ Block (one thread, one worker) ─ Reader ─ Snapshot
//! Hooks (park, unpark) ─────────────┘
//! Hooks (before, after a poll) ─ Polled (one thread) ─ Reader: every task's polls, without a clock
//! ```

mod block;
mod error;
mod hooks;
mod instrumented;
mod locations;
mod metrics;
mod polled;
mod reader;
mod shared;
mod thread;
mod waker;
mod worker;

pub(crate) use block::Activity;
pub use error::{TaskMetricsError, UnknownTaskGroupError};
pub use hooks::Hooks;
pub(crate) use hooks::PollHooks;
pub use instrumented::Instrumented;
pub use metrics::{TaskMetrics, TaskMetricsBuilder};
pub(crate) use polled::Sequence;
pub(crate) use reader::Reader;
pub(crate) use worker::{current_worker, know_workers};
