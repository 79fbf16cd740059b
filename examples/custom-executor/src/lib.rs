#![doc = include_str!("../../../docs/embedding.md")]

mod block_on;
mod budget;
mod error;
mod executor;
mod idle;
mod job_pool;
mod join;
mod local;
mod promise;
mod queue;
mod quietly;
mod shared;
mod state;
mod task;
mod tasks;
mod threads;
mod worker;
mod yield_now;

pub use block_on::block_on;
pub use budget::{BUDGET, consume_budget};
pub use error::StartError;
pub use executor::{Executor, Handle};
pub use job_pool::JobPool;
pub use join::{JoinError, JoinHandle};
pub use local::LOCAL_CAPACITY;
pub use yield_now::yield_now;
