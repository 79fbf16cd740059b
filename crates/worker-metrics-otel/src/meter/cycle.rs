//! One snapshot of every source for each collection cycle of one meter.
//!
//! The SDK runs the callbacks of a cycle one after another on one thread, and says nothing when a
//! cycle begins. A callback that runs for the second time begins the next one: any callback, since
//! a view may have dropped the others.

use std::sync::{Arc, Mutex};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use worker_metrics::{Metric, Snapshot};

use super::replay::{Recorded, Replay};
use crate::lock::lock;
use crate::options::ReplayOptions;
use crate::source::{Attached, Last, Number, Registry, Snapshots};

/// The cycles of one meter, one for each thread that collects: two readers may collect at the same
/// time.
#[derive(Default)]
pub(super) struct Cycles {
    by_thread: Mutex<Vec<(ThreadId, Arc<Mutex<Cycle>>)>>,
    /// The last values of sources that were detached, with a number each, for the next cycle of
    /// every thread.
    ended: Mutex<Ended>,
    /// Where histograms are replayed.
    pub(super) replay: Option<Mutex<Replay>>,
    log: Mutex<Log>,
    /// Values that an earlier meter has observed already, by attachment: counters go on from there.
    observed_before: Vec<ObservedBefore>,
}

/// The counters of one source as an earlier meter has observed them.
pub(super) struct ObservedBefore {
    pub(super) attachment: u64,
    /// By metric and by series.
    pub(super) counts: Vec<(Metric, Box<[Number]>)>,
}

#[derive(Default)]
struct Ended {
    count: u64,
    last: Vec<(u64, Last, Instant)>,
}

/// When cycles began.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Log {
    pub(super) count: u64,
    pub(super) last: Option<Instant>,
    /// The longest time between two cycles.
    pub(super) longest_pause: Option<Duration>,
}

/// How many threads' snapshots are kept for their next cycle. A reader has one thread of its own;
/// more than these are programs that collect by hand from changing threads.
const KEPT_THREADS: usize = 8;

/// Time after which last values are given up that no cycle has come for.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(600);

impl Cycles {
    pub(super) fn new(
        replay: Option<ReplayOptions>,
        observed_before: Vec<ObservedBefore>,
        recorded_before: Recorded,
    ) -> Self {
        let replay = replay.map(|options| Mutex::new(Replay::new(options, recorded_before)));
        Self { replay, observed_before, ..Self::default() }
    }

    pub(super) fn log(&self) -> Log {
        *lock(&self.log)
    }

    /// Lets the next cycle of each thread see the last values of a source.
    pub(super) fn end(&self, last: &Last) {
        let mut ended = lock(&self.ended);
        ended.count += 1;
        let (number, now) = (ended.count, Instant::now());
        ended.last.retain(|(_, _, since)| now.saturating_duration_since(*since) < LONGEST_WAIT);
        ended.last.push((number, last.clone(), now));
        drop(ended);
        if let Some(replay) = &self.replay {
            lock(replay).end(last, now);
        }
    }

    /// What counters of a source count from.
    pub(super) fn base<'a>(&'a self, attached: &'a Attached, metric: Metric) -> &'a [Number] {
        let before = self.observed_before.iter().find(|before| before.attachment == attached.number());
        let counts = before.and_then(|before| before.counts.iter().find(|(known, _)| *known == metric));
        match counts {
            Some((_, counts)) => counts,
            None => attached.row(metric).map_or(&[], |row| row.base()),
        }
    }

    /// The counters of every source as they were observed last, on any thread.
    pub(super) fn observed(&self) -> Vec<ObservedBefore> {
        let mut observed: Vec<ObservedBefore> = Vec::new();
        for (_, cycle) in lock(&self.by_thread).iter() {
            let cycle = lock(cycle);
            for (attached, snapshot) in
                cycle.snapshots.iter().filter(|(attached, _)| !cycle.has_earlier(attached))
            {
                let rows = attached.rows().iter().map(|row| (row.metric, row.counts_at(snapshot)));
                let counts = rows.filter(|(_, counts)| !counts.is_empty()).collect();
                observed.retain(|known| known.attachment != attached.number());
                observed.push(ObservedBefore { attachment: attached.number(), counts });
            }
        }
        observed
    }

    /// Runs `observe` for every source with its snapshot of this cycle, on behalf of one callback.
    ///
    /// Counters of a source that is attached again begin with 0 after a cycle without them: the SDK
    /// computes a delta as the difference to the cycle before, and does not mind that it may be
    /// below 0.
    pub(super) fn observe(
        &self,
        registry: &Registry,
        callback: usize,
        is_counter: bool,
        mut observe: impl FnMut(&Attached, &Snapshot),
    ) {
        let cycle = self.of_this_thread();
        let mut cycle = lock(&cycle);
        if cycle.begins_with(callback) {
            self.begin(&mut cycle, registry);
        }
        // Of two values of one series the SDK takes the last.
        cycle.ended.iter().for_each(|last| observe(&last.attached, &last.snapshot));
        let is_shown = |attached: &Attached| !is_counter || !cycle.has_earlier(attached);
        let live = cycle.snapshots.iter().filter(|(attached, _)| is_shown(attached));
        live.for_each(|(attached, snapshot)| observe(&attached, snapshot));
    }

    fn begin(&self, cycle: &mut Cycle, registry: &Registry) {
        cycle.snapshots.refresh(registry, self.replay.is_some());
        {
            let ended = lock(&self.ended);
            let seen = std::mem::replace(&mut cycle.seen_ended, ended.count);
            let new = ended.last.iter().filter(|(number, ..)| *number > seen);
            cycle.waiting.extend(new.map(|(_, last, _)| last.clone()));
        }
        cycle.show_ended();
        self.forget_seen_by_all(cycle);
        if let Some(replay) = &self.replay {
            lock(replay).run(&cycle.snapshots);
        }
        let mut log = lock(&self.log);
        let now = Instant::now();
        if let Some(last) = log.last.replace(now) {
            let pause = now.saturating_duration_since(last);
            log.longest_pause = Some(log.longest_pause.map_or(pause, |longest| longest.max(pause)));
        }
        log.count += 1;
    }

    /// Forgets last values that the cycles of all threads have seen.
    fn forget_seen_by_all(&self, this: &Cycle) {
        let mut ended = lock(&self.ended);
        if ended.last.is_empty() {
            return;
        }
        let others = lock(&self.by_thread).len() - 1;
        // With one reader, which is the rule, this is all there are. Of several, each forgets by
        // time.
        if others == 0 {
            ended.last.retain(|(number, ..)| *number > this.seen_ended);
        }
    }

    fn of_this_thread(&self) -> Arc<Mutex<Cycle>> {
        let this_thread = thread::current().id();
        let mut by_thread = lock(&self.by_thread);
        if let Some((_, cycle)) = by_thread.iter().find(|(thread, _)| *thread == this_thread) {
            return cycle.clone();
        }
        if by_thread.len() == KEPT_THREADS {
            by_thread.remove(0);
        }
        let cycle = Arc::default();
        by_thread.push((this_thread, Arc::clone(&cycle)));
        cycle
    }
}

/// The snapshots of one cycle, and the callbacks that it has run.
#[derive(Default)]
struct Cycle {
    has_run: Vec<bool>,
    snapshots: Snapshots,
    /// Sources that were detached, and are shown once more.
    ended: Vec<Last>,
    /// Those that the cycle before has shown once more.
    ended_before: Vec<Last>,
    /// Those whose series an earlier attachment of the same source still has.
    waiting: Vec<Last>,
    seen_ended: u64,
}

impl Cycle {
    /// Chooses which of the detached sources are shown now. Between two attachments of one source
    /// is a cycle without it.
    fn show_ended(&mut self) {
        std::mem::swap(&mut self.ended, &mut self.ended_before);
        self.ended.clear();
        let Self { ended, ended_before, waiting, .. } = self;
        waiting.retain(|last| {
            let has_to_wait =
                ended.iter().chain(ended_before.iter()).any(|earlier| is_same(earlier, &last.attached));
            if !has_to_wait {
                ended.push(last.clone());
            }
            has_to_wait
        });
    }

    /// Whether an earlier attachment of the same source still has the series, or had them in the
    /// cycle before.
    fn has_earlier(&self, attached: &Attached) -> bool {
        let mut earlier = self.ended.iter().chain(&self.ended_before).chain(&self.waiting);
        earlier.any(|earlier| is_same(earlier, attached))
    }

    /// Whether the next cycle begins with this callback, which runs now.
    fn begins_with(&mut self, callback: usize) -> bool {
        let is_first = self.has_run.is_empty();
        if self.has_run.len() <= callback {
            self.has_run.resize(callback + 1, false);
        }
        let begins = is_first || self.has_run[callback];
        if begins {
            self.has_run.fill(false);
        }
        self.has_run[callback] = true;
        begins
    }
}

/// Whether this was an attachment of the same source.
fn is_same(last: &Last, attached: &Attached) -> bool {
    let (one, other) = (last.attached.identity(), attached.identity());
    one.id == other.id && one.namespace == other.namespace
}
