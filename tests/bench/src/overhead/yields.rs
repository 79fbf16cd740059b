//! Tasks that yield without end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread::sleep;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::task::yield_now;

use super::outcome::Outcome;
use super::spawner::Spawner;
use super::stretch::Stretch;
use super::workload::warm_up;

pub(super) const TASKS: usize = 64;

/// The yields of one task, on a line of its own.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Count(AtomicU64);

pub(super) fn run(runtime: &Runtime, spawner: &Spawner, time: Duration) -> Outcome {
    let stop = Arc::new(AtomicBool::new(false));
    let counts: Arc<[Count]> = (0..TASKS).map(|_| Count::default()).collect();
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let (stop, counts) = (stop.clone(), counts.clone());
            let yields = async move {
                let mut count = 0;
                while !stop.load(Relaxed) {
                    yield_now().await;
                    count += 1;
                    counts[task].0.store(count, Relaxed);
                }
            };
            spawner.spawn(yields, runtime.handle())
        })
        .collect();

    let counted = || counts.iter().map(|count| count.0.load(Relaxed)).sum::<u64>();
    sleep(warm_up(time));
    let (before, stretch) = (counted(), Stretch::begin());
    sleep(time);
    let (after, taken) = (counted(), stretch.end());
    stop.store(true, Relaxed);
    for task in tasks {
        runtime.block_on(task).expect("it does not panic");
    }
    taken.by(after - before, Vec::new())
}
