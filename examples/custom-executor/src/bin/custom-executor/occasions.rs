//! What the ordinary load brings about by luck, brought about for certain: a noop, an overflow, a
//! steal.

use std::future::poll_fn;
use std::sync::{Mutex, PoisonError};
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

use custom_executor::{LOCAL_CAPACITY, block_on};

use crate::error::Failure;
use crate::pools::Pools;
use crate::tally::Tally;

/// Time for idle workers to park: far more than they need.
const PATIENCE: Duration = Duration::from_secs(10);

/// Wakes a worker for nothing: a task that waits is aborted while all workers sleep.
pub(crate) fn noop(pools: &Pools) -> Result<(), Failure> {
    let waker = Mutex::new(None);
    let waiting = pools.executor.spawn(poll_fn(move |context| {
        *waker.lock().unwrap_or_else(PoisonError::into_inner) = Some(context.waker().clone());
        Poll::<()>::Pending
    }));
    let pool = pools.executor.pool();
    let polled = || pool.workers().iter().any(|worker| worker.poll_count() > 0);
    let parked = || pool.workers().iter().all(|worker| !worker.is_running());
    let started = Instant::now();
    while !(polled() && parked()) {
        if started.elapsed() > PATIENCE {
            return Err(Failure::Restless("main".to_owned()));
        }
        thread::yield_now();
    }
    waiting.abort();
    // That it was dropped is what it was made for.
    _ = block_on(waiting);
    Ok(())
}

/// One worker queues more than its queue holds while all the others are held, and then blocks until
/// they have run all of it.
pub(crate) fn overflow_and_steal(pools: &Pools) -> Result<(), Failure> {
    const CHILDREN: usize = 2 * LOCAL_CAPACITY;
    let (held, released, ran) = (Tally::default(), Tally::default(), Tally::default());
    let hold = |_| {
        let (held, released) = (held.clone(), released.clone());
        pools.executor.spawn(async move {
            held.add_one();
            released.wait_for(1);
        })
    };
    let others: Vec<_> = (1..pools.workers).map(hold).collect();
    held.wait_for(pools.workers - 1);
    let handle = pools.executor.handle().clone();
    let owner = pools.executor.spawn(async move {
        for _ in 0..CHILDREN {
            let ran = ran.clone();
            drop(handle.spawn(async move { ran.add_one() }));
        }
        released.add_one();
        ran.wait_for(CHILDREN);
    });
    for task in others.into_iter().chain([owner]) {
        block_on(task)?;
    }
    Ok(())
}
