//! Captures of a thread that stays blocked.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use worker_metrics_thread_dump::{Call, Cut, NoStack, Stacks, Thread, ThreadId};

use crate::block::{self, Block};
use crate::chain::{self, Chain, Kind};
use crate::random::Random;
use crate::signal::{Asked, agrees};
use crate::truth::{Comparison, Log, compare, difference};

/// What was captured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Captures that gave a stack.
    pub captures: usize,
    /// Stacks to the root of the thread.
    pub complete: usize,
    /// Stacks that end before.
    pub cut: usize,
    /// How many of those by kind of block and cause.
    pub cuts: HashMap<(usize, Option<Cut>), usize>,
    /// Stacks that the thread contradicted, in any frame.
    pub wrong: usize,
    /// Stacks that the thread confirmed in a signal handler, in each frame.
    pub confirmed: usize,
    /// Captures that gave none: the thread ran.
    pub none: usize,
    /// What was wrong, the first few.
    pub examples: Vec<String>,
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { captures, complete, cut, cuts, wrong, confirmed, none, examples } = self;
        write!(f, "{captures} captures: {complete} complete, {cut} cut, {wrong} wrong; ")?;
        write!(f, "{confirmed} confirmed by signal; {none} without a stack")?;
        let mut cuts: Vec<_> =
            cuts.iter().map(|((kind, cut), count)| (kind, format!("{cut:?}"), count)).collect();
        cuts.sort_unstable();
        cuts.iter().try_for_each(|(kind, cut, count)| write!(f, "\n  block {kind}: {count} cut, {cut}"))?;
        examples.iter().try_for_each(|example| write!(f, "\n{example}"))
    }
}

impl Figures {
    /// Remembers what was wrong.
    pub(crate) fn count_wrong(&mut self, what: impl FnOnce() -> String) {
        self.wrong += 1;
        if self.examples.len() < 5 {
            self.examples.push(what());
        }
    }
}

struct Job {
    kinds: Vec<Kind>,
    block: Arc<dyn Block>,
}

/// Captures as many stacks, 4 of each random stack.
#[must_use]
pub fn settled(captures: usize, seed: u64) -> Figures {
    let log = Arc::new(Log::default());
    let (jobs, takes) = channel::<Job>();
    let (says, said) = channel();
    let finished = Arc::new(AtomicUsize::new(0));
    let worker = {
        let (log, finished) = (log.clone(), finished.clone());
        let body = move || {
            let id = ThreadId::current().expect("Linux");
            says.send((id, Asked::current())).expect("it is received");
            for job in takes {
                let chain = Chain { kinds: &job.kinds, log: &log, block: &*job.block };
                chain::run(&chain, 0);
                finished.fetch_add(1, SeqCst);
            }
        };
        // Unoptimised chains are deep.
        thread::Builder::new().stack_size(64 << 20).spawn(body).expect("a thread")
    };
    let (id, asked) = said.recv().expect("it says so");
    let thread = Thread::open(id).expect("it can be looked at");
    let mut stacks = Stacks::new().expect("memory can be read");

    let mut figures = Figures::default();
    let mut random = Random::new(seed);
    while figures.captures < captures {
        // A child costs more than all else.
        let mut kind = random.below(block::KINDS);
        if kind == 10 && random.below(10) > 0 {
            kind = 0;
        }
        let held = block::held(kind, worker.thread());
        let (before, ended) = (log.count(), finished.load(SeqCst));
        let job = Job { kinds: chain::random(&mut random), block: held.block.clone() };
        jobs.send(job).expect("the thread lives");
        wait_until(|| log.count() > before);
        wait_until(|| thread.look().is_ok_and(|look| matches!(look.call, Call::In(_))));
        let callers = log.take().pop().expect("it was published");
        let mut last = None;
        for _ in 0..4 {
            match stacks.capture_raw(&thread) {
                Ok(stack) => last = Some(stack),
                Err(NoStack::Running | NoStack::Moved) => {
                    figures.none += 1;
                    continue;
                }
                Err(why) => panic!("{why}"),
            }
            let Some(stack) = &last else { continue };
            figures.captures += 1;
            if stack.is_complete() {
                figures.complete += 1;
            } else {
                figures.cut += 1;
                *figures.cuts.entry((kind, stack.cut())).or_default() += 1;
            }
            let addresses: Vec<_> = stack.addresses().collect();
            match compare(&addresses, stack.is_complete(), &callers) {
                Comparison::Whole | Comparison::Cut => {}
                // By then it waits for its next job.
                Comparison::Outside if block::ends_by_itself(kind) => {}
                Comparison::Outside | Comparison::Wrong => {
                    figures.count_wrong(|| format!("block {kind}: {}", difference(&addresses, &callers)));
                }
            }
        }
        if let Some(stack) = last {
            let addresses: Vec<_> = stack.addresses().collect();
            let said = asked.addresses();
            match agrees(&addresses, stack.is_complete(), &said) {
                Some(true) => figures.confirmed += 1,
                // It was somewhere else by then, or may have been.
                None => {}
                Some(false) if finished.load(SeqCst) > ended => {}
                Some(false) => {
                    figures.count_wrong(|| {
                        format!("block {kind}, by signal: {}", difference(&addresses, &said))
                    });
                }
            }
        }
        held.release();
    }
    drop(jobs);
    worker.join().expect("the thread ends");
    figures
}

fn wait_until(mut is_so: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < Duration::from_secs(30), "it never happens");
        thread::yield_now();
    }
}
