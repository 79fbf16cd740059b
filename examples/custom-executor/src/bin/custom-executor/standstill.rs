//! A moment at which every worker is busy and every queue holds something, so that no metric is 0.

use custom_executor::{JoinHandle, block_on};

use crate::error::Failure;
use crate::pools::Pools;
use crate::tally::Tally;

/// Both pools, held until [`end`](Self::end).
#[derive(Debug)]
pub(crate) struct Standstill {
    released: Tally,
    tasks: Vec<JoinHandle<()>>,
}

impl Standstill {
    /// Returns when all workers are held.
    pub(crate) fn begin(pools: &Pools) -> Self {
        let (held, released) = (Tally::default(), Tally::default());
        let mut tasks = Vec::new();
        let hold = || {
            let (held, released) = (held.clone(), released.clone());
            move || {
                held.add_one();
                released.wait_for(1);
            }
        };
        for worker in 0..pools.workers {
            tasks.push(pools.jobs.submit(hold()));
            let (hold, handle) = (hold(), pools.executor.handle().clone());
            // The last to be held leaves a task in its own queue, which nobody is left to steal.
            let last = worker + 1 == pools.workers;
            if last {
                held.wait_for(2 * pools.workers - 1);
            }
            tasks.push(pools.executor.spawn(async move {
                if last {
                    drop(handle.spawn(async {}));
                }
                hold();
            }));
        }
        held.wait_for(2 * pools.workers);
        // And one for each of the queues that all share.
        tasks.push(pools.jobs.submit(|| ()));
        tasks.push(pools.executor.spawn(async {}));
        Self { released, tasks }
    }

    pub(crate) fn end(self) -> Result<(), Failure> {
        self.released.add_one();
        for task in self.tasks {
            block_on(task)?;
        }
        Ok(())
    }
}
