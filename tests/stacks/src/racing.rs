//! Captures of threads that never stay where they are.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::mpsc::channel;
use std::thread;

use worker_metrics_thread_dump::{NoStack, RawStack, Stacks, Thread, ThreadId};

use crate::block::Briefly;
use crate::chain::{self, Chain};
use crate::random::Random;
use crate::truth::{Comparison, Log, compare, difference};

/// What was captured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// All captures.
    pub captures: usize,
    /// Those that gave a stack which comes from the chain.
    pub accepted: usize,
    /// Of those, to the root of the thread.
    pub complete: usize,
    /// Of those, equal to nothing that the thread published meanwhile.
    pub wrong: usize,
    /// Captures that gave a stack which does not come from the chain.
    pub outside: usize,
    /// Captures that gave none since the thread ran.
    pub running: usize,
    /// Captures that gave none since the thread has run meanwhile.
    pub moved: usize,
    /// What was wrong, the first few.
    pub examples: Vec<String>,
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { captures, accepted, complete, wrong, outside, running, moved, examples } = self;
        write!(f, "{captures} captures: {accepted} accepted ({complete} complete), {wrong} wrong; ")?;
        write!(f, "{outside} outside the chain, {running} running, {moved} moved")?;
        examples.iter().try_for_each(|example| write!(f, "\n{example}"))
    }
}

struct Captured {
    runner: usize,
    /// How many stacks the thread had published before, and after.
    published: (usize, usize),
    stack: RawStack,
}

/// Captures as many times three threads, each of which runs a new chain and blocks for 0 to 120 µs,
/// or to 600 µs, again and again.
#[must_use]
pub fn racing(captures: usize, twins: bool, seed: u64) -> Figures {
    /// So many published stacks are compared at once.
    const BATCH: usize = 5_000;
    let mut figures = Figures::default();
    let mut stacks = Stacks::new().expect("memory can be read");
    let mut round = 0;
    while figures.captures < captures {
        round += 1;
        let stop = Arc::new(AtomicBool::new(false));
        let (says, said) = channel();
        let runners: Vec<_> = (0..3)
            .map(|runner| {
                let (stop, says) = (stop.clone(), says.clone());
                let log = Arc::new(Log::default());
                let kept = log.clone();
                let body = move || {
                    says.send((runner, ThreadId::current().expect("Linux"))).expect("it is received");
                    let mut random = Random::new(seed ^ (round * 8 + runner));
                    while !stop.load(SeqCst) {
                        let kinds =
                            if twins { chain::twins(&mut random) } else { chain::random(&mut random) };
                        // One in 4 blocks is longer, so that a slow machine catches some.
                        let longest = if random.below(4) == 0 { 601 } else { 121 };
                        let block = Briefly(random.below(longest) as u64);
                        chain::run(&Chain { kinds: &kinds, log: &log, block: &block }, 0);
                    }
                };
                let thread = thread::Builder::new().stack_size(64 << 20).spawn(body).expect("a thread");
                (thread, kept)
            })
            .collect();
        let mut threads: Vec<_> = said.iter().take(3).collect();
        threads.sort_unstable_by_key(|(runner, _)| *runner);
        let threads: Vec<_> = threads.iter().map(|(_, id)| Thread::open(*id).expect("it lives")).collect();

        let mut captured = Vec::new();
        let end = captures.min(figures.captures + BATCH);
        while figures.captures < end {
            for (runner, thread) in threads.iter().enumerate() {
                figures.captures += 1;
                let before = runners[runner].1.count();
                match stacks.capture_raw(thread) {
                    Ok(stack) => {
                        let published = (before, runners[runner].1.count());
                        captured.push(Captured { runner, published, stack });
                    }
                    Err(NoStack::Running) => figures.running += 1,
                    Err(NoStack::Moved) => figures.moved += 1,
                    Err(why) => panic!("{why}"),
                }
            }
        }
        stop.store(true, SeqCst);
        let logs: Vec<_> = runners
            .into_iter()
            .map(|(thread, log)| {
                thread.join().expect("it ends");
                log.take()
            })
            .collect();
        for captured in captured {
            judge(&captured, &logs[captured.runner], &mut figures);
        }
    }
    figures
}

fn judge(captured: &Captured, log: &[Vec<u64>], figures: &mut Figures) {
    let Captured { published: (before, after), stack, .. } = captured;
    let addresses: Vec<_> = stack.addresses().collect();
    // It may be in the leaf of the last one, or on its way to publish the next.
    let published = &log[before.saturating_sub(1).min(log.len())..(after + 1).min(log.len())];
    let compared = published.iter().map(|callers| compare(&addresses, stack.is_complete(), callers));
    let best = compared.min_by_key(|comparison| match comparison {
        Comparison::Whole => 0,
        Comparison::Cut => 1,
        Comparison::Outside => 2,
        Comparison::Wrong => 3,
    });
    match best {
        Some(Comparison::Whole) => {
            figures.accepted += 1;
            figures.complete += 1;
        }
        Some(Comparison::Cut) => figures.accepted += 1,
        Some(Comparison::Outside) | None => figures.outside += 1,
        Some(Comparison::Wrong) => {
            figures.accepted += 1;
            figures.wrong += 1;
            if figures.examples.len() < 5 {
                let differences: Vec<_> =
                    published.iter().map(|callers| difference(&addresses, callers)).collect();
                figures.examples.push(differences.join("\n  "));
            }
        }
    }
}
