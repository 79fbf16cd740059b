//! Tasks that yield without end.

use std::time::Instant;

use tokio::runtime::Runtime;
use tokio::task::yield_now;

use super::board::{Board, Tally};
use super::running::Running;
use super::spawner::Spawner;

pub(super) const TASKS: usize = 64;
/// Of so many turns one is timed: two readings of the clock are less than a hundredth of what they
/// take together.
pub(super) const TURNS_OF_A_LATENCY: u64 = 256;

pub(super) fn start<'a>(runtime: &'a Runtime, spawner: &Spawner, pools: usize) -> Running<'a> {
    let board = Board::new(TASKS);
    let tasks = (0..TASKS).map(|task| {
        let mut tally = Tally::new(&board, task, pools);
        // Not all tasks in the same turn: each would wait for the clock readings of the others.
        let lead = task as u64 * (TURNS_OF_A_LATENCY / TASKS as u64);
        let turns = async move {
            while !tally.is_over() {
                if (tally.count() + lead).is_multiple_of(TURNS_OF_A_LATENCY) {
                    let began = Instant::now();
                    yield_now().await;
                    tally.add_latency(began.elapsed());
                } else {
                    yield_now().await;
                }
                tally.add_one();
            }
            tally
        };
        spawner.spawn(turns, runtime.handle())
    });
    let tasks = tasks.collect();
    Running { runtime, board, tasks, server: None, pools }
}
