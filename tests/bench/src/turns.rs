//! Measuring in turns.

use std::time::{Duration, Instant};

/// The least time of each of `runs`, which are run one after another, `rounds` times, after a tenth
/// of that to warm up: what the work takes when nothing comes between.
pub(crate) fn least(rounds: usize, runs: &mut [Box<dyn FnMut() + '_>]) -> Vec<Duration> {
    let mut times: Vec<Vec<Duration>> = runs.iter().map(|_| Vec::with_capacity(rounds)).collect();
    for round in 0..rounds + rounds / 10 {
        for (run, times) in runs.iter_mut().zip(&mut times) {
            let start = Instant::now();
            run();
            let time = start.elapsed();
            if round >= rounds / 10 {
                times.push(time);
            }
        }
    }
    times.iter().map(|times| times.iter().min().copied().unwrap_or_default()).collect()
}

/// A time in microseconds, for a table.
pub(crate) fn micros(time: Duration) -> String {
    format!("{:.1} µs", time.as_secs_f64() * 1e6)
}
