//! What a source reads of the tasks.
//!
//! Kept by the source, used at each collection. Reading resets nothing, and allocates only when a
//! thread has begun to run a worker.

use std::ops::RangeBounds;
use std::panic::Location;
use std::sync::Arc;
use std::thread::ThreadId;
use std::time::Duration;

use worker_metrics::Snapshot;
use worker_metrics::histogram::{Histogram, HistogramSnapshot};

use super::block::{Activity, Block};
use super::locations;
use super::polled::Polled;
use super::shared::{PolledThreads, Shared};
use crate::thread::Thread;

#[derive(Debug)]
pub(crate) struct Reader {
    shared: Arc<Shared>,
    blocks: Vec<Arc<Block>>,
    /// By worker, the index of the block of the thread that runs it: a thread that handed it over
    /// is silent from then on.
    current: Vec<Option<usize>>,
    polled: PolledThreads,
    one: HistogramSnapshot,
}

/// The task that a worker polls now, as far as it is known.
#[derive(Debug, Default)]
pub(crate) struct Task {
    pub(crate) group: Option<Arc<str>>,
    pub(crate) location: Option<&'static Location<'static>>,
}

impl Reader {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            blocks: Vec::new(),
            current: Vec::new(),
            polled: PolledThreads::default(),
            one: HistogramSnapshot::default(),
        }
    }

    /// Learns which thread runs each of `workers`; before anything is read of them. `settled` is
    /// the thread that is sure to run a worker, where Tokio tells it.
    pub(crate) fn refresh(
        &mut self,
        workers: impl RangeBounds<usize>,
        settled: impl Fn(usize) -> Option<ThreadId>,
    ) {
        let Self { shared, blocks, current, polled, .. } = self;
        shared.extend(blocks);
        shared.polled_into(polled);
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

    /// What the worker is doing now. `settled` is the thread that is sure to run it.
    pub(crate) fn activity(&self, worker: usize, settled: Option<ThreadId>) -> Activity {
        let polled = self.polled(settled);
        let sequence = polled.map(|polled| (polled.thread.id, polled.sequence()));
        let is_settled = settled.is_some() || self.shared.is_hooked();
        let Some(block) = self.current(worker) else {
            return Activity { sequence, is_settled, ..Activity::default() };
        };
        let (poll, active_at_ns) = (block.poll(), block.active_at_ns());
        // After the loads: what they saw has begun before.
        let now_ns = self.shared.clock.now_ns();
        let since = |at_ns| Duration::from_nanos(now_ns.saturating_sub(at_ns));
        Activity {
            poll_age: poll.map(|poll| since(poll.began_at_ns)),
            sequence,
            quiet_for: Some(since(active_at_ns)),
            is_settled,
        }
    }

    /// The thread that runs the worker, or did when it was last heard of.
    pub(crate) fn thread(&self, worker: usize, settled: Option<ThreadId>) -> Option<Thread> {
        let polled = || self.polled(settled).map(|polled| polled.thread.clone());
        self.current(worker).and_then(Block::thread).or_else(polled)
    }

    /// The group and the location of the task that the worker polls now, both of one poll.
    pub(crate) fn task(&self, worker: usize, settled: Option<ThreadId>) -> Task {
        let polled = self.polled(settled);
        let sequence = polled.map(Polled::sequence).filter(|sequence| sequence.is_poll());
        let location = polled.zip(sequence).and_then(|(polled, sequence)| polled.location_in(sequence));
        let poll = self.current(worker).and_then(Block::poll);
        if polled.map(Polled::sequence).filter(|sequence| sequence.is_poll()) != sequence {
            return Task::default();
        }
        Task {
            group: poll.and_then(|poll| self.shared.groups.get(poll.group?).cloned()),
            // Where the whole task was spawned, and not where a part of it was instrumented.
            location: location.or(poll.map(|poll| poll.location)).and_then(locations::at),
        }
    }

    /// A number that changes when a poll of the worker begins or ends, and when it parks or
    /// unparks.
    pub(crate) fn signs_of_life(&self, worker: usize) -> u64 {
        let ours = self.blocks.iter().filter(|block| block.worker() == Some(worker));
        ours.fold(0, |sum, block| sum.wrapping_add(block.signs_of_life()))
    }

    /// The polls of the thread that is sure to run a worker.
    fn polled(&self, settled: Option<ThreadId>) -> Option<&Polled> {
        let settled = settled?;
        self.polled.all().iter().map(|polled| &**polled).find(|polled| polled.thread.id == settled)
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
