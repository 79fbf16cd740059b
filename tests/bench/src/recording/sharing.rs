//! What a neighbour in the same cache line costs.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use worker_metrics::{Batch, WorkerMetrics};

use super::counters::{Apart, load_and_store};
use super::subject::Subject;
use super::threads;

/// The row of the same 128 bytes apart, which stands before it; that of the bare blocks for a
/// batch.
pub(super) fn baseline(row: usize) -> usize {
    if row == BATCH { BATCH - 2 } else { row - row % 2 }
}

const BATCH: usize = 6;

/// Words that a worker publishes.
const WORDS: usize = 12;

type Block = [AtomicU64; WORDS];

#[derive(Debug, Default)]
#[repr(align(128))]
struct BlockApart(Block);

pub(super) fn subjects() -> Vec<Subject> {
    vec![
        counter::<Apart>("a relaxed load and store, 128 bytes apart", |count| load_and_store(&count.0)),
        counter::<AtomicU64>("a relaxed load and store, side by side", load_and_store),
        counter::<Apart>("`fetch_add`, 128 bytes apart", |count| {
            count.0.fetch_add(1, Relaxed);
        }),
        counter::<AtomicU64>("`fetch_add`, side by side", |count| {
            count.fetch_add(1, Relaxed);
        }),
        block::<BlockApart>("12 relaxed stores, blocks 128 bytes apart", |block, count| {
            store(&block.0, count)
        }),
        block::<Block>("12 relaxed stores, blocks side by side", store),
        Subject::new("`Batch::submit_at` into a `WorkerMetrics` for each thread", |_| {
            let mut batch = Batch::new(WorkerMetrics::new());
            let mut now_ns = batch.clock().now_ns();
            move || {
                now_ns += 20_000;
                let batch = black_box(&mut batch);
                batch.start_poll_at(now_ns);
                batch.submit_at(now_ns);
            }
        }),
    ]
}

fn counter<T: Default + Send + Sync + 'static>(
    name: &str,
    event: impl Fn(&T) + Copy + Send + Sync + 'static,
) -> Subject {
    block(name, move |of_thread: &T, _| event(of_thread))
}

/// One `T` for each thread, in one allocation; an event is told how many there were.
fn block<T: Default + Send + Sync + 'static>(
    name: &str,
    event: impl Fn(&T, u64) + Copy + Send + Sync + 'static,
) -> Subject {
    let all: Arc<[T]> = (0..threads::all()).map(|_| T::default()).collect();
    Subject::new(name, move |thread| {
        let all = all.clone();
        let mut count = 0_u64;
        move || {
            count = count.wrapping_add(1);
            event(&black_box(&*all)[thread], count);
        }
    })
}

fn store(block: &Block, count: u64) {
    block.iter().for_each(|word| word.store(count, Relaxed));
}
