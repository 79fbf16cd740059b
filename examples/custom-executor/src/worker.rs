//! The loop of a worker thread of the executor.
//!
//! Everything that a worker records about itself is recorded here, in `local.rs` and in `idle.rs`.
//! Never under a lock.

use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::thread;
use std::time::Duration;

use crossbeam_deque::{Steal, Stealer, Worker as Deque};
use worker_metrics::{Batch, Clock, Microstate};

use crate::budget;
use crate::idle::Bed;
use crate::local::{LOCAL_CAPACITY, Local};
use crate::shared::Shared;
use crate::state::Next;
use crate::task::Task;

/// Polls between two submits of a worker that does not park, and between two looks at the global
/// queue of one that has tasks of its own: both numbers are Tokio's default.
const INTERVAL: u32 = 61;

/// What a worker's thread is given.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) shared: Arc<Shared>,
    pub(crate) index: usize,
    pub(crate) queue: Deque<Arc<Task>>,
    pub(crate) batch: Batch,
    pub(crate) bed: Bed,
}

impl Worker {
    /// Works until the executor stops, and returns the queue with what is left in it.
    pub(crate) fn run(self) -> Option<Deque<Arc<Task>>> {
        let Self { shared, index, queue, batch, bed } = self;
        batch.metrics().set_thread(&thread::current());
        let clock = batch.clock();
        let local = Local::enter(Arc::clone(&shared), queue, batch);
        let mut running = Running { shared, index, local, loot: Deque::new_fifo(), clock, polls: 0 };
        while !running.shared.is_stopped() {
            match running.next() {
                Some(task) => running.poll(task),
                None => running.park(&bed),
            }
        }
        running.local.leave()
    }
}

struct Running {
    shared: Arc<Shared>,
    index: usize,
    local: Rc<Local>,
    /// Where a stolen batch is counted: nobody steals from here, so that its length is the number
    /// of tasks stolen.
    loot: Deque<Arc<Task>>,
    clock: Clock,
    polls: u32,
}

impl Running {
    fn next(&mut self) -> Option<Arc<Task>> {
        let own = if self.polls.is_multiple_of(INTERVAL) {
            self.shared.global.pop().or_else(|| self.local.pop())
        } else {
            self.local.pop()
        };
        own.or_else(|| {
            self.local.batch.borrow_mut().enter(Microstate::Searching);
            self.take_share().or_else(|| self.steal())
        })
    }

    fn poll(&mut self, task: Arc<Task>) {
        if !self.local.is_empty() {
            // The poll may take long. What is queued behind it is for others to steal.
            self.shared.idle.notify_one();
        }
        let Some(scheduled_at_ns) = task.start() else { return };
        // One reading of the clock ends the wait and begins the poll.
        let now_ns = self.clock.now_ns();
        {
            let mut batch = self.local.batch.borrow_mut();
            batch.scheduled_for(Duration::from_nanos(now_ns.saturating_sub(scheduled_at_ns)));
            batch.start_poll_at(now_ns);
        }

        self.local.budget.set(Some(budget::BUDGET));
        let waker = Waker::from(Arc::clone(&task));
        let next = task.poll(&mut Context::from_waker(&waker));

        let now_ns = self.clock.now_ns();
        self.local.batch.borrow_mut().end_poll_at(now_ns);
        if next == Next::Again {
            task.scheduled_at(now_ns);
            self.local.push(task);
        }
        self.polls = self.polls.wrapping_add(1);
        if self.polls.is_multiple_of(INTERVAL) {
            self.local.batch.borrow_mut().submit_at(now_ns);
        }
    }

    /// Takes this worker's share of the global queue.
    fn take_share(&self) -> Option<Arc<Task>> {
        let workers = self.shared.stealers.len();
        let mut share = self.shared.global.pop_share(workers, LOCAL_CAPACITY / 2).into_iter();
        let first = share.next();
        self.local.take_in(share);
        first
    }

    /// Steals a batch from the first of the others that has any.
    fn steal(&self) -> Option<Arc<Task>> {
        let (before, from) = self.shared.stealers.split_at(self.index);
        let victim = from.iter().skip(1).chain(before).find(|victim| self.steal_from(victim));
        victim.and_then(|_| {
            self.local.batch.borrow_mut().stole(self.loot.len() as u64);
            let first = self.loot.pop();
            self.local.take_in(std::iter::from_fn(|| self.loot.pop()));
            first
        })
    }

    fn steal_from(&self, victim: &Stealer<Arc<Task>>) -> bool {
        loop {
            match victim.steal_batch(&self.loot) {
                Steal::Success(()) => return true,
                Steal::Empty => return false,
                Steal::Retry => std::hint::spin_loop(),
            }
        }
    }

    fn park(&self, bed: &Bed) {
        let mut batch = self.local.batch.borrow_mut();
        self.shared.idle.park(bed, &mut batch, || self.shared.has_work());
    }
}
