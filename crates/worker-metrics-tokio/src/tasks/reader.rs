//! What a source reads of the tasks.
//!
//! Kept by the source, used at each collection. Reading resets nothing, and allocates only when a
//! thread has begun to run a worker.

use std::ops::RangeBounds;
use std::sync::Arc;
use std::thread::ThreadId;
use std::time::Duration;

use worker_metrics::Snapshot;
use worker_metrics::histogram::{Histogram, HistogramSnapshot};

use super::block::{Activity, Block};
use super::shared::Shared;
use crate::thread::Thread;

#[derive(Debug)]
pub(crate) struct Reader {
    shared: Arc<Shared>,
    blocks: Vec<Arc<Block>>,
    /// By worker, the index of the block of the thread that runs it: a thread that handed it over
    /// is silent from then on.
    current: Vec<Option<usize>>,
    one: HistogramSnapshot,
}

impl Reader {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, blocks: Vec::new(), current: Vec::new(), one: HistogramSnapshot::default() }
    }

    /// Learns which thread runs each of `workers`; before anything is read of them. `settled` is
    /// the thread that is sure to run a worker, where Tokio tells it.
    pub(crate) fn refresh(
        &mut self,
        workers: impl RangeBounds<usize>,
        settled: impl Fn(usize) -> Option<ThreadId>,
    ) {
        let Self { shared, blocks, current, .. } = self;
        shared.extend(blocks);
        current
            .iter_mut()
            .enumerate()
            .filter(|(worker, _)| workers.contains(worker))
            .for_each(|(_, current)| *current = None);
        for (index, block) in blocks.iter().enumerate() {
            let Some(worker) = block.worker().filter(|worker| workers.contains(worker)) else { continue };
            if current.len() <= worker {
                current.resize(worker + 1, None);
            }
            let active_at_ns = |index: usize| blocks.get(index).map(|block| block.active_at_ns());
            let is_current = match settled(worker) {
                Some(thread) => block.is_of(thread),
                None => current[worker].and_then(active_at_ns) <= Some(block.active_at_ns()),
            };
            if is_current {
                current[worker] = Some(index);
            }
        }
    }

    /// What the worker is doing now.
    pub(crate) fn activity(&self, worker: usize, is_settled: bool) -> Activity {
        let Some(block) = self.current(worker) else { return Activity::default() };
        let (began_at_ns, active_at_ns) = (block.poll_began_at_ns(), block.active_at_ns());
        // After the loads: what they saw has begun before.
        let now_ns = self.shared.clock.now_ns();
        let since = |at_ns| Duration::from_nanos(now_ns.saturating_sub(at_ns));
        Activity {
            poll_age: began_at_ns.map(since),
            quiet_for: Some(since(active_at_ns)),
            is_settled: is_settled || self.shared.is_hooked(),
        }
    }

    /// The thread that runs the worker, or did when it was last heard of.
    pub(crate) fn thread(&self, worker: usize) -> Option<Thread> {
        self.current(worker)?.thread()
    }

    /// The group of the task that the worker polls now.
    pub(crate) fn task_group(&self, worker: usize) -> Option<Arc<str>> {
        self.shared.groups.get(self.current(worker)?.group()?).cloned()
    }

    /// A number that changes when a poll of the worker begins or ends, and when it parks or unparks.
    pub(crate) fn signs_of_life(&self, worker: usize) -> u64 {
        let ours = self.blocks.iter().filter(|block| block.worker() == Some(worker));
        ours.fold(0, |sum, block| sum.wrapping_add(block.active_at_ns()))
    }

    fn current(&self, worker: usize) -> Option<&Block> {
        let index = self.current.get(worker).copied().flatten()?;
        self.blocks.get(index).map(|block| &**block)
    }

    /// Adds up the histograms of each worker, where they are wanted.
    pub(crate) fn read_workers(&mut self, polls: bool, schedules: bool, snapshot: &mut Snapshot) {
        let Self { shared, blocks, one, .. } = self;
        let empty = (0..shared.scale.buckets()).map(|_| 0);
        for worker in snapshot.workers_mut() {
            if polls {
                worker.poll_time_histogram.fill(&shared.scale, empty.clone(), Some(0));
            }
            if schedules {
                worker.schedule_latency_histogram.fill(&shared.scale, empty.clone(), Some(0));
            }
        }
        for block in blocks {
            let worker = block.worker().and_then(|worker| snapshot.workers_mut().get_mut(worker));
            let Some(worker) = worker else { continue };
            if polls {
                add(&block.all.poll, one, &mut worker.poll_time_histogram);
            }
            if schedules {
                add(&block.all.schedule, one, &mut worker.schedule_latency_histogram);
            }
        }
    }

    /// Adds up the histograms of each group, over all threads.
    pub(crate) fn read_groups(&mut self, snapshot: &mut Snapshot) {
        let Self { shared, blocks, one, .. } = self;
        let empty = (0..shared.scale.buckets()).map(|_| 0);
        for (index, group) in snapshot.task_groups_mut(shared.groups.len()).iter_mut().enumerate() {
            group.poll_time_histogram.fill(&shared.scale, empty.clone(), Some(0));
            group.schedule_latency_histogram.fill(&shared.scale, empty.clone(), Some(0));
            for pair in blocks.iter().filter_map(|block| block.groups.get(index)) {
                add(&pair.poll, one, &mut group.poll_time_histogram);
                add(&pair.schedule, one, &mut group.schedule_latency_histogram);
            }
        }
    }
}

fn add(from: &Histogram, one: &mut HistogramSnapshot, to: &mut HistogramSnapshot) {
    from.snapshot_into(one);
    // All of them are on one scale.
    drop(to.merge(one));
}
