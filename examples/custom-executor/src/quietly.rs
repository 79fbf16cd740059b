//! Running code that is not ours: tasks, jobs, their drops.
//!
//! Called by workers. A worker must go on, whatever a task does.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What `run` returns, or what it panics with.
pub(crate) fn quietly<T>(run: impl FnOnce() -> T) -> Result<T, Box<dyn Any + Send>> {
    catch_unwind(AssertUnwindSafe(run))
}
