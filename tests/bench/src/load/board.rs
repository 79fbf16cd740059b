//! What the tasks of a load and the thread that measures them tell each other.
//!
//! Written by each task on a line of its own. The same whether the runtime is observed or not.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use worker_metrics::histogram::LocalHistogram;

use super::latencies::{Latencies, scale};

/// Nobody measures.
const NO_POOL: usize = usize::MAX;

#[derive(Debug)]
pub(super) struct Board {
    counts: Box<[Count]>,
    /// Where latencies go now.
    pool: AtomicUsize,
    is_over: AtomicBool,
}

/// What one task has done, on a line of its own.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Count(AtomicU64);

impl Board {
    pub(super) fn new(tasks: usize) -> Arc<Self> {
        let counts = (0..tasks).map(|_| Count::default()).collect();
        Arc::new(Self { counts, pool: NO_POOL.into(), is_over: false.into() })
    }

    /// What all tasks have done so far.
    pub(super) fn counted(&self) -> u64 {
        self.counts.iter().map(|count| count.0.load(Relaxed)).sum()
    }

    /// Latencies go into this pool from now on, or nowhere.
    pub(super) fn pool(&self, pool: Option<usize>) {
        self.pool.store(pool.unwrap_or(NO_POOL), Relaxed);
    }

    pub(super) fn end(&self) {
        self.is_over.store(true, Relaxed);
    }
}

/// What one task keeps: to count is one relaxed store.
#[derive(Debug)]
pub(super) struct Tally {
    board: Arc<Board>,
    task: usize,
    count: u64,
    pools: Vec<LocalHistogram>,
}

impl Tally {
    pub(super) fn new(board: &Arc<Board>, task: usize, pools: usize) -> Self {
        let pools = (0..pools).map(|_| LocalHistogram::new(scale())).collect();
        Self { board: board.clone(), task, count: 0, pools }
    }

    pub(super) fn is_over(&self) -> bool {
        self.board.is_over.load(Relaxed)
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }

    pub(super) fn add_one(&mut self) {
        self.count += 1;
        self.board.counts[self.task].0.store(self.count, Relaxed);
    }

    /// One of them took so long.
    pub(super) fn add_latency(&mut self, latency: Duration) {
        if let Some(pool) = self.pools.get_mut(self.board.pool.load(Relaxed)) {
            pool.measure(u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX));
        }
    }

    /// Adds the latencies of this task to those of all, pool by pool.
    pub(super) fn add_to(&self, all: &mut [Latencies]) {
        for (own, all) in self.pools.iter().zip(all) {
            all.add_counts(own.buckets());
        }
    }
}
