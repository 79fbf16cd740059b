//! What the instrumentation costs, in one run on the machine at hand: `cargo run --release -p bench`.
//!
//! Ratios are what counts: every comparison is measured in turns, A B A B.

mod counted;
mod discard;
mod growth;
mod nothing;
mod overhead;
mod peers;
mod process;
#[cfg(tokio_unstable)]
mod reader;
mod recording;
mod spread;
mod turns;
mod watchdog;

use clap::{Parser, ValueEnum};

/// Prints, as Markdown, what the instrumentation costs.
#[derive(Debug, Parser)]
struct Arguments {
    /// Rounds of each measurement; below 9 they only show that everything runs
    #[arg(long, default_value_t = 200)]
    rounds: usize,

    /// Runs one section alone
    #[arg(long)]
    only: Option<Section>,

    /// Compares on a runtime of so many workers, and nothing else
    #[arg(long, hide = true)]
    peers: Option<usize>,

    /// Measures an export of so many values, and nothing else
    #[arg(long, hide = true)]
    counted: Option<u64>,

    #[command(flatten)]
    overhead: overhead::One,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Section {
    /// What watching a runtime costs the work that it does
    Overhead,
    /// What each event costs
    Recording,
    /// An export by what was counted
    Growth,
    /// Poll-time histograms of many workers
    Peers,
    /// The thread of a watchdog
    Watchdog,
}

impl Section {
    fn title(self) -> &'static str {
        match self {
            Self::Overhead => "Overhead on a workload",
            Self::Recording => "Recording",
            Self::Growth => "An export by what was counted",
            Self::Peers => "Poll-time histograms of many workers",
            Self::Watchdog => "A watchdog",
        }
    }

    fn report(self, rounds: usize) -> String {
        match self {
            Self::Overhead => overhead::report(rounds),
            Self::Recording => recording::report(rounds),
            Self::Growth => growth::report(rounds),
            Self::Peers => peers::report(rounds.min(30)),
            Self::Watchdog => watchdog::report(rounds),
        }
    }
}

fn main() {
    let Arguments { rounds, only, peers, counted, overhead } = Arguments::parse();
    if let Some(count) = counted {
        print!("{}", growth::measure(count, rounds));
        return;
    }
    if let Some(workers) = peers {
        print!("{}", peers::row(workers, rounds));
        return;
    }
    if let Some(outcome) = overhead.measure() {
        println!("{outcome}");
        return;
    }
    for &section in Section::value_variants() {
        if only.is_none_or(|only| only == section) {
            println!("## {}\n\n{}", section.title(), section.report(rounds));
        }
    }
}
