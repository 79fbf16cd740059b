//! What each event costs, in one process.
//!
//! Called once for the report. Every table is measured in turns, so that its columns may be compared.

mod batch;
mod future;

use std::time::Duration;

use crate::report::{Bars, Chapter};
use crate::turns::least;

/// Events of one round.
const EVENTS: u32 = 10_000;

pub(crate) fn report(rounds: usize) -> Chapter {
    let (batch, polls) = batch::table(rounds);
    let text = format!(
        "One process, each figure the least of {rounds} rounds of {EVENTS} events, in turns.\n\n### A worker's batch\n\n{batch}\n\
         ### A task's future and its waker\n\n{}",
        future::table(rounds)
    );
    let plot = Bars { file: "recording-batch", title: "A poll, time passed in", values: "ns", bars: polls };
    Chapter { text, plots: vec![plot.into()], targets: Vec::new() }
}

/// One event, again and again.
type Event<'a> = Box<dyn FnMut() + 'a>;

/// `event`, as often as a round has it.
fn repeated<'a>(mut event: impl FnMut() + 'a) -> Event<'a> {
    Box::new(move || (0..EVENTS).for_each(|_| event()))
}

/// What one event takes of each.
fn each_ns(rounds: usize, runs: &mut [Event<'_>]) -> Vec<f64> {
    let of_one = |time: Duration| time.as_secs_f64() * 1e9 / f64::from(EVENTS);
    least(rounds, runs).into_iter().map(of_one).collect()
}
