//! What was measured of one case.

use std::time::Duration;

use bench::subject::{Case, Counts};

use super::Times;
use crate::process;
use crate::spread::Spread;

/// The figures of one case.
#[derive(Clone, Copy, Debug)]
pub(super) struct Measured {
    pub(super) case: Case,
    pub(super) collect_us: Option<f64>,
    /// Collecting and encoding.
    pub(super) export_us: Option<f64>,
    pub(super) counts: Counts,
}

impl Measured {
    fn new(case: Case, times: &[Times]) -> Self {
        Self {
            case,
            collect_us: median_us(times.iter().map(|times| times.collect)),
            export_us: median_us(times.iter().map(|times| times.export)),
            counts: process::counting(&[&case.to_string()]).trim().parse().expect("it prints counts"),
        }
    }

    /// What an export of it takes: the collection, where nothing is encoded.
    pub(super) fn time_us(&self) -> f64 {
        self.export_us.or(self.collect_us).expect("either is measured")
    }
}

fn median_us(times: impl Iterator<Item = Option<Duration>>) -> Option<f64> {
    let times: Option<Vec<_>> = times.collect();
    Some(Spread::of(times?.iter().map(|time| time.as_secs_f64() * 1e6)).median)
}

/// Takes the time of each case in so many processes, and counts in one more.
pub(super) fn in_turns(cases: &[Case], turns: usize, rounds: usize) -> Vec<Measured> {
    let rounds = rounds.to_string();
    let mut times = vec![Vec::with_capacity(turns); cases.len()];
    for _ in 0..turns {
        for (case, times) in cases.iter().zip(&mut times) {
            let text = process::again(&["--export", &case.to_string(), "--rounds", &rounds]);
            times.push(text.parse().expect("it prints times"));
        }
    }
    cases.iter().zip(times).map(|(case, times)| Measured::new(*case, &times)).collect()
}
