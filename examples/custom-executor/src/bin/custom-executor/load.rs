//! The ordinary load: uneven work, yields, budgets, and wakes from other threads.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use custom_executor::{BUDGET, Handle, JobPool, JoinError, block_on, consume_budget, yield_now};

use crate::error::Failure;
use crate::pools::Pools;

/// Tasks that one round spawns at once, from inside the executor.
const TASKS: u32 = 64;

/// One round after another, until the time is over.
pub(crate) fn run(pools: &Pools, duration: Duration) -> Result<(), Failure> {
    let started = Instant::now();
    while started.elapsed() < duration {
        let (handle, jobs) = (pools.executor.handle().clone(), Arc::clone(&pools.jobs));
        block_on(pools.executor.spawn(round(handle, jobs)))??;
    }
    Ok(())
}

async fn round(handle: Handle, jobs: Arc<JobPool>) -> Result<(), JoinError> {
    let tasks: Vec<_> = (0..TASKS).map(|task| handle.spawn(work(task, Arc::clone(&jobs)))).collect();
    for task in tasks {
        task.await??;
    }
    Ok(())
}

async fn work(task: u32, jobs: Arc<JobPool>) -> Result<(), JoinError> {
    // Some tasks take a hundred times as long as others.
    compute(if task.is_multiple_of(16) { 100_000 } else { 1_000 });
    yield_now().await;
    if task.is_multiple_of(8) {
        // The thread of the job wakes the task.
        jobs.submit(|| compute(50_000)).await?;
    }
    if task.is_multiple_of(32) {
        for _ in 0..=2 * BUDGET {
            consume_budget().await;
        }
    }
    Ok(())
}

fn compute(steps: u64) {
    black_box((0..steps).fold(0_u64, |sum, step| sum.wrapping_mul(31).wrapping_add(black_box(step))));
}
