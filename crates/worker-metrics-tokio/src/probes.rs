//! Tasks that show that a worker gets on, and on which thread it runs.
//!
//! Spawned on the observed runtime by a source that a watchdog looks at. A probe records who polled
//! it and ends; it must not wait for a lock, panic, or keep the runtime alive.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU32};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use worker_metrics::Clock;

use crate::atomic::AtomicU64;
use crate::tasks::{current_worker, know_workers};
use crate::thread::Thread;

/// For so long a probe of a wave blocks its thread, so that each worker takes one of them. Probes
/// that return at once are taken by a few workers only: after 392 waves of 8 on an idle runtime,
/// one worker in two was still unknown; waves that block 1 ms found 2 of 2, 8 of 8, 64 of 64
/// workers at once (2026-11-25, Tokio 1.54.1, 2 cores).
const BLOCKS: Duration = Duration::from_millis(1);

/// The time from the first wave to the second; it doubles with each, up to [`LONGEST_PAUSE`]. A
/// wave misses workers where all CPUs are busy, and one that is blocked: the others then lose 1 ms
/// of 10 s.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// So many probes of a worker may wait at most: while all workers are blocked nobody takes them.
const MOST_WAITING: u64 = 2;

/// The probes of one source, and what they have found.
#[derive(Debug)]
pub(crate) struct Probes(Arc<Found>);

#[derive(Debug)]
pub(crate) struct Found {
    clock: Clock,
    workers: Box<[Answers]>,
    /// Tasks that this source ever spawned, the canary aside.
    spawned: AtomicU64,
    /// Those of them that have not ended.
    alive: AtomicU64,
    waves: AtomicU32,
    next_wave_at_ns: AtomicU64,
    all_known: AtomicBool,
}

/// What was found of one worker.
#[derive(Debug, Default)]
struct Answers {
    count: AtomicU64,
    answered_at_ns: AtomicU64,
    /// Whether there is a thread, which never goes away again.
    is_known: AtomicBool,
    /// The thread that polled as this worker last.
    thread: Mutex<Option<Thread>>,
}

impl Probes {
    pub(crate) fn new(workers: usize) -> Self {
        let found = Found {
            clock: Clock::new(),
            workers: std::iter::repeat_with(Answers::default).take(workers).collect(),
            spawned: AtomicU64::new(0),
            alive: AtomicU64::new(0),
            waves: AtomicU32::new(0),
            next_wave_at_ns: AtomicU64::new(0),
            all_known: AtomicBool::new(false),
        };
        Self(Arc::new(found))
    }

    /// Sends a wave of probes that finds the thread of each worker, unless all are known, or the
    /// last wave is still under way.
    pub(crate) fn learn(&self, handle: &Handle) {
        let found = &self.0;
        if found.all_known.load(Relaxed) || !found.can_answer() || found.alive.load(Relaxed) > 0 {
            return;
        }
        if found.workers.iter().all(|worker| worker.is_known.load(Relaxed)) {
            found.all_known.store(true, Relaxed);
        } else if found.wave_is_due() {
            let blocks = if found.workers.len() > 1 { BLOCKS } else { Duration::ZERO };
            (0..found.workers.len()).for_each(|_| self.send(handle, blocks));
        }
    }

    /// Sends one probe, which is answered by whichever worker takes it.
    pub(crate) fn probe(&self, handle: &Handle) {
        let most = MOST_WAITING.saturating_mul(self.0.workers.len() as u64);
        if self.0.can_answer() && self.0.alive.load(Relaxed) < most {
            self.send(handle, Duration::ZERO);
        }
    }

    fn send(&self, handle: &Handle, blocks: Duration) {
        let task = OwnTask::new(self);
        // On a runtime that was shut down the task is dropped at once.
        drop(handle.spawn(async move {
            task.answer();
            if !blocks.is_zero() {
                std::thread::sleep(blocks);
            }
        }));
    }

    /// How often the worker has answered: each answer is a poll of it.
    pub(crate) fn answers(&self, worker: usize) -> u64 {
        self.0.workers.get(worker).map_or(0, |worker| worker.count.load(Relaxed))
    }

    /// The thread that polled as the worker last, and how long ago.
    pub(crate) fn thread(&self, worker: usize) -> Option<(Thread, Duration)> {
        let worker = self.0.workers.get(worker)?;
        let thread = worker.thread.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
        let ago_ns = self.0.clock.now_ns().saturating_sub(worker.answered_at_ns.load(Relaxed));
        Some((thread, Duration::from_nanos(ago_ns)))
    }

    /// How many tasks of the runtime are this source's.
    pub(crate) fn alive(&self) -> u64 {
        self.0.alive.load(Relaxed)
    }

    /// How many tasks of the runtime were this source's.
    pub(crate) fn spawned(&self) -> u64 {
        self.0.spawned.load(Relaxed)
    }
}

impl Found {
    /// Whether a probe can say which worker polls it.
    fn can_answer(&self) -> bool {
        self.workers.len() == 1 || know_workers()
    }

    /// Whether it is time for the next wave, which then is the caller's to send.
    fn wave_is_due(&self) -> bool {
        let now_ns = self.clock.now_ns();
        let waves = self.waves.load(Relaxed);
        let pause_ns = u64::try_from(pause_after(waves).as_nanos()).unwrap_or(u64::MAX);
        let due_at_ns = self.next_wave_at_ns.load(Relaxed);
        let next_at_ns = now_ns.saturating_add(pause_ns);
        // Several threads may look at once: one of them sends.
        let is_ours = now_ns >= due_at_ns
            && self.next_wave_at_ns.compare_exchange(due_at_ns, next_at_ns, Relaxed, Relaxed).is_ok();
        if is_ours {
            self.waves.fetch_add(1, Relaxed);
        }
        is_ours
    }

    fn worker(&self) -> Option<&Answers> {
        let only = (self.workers.len() == 1).then_some(0);
        self.workers.get(only.or_else(current_worker)?)
    }
}

fn pause_after(waves: u32) -> Duration {
    FIRST_PAUSE.saturating_mul(1_u32.checked_shl(waves).unwrap_or(u32::MAX)).min(LONGEST_PAUSE)
}

/// A task of this source, as long as its future exists.
pub(crate) struct OwnTask(Arc<Found>);

impl OwnTask {
    pub(crate) fn new(probes: &Probes) -> Self {
        let found = probes.0.clone();
        // Before it is spawned: what Tokio counts is counted here already. Several threads may
        // collect, and the task ends on another.
        found.spawned.fetch_add(1, Relaxed);
        found.alive.fetch_add(1, Relaxed);
        Self(found)
    }

    /// Says which thread polls this task, as which worker.
    pub(crate) fn answer(&self) {
        let Some(worker) = self.0.worker() else { return };
        // A reader that holds the lock is not waited for: the next answer says it.
        if let (Ok(mut known), Some(thread)) = (worker.thread.try_lock(), Thread::current())
            && known.as_ref().is_none_or(|known| known.id != thread.id)
        {
            *known = Some(thread);
            worker.is_known.store(true, Relaxed);
        }
        worker.answered_at_ns.store(self.0.clock.now_ns(), Relaxed);
        // Two threads, where the worker was handed from one to the other.
        worker.count.fetch_add(1, Relaxed);
    }
}

impl Drop for OwnTask {
    fn drop(&mut self) {
        self.0.alive.fetch_sub(1, Relaxed);
    }
}

#[cfg(all(test, not(worker_metrics_loom)))]
mod tests {
    use super::*;

    #[test]
    fn the_pause_doubles_with_each_wave_up_to_the_longest() {
        let pauses = [0, 1, 2, 13, 14, 31, 32, u32::MAX].map(|waves| pause_after(waves).as_millis());
        assert_eq!(pauses, [1, 2, 4, 8_192, 10_000, 10_000, 10_000, 10_000]);
    }

    #[test]
    fn of_two_that_look_at_once_one_sends_the_wave() {
        let probes = Probes::new(2);
        let waves = std::thread::scope(|scope| {
            let looks = [(); 4].map(|()| scope.spawn(|| probes.0.wave_is_due()));
            looks.map(|look| look.join().unwrap())
        });
        // One, unless the machine takes a millisecond and more from one look to the next.
        let sent = waves.into_iter().filter(|sends| *sends).count();
        assert_eq!(u32::try_from(sent).unwrap(), probes.0.waves.load(Relaxed));
        assert!(sent >= 1);
    }

    #[test]
    fn a_worker_whose_thread_was_being_read_as_it_answered_is_asked_again() {
        let probes = Probes::new(1);
        let task = OwnTask::new(&probes);
        let reading = probes.0.workers[0].thread.lock().unwrap();
        task.answer();
        drop(reading);
        assert_eq!((probes.answers(0), probes.thread(0).is_none()), (1, true));
        assert!(!probes.0.workers[0].is_known.load(Relaxed));
        task.answer();
        assert!(probes.0.workers[0].is_known.load(Relaxed) && probes.thread(0).is_some());
    }

    #[test]
    fn a_task_counts_from_before_it_is_spawned_until_its_future_is_dropped() {
        let probes = Probes::new(1);
        let task = OwnTask::new(&probes);
        assert_eq!((probes.alive(), probes.spawned(), probes.answers(0)), (1, 1, 0));
        task.answer();
        task.answer();
        assert_eq!(probes.answers(0), 2);
        let (thread, _) = probes.thread(0).unwrap();
        assert_eq!(thread.id, std::thread::current().id());
        drop(task);
        assert_eq!((probes.alive(), probes.spawned()), (0, 1));
    }
}
