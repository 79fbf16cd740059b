//! A batch's `submit`, against nothing but the stores.

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use worker_metrics::histogram::Scale;
use worker_metrics::{Batch, Clock, WorkerConfig, WorkerMetrics};

use super::duration::log_scale;
use super::figure::Figure;
use super::subject::Subject;
use crate::report::{Limit, Target};

/// Words of a block that a submit stores.
const SCALARS: usize = 12;
/// Words that it stores into a histogram of so many buckets: all of them, and the sum.
const fn words(buckets: usize) -> usize {
    SCALARS + buckets + 1
}
const PRESET: usize = 23;
const LOG: usize = 119;

/// Subjects of each configuration, in this order.
const OF_EACH: usize = 4;
pub(super) const STORES: usize = 0;
pub(super) const SUBMIT_AT: usize = 1;

/// With the most instructions that a submit may have, against those of as many stores.
pub(super) const CONFIGURATIONS: [(&str, f64); 3] =
    [("no histogram", 2.4), ("23 buckets", 2.6), ("119 buckets", 1.6)];

pub(super) fn subjects() -> Vec<Subject> {
    let kept = |scale: Scale, buckets| {
        assert_eq!(scale.buckets(), buckets, "as many as are stored beside it");
        WorkerConfig::new().with_poll_time_histogram(scale)
    };
    let of_each = [
        of::<SCALARS>(WorkerConfig::new()),
        of::<{ words(PRESET) }>(kept(Scale::preset(), PRESET)),
        of::<{ words(LOG) }>(kept(log_scale(), LOG)),
    ];
    of_each.into_iter().flatten().collect()
}

/// The subject of a configuration.
pub(super) fn subject(configuration: usize, which: usize) -> usize {
    configuration * OF_EACH + which
}

/// The row of the stores, which stands before it.
pub(super) fn baseline(row: usize) -> usize {
    row - row % 2
}

fn of<const WORDS: usize>(config: WorkerConfig) -> [Subject; OF_EACH] {
    let told = config.clone();
    [
        Subject::new(format!("{WORDS} relaxed stores"), |_| {
            let mut words = Words::<WORDS>::new();
            let mut now_ns = 0_u64;
            move || {
                now_ns += 20_000;
                let words = black_box(&mut words);
                words.poll(now_ns);
                words.store();
            }
        }),
        Subject::new(format!("`submit_at`, {WORDS} words"), move |_| {
            let mut batch = Batch::new(WorkerMetrics::from_config(&told));
            let mut now_ns = batch.clock().now_ns();
            move || {
                now_ns += 20_000;
                let batch = black_box(&mut batch);
                batch.start_poll_at(now_ns);
                batch.submit_at(now_ns);
            }
        }),
        Subject::new(format!("a reading of the clock and {WORDS} relaxed stores"), |_| {
            let mut words = Words::<WORDS>::new();
            let clock = Clock::new();
            let mut now_ns = 0_u64;
            move || {
                now_ns += 1;
                let words = black_box(&mut words);
                words.poll(now_ns);
                words.local[TIME] = clock.now_ns();
                words.store();
            }
        }),
        Subject::new(format!("`submit`, {WORDS} words"), move |_| {
            let mut batch = Batch::new(WorkerMetrics::from_config(&config));
            let mut now_ns = batch.clock().now_ns();
            move || {
                now_ns += 1;
                let batch = black_box(&mut batch);
                batch.start_poll_at(now_ns);
                batch.submit();
            }
        }),
    ]
}

/// Which of the words are the number of polls and the time of the submit.
const POLLS: usize = 0;
const TIME: usize = 1;

/// What there is to store, and where.
struct Words<const WORDS: usize> {
    local: Box<[u64; WORDS]>,
    poll_started_at_ns: u64,
    shared: Box<Shared<WORDS>>,
}

#[repr(align(128))]
struct Shared<const WORDS: usize>([AtomicU64; WORDS]);

impl<const WORDS: usize> Words<WORDS> {
    fn new() -> Self {
        let shared = Shared(std::array::from_fn(|_| AtomicU64::new(0)));
        Self { local: Box::new([0; WORDS]), poll_started_at_ns: 0, shared: Box::new(shared) }
    }

    /// What a batch does at the start of a poll.
    #[inline]
    fn poll(&mut self, now_ns: u64) {
        self.local[POLLS] = self.local[POLLS].wrapping_add(1);
        self.poll_started_at_ns = now_ns;
    }

    #[inline]
    fn store(&self) {
        for (shared, local) in self.shared.0.iter().zip(self.local.iter()) {
            shared.store(*local, Relaxed);
        }
    }
}

/// A promise for each configuration.
pub(super) fn targets(one_thread: &[Figure]) -> impl Iterator<Item = Target> {
    CONFIGURATIONS.iter().enumerate().map(|(configuration, (name, _))| {
        let figure = |which| &one_thread[subject(configuration, which)];
        Target {
            measure: format!("`submit`, time passed in, {name}, against as many relaxed stores"),
            limit: Limit::AtMost(1.3),
            measured: figure(SUBMIT_AT).against(figure(STORES)).median,
            note: "",
        }
    })
}
