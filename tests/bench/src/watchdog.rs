//! What a watchdog takes: the processor time of its thread, as the system accounts it.

mod proof;

use std::fs;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use worker_metrics::{Evidence, Identity, Row, Snapshot, Source};
use worker_metrics_otel::{Instrumentation, Options, Watchdog};
use worker_metrics_tokio::TokioRuntime;

use crate::report::{Chapter, Limit, Target};
use crate::turns::micros;

/// Far more often than in use, for many looks in little time.
const OFTEN: Duration = Duration::from_millis(1);
const RUNS: usize = 11;
const RUNS_AS_IN_USE: usize = 3;

/// A table of the cost by runtimes and workers.
pub(crate) fn report(rounds: usize) -> Chapter {
    if thread_time().is_none() {
        return "SKIPPED: this system does not tell the processor time of a thread.\n".to_owned().into();
    }
    let looks = rounds.max(1) as u64;
    let looks_as_in_use = (looks / 20).max(1);
    let as_in_use = Watchdog::DEFAULT_INTERVAL;
    let mut table = format!(
        "Runtimes whose workers are parked, and runtimes whose workers all run, with a task for each that yields again and again: a look \
         at a worker that runs is a look at its thread as well. The processor time of the watchdog's thread for a look at all of \
         them, waking up included: the median of \
         {RUNS} times {looks} looks, one every {OFTEN:?}, and of {RUNS_AS_IN_USE} times {looks_as_in_use} looks, one every \
         {as_in_use:?} as in use.\n\n\
         | runtimes | workers each | they | every {OFTEN:?} | every {as_in_use:?} | share of a core then |\n|---|---|---|---|---|---|\n"
    );
    let mut targets = Vec::new();
    for (runtimes, workers, run) in CASES {
        let watched: Vec<_> = (0..runtimes).map(|_| runtime(workers, run)).collect();
        let often = median(RUNS, || a_look(&watched, OFTEN, looks));
        let seldom = median(RUNS_AS_IN_USE, || a_look(&watched, as_in_use, looks_as_in_use));
        let share = seldom.as_secs_f64() / as_in_use.as_secs_f64();
        if runtimes == 1 && workers == 64 {
            targets.push(Target {
                measure: format!(
                    "a watchdog of 64 workers that {}, in percent of a core",
                    if run { "run" } else { "are parked" }
                ),
                limit: Limit::AtMost(0.2),
                measured: share * 100.0,
                note: "",
            });
        }
        table += &format!(
            "| {runtimes} | {workers} | {} | {} | {} | {:.3} % |\n",
            if run { "run" } else { "are parked" },
            micros(often),
            micros(seldom),
            share * 100.0
        );
    }
    let Chapter { text, targets: of_a_proof, .. } = proof::report(rounds);
    targets.extend(of_a_proof);
    Chapter { text: table + &text, targets, ..Chapter::default() }
}

/// Runtimes, workers of each, and whether they run.
const CASES: [(usize, usize, bool); 8] = [
    (1, 1, false),
    (1, 16, false),
    (1, 64, false),
    (10, 1, false),
    (10, 16, false),
    (10, 64, false),
    (1, 2, true),
    (1, 64, true),
];

fn runtime(workers: usize, run: bool) -> Runtime {
    let runtime = Builder::new_multi_thread().worker_threads(workers).build().expect("a runtime");
    for _ in 0..if run { 2 * workers } else { 0 } {
        runtime.spawn(async {
            loop {
                tokio::task::yield_now().await;
            }
        });
    }
    runtime
}

fn median(runs: usize, run: impl FnMut() -> Duration) -> Duration {
    let mut times: Vec<_> = std::iter::repeat_with(run).take(runs).collect();
    times.sort_unstable();
    times[runs / 2]
}

/// The mean processor time of one of so many looks.
fn a_look(runtimes: &[Runtime], interval: Duration, looks: u64) -> Duration {
    let watchdog = Watchdog::every(interval).expect("a good interval");
    let workers = Instrumentation::new(Options::default().with_watchdog(watchdog));
    let (tell, told) = channel();
    let attachments: Vec<_> = runtimes
        .iter()
        .enumerate()
        .map(|(index, runtime)| {
            let source = TokioRuntime::new(runtime.handle());
            // The last: all are attached when it begins to count.
            if index + 1 == runtimes.len() {
                workers.attach(Timed {
                    source,
                    looks,
                    seen: AtomicU64::new(0),
                    is_new_look: AtomicBool::new(true),
                    tell: tell.clone(),
                })
            } else {
                workers.attach(source)
            }
        })
        .collect::<Result<_, _>>()
        .expect("each is attached once");
    let [begin, end] = [(); 2].map(|()| told.recv().expect("the watchdog looks"));
    drop(attachments);
    end.saturating_sub(begin) / u32::try_from(looks).expect("so many nobody waits for")
}

/// A runtime that tells the time of the thread which looks at it, after the first looks and so many
/// later.
struct Timed {
    source: TokioRuntime,
    looks: u64,
    seen: AtomicU64,
    is_new_look: AtomicBool,
    tell: Sender<Duration>,
}

/// Until buffers have their size.
const FIRST_LOOKS: u64 = 2;

impl Source for Timed {
    fn identity(&self) -> &Identity {
        self.source.identity()
    }

    fn definitions(&self) -> &[Row] {
        self.source.definitions()
    }

    fn collect(&self, snapshot: &mut Snapshot) {
        self.source.collect(snapshot);
    }

    /// Asked twice for a worker that runs, before and after its thread: the first worker's first
    /// answer since the last worker's begins a look.
    fn evidence(&self, worker: usize) -> Option<Evidence> {
        if worker > 0 || self.identity().workers == 1 {
            self.is_new_look.store(true, Relaxed);
        }
        if worker == 0 && self.is_new_look.swap(false, Relaxed) {
            let seen = self.seen.fetch_add(1, Relaxed);
            if seen == FIRST_LOOKS || seen == FIRST_LOOKS + self.looks {
                // Nobody listens when it is over.
                let _ = self.tell.send(thread_time().unwrap_or_default());
            }
        }
        self.source.evidence(worker)
    }

    fn stall_threshold(&self) -> Duration {
        self.source.stall_threshold()
    }

    fn probe(&self, worker: usize) {
        self.source.probe(worker);
    }
}

/// The processor time of this thread so far.
///
/// **Absent when** the system does not tell: it is the first number of Linux' `schedstat`, in
/// nanoseconds.
fn thread_time() -> Option<Duration> {
    let text = fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    Some(Duration::from_nanos(text.split_whitespace().next()?.parse().ok()?))
}
