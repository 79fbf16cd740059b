//! One thread on every processor.

use std::num::NonZero;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread;

use super::counters::{Apart, load_and_store};
use super::subject::{Run, Subject};

/// Events between two looks at whether to stop.
const EVENTS: u64 = 256;

/// Of fewer it cannot be told whether the others recorded meanwhile.
pub(super) const FEWEST_EVENTS: u64 = 16 * EVENTS;

/// As many as there are processors.
pub(super) fn all() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get)
}

/// Ends the others, also where the measured thread panics.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

/// The threads beside the measured one.
#[derive(Debug)]
pub(super) struct Others(Vec<Apart>);

impl Others {
    /// How far each has come.
    pub(super) fn progress(&self) -> Vec<u64> {
        self.0.iter().map(|rounds| rounds.0.load(Relaxed)).collect()
    }

    /// Whether every one of them has recorded since.
    pub(super) fn have_recorded_since(&self, progress: &[u64]) -> bool {
        self.progress().iter().zip(progress).all(|(now, then)| now > then)
    }
}

/// Lets `measured` have the first of `threads` threads, while all others record without a break.
pub(super) fn alongside<R>(subject: &Subject, threads: usize, measured: impl FnOnce(Run, &Others) -> R) -> R {
    let (running, stop) = (AtomicUsize::new(1), AtomicBool::new(false));
    let others = Others((1..threads).map(|_| Apart::default()).collect());
    thread::scope(|scope| {
        for (number, rounds) in (1..threads).zip(&others.0) {
            let (running, stop) = (&running, &stop);
            scope.spawn(move || {
                let mut run = subject.run(number);
                run(EVENTS);
                running.fetch_add(1, Relaxed);
                while !stop.load(Relaxed) {
                    run(EVENTS);
                    load_and_store(&rounds.0);
                }
            });
        }
        let _stop = Stop(&stop);
        let run = subject.run(0);
        while running.load(Relaxed) < threads {
            thread::yield_now();
        }
        measured(run, &others)
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicU64;

    use super::*;

    #[test]
    fn every_other_thread_records_before_the_measured_one_begins() {
        let counts: Arc<[AtomicU64; 3]> = Arc::default();
        let counted = counts.clone();
        let subject = Subject::new("an event", move |thread| {
            let counts = counted.clone();
            move || {
                counts[thread].fetch_add(1, Relaxed);
            }
        });
        alongside(&subject, counts.len(), |mut run, others| {
            assert!(counts[1..].iter().all(|count| count.load(Relaxed) >= EVENTS));
            assert_eq!(counts[0].load(Relaxed), 0);
            run(7);
            let progress = others.progress();
            assert_eq!(progress.len(), 2);
            while !others.have_recorded_since(&progress) {
                thread::yield_now();
            }
        });
        assert_eq!(counts[0].load(Relaxed), 7);
    }
}
