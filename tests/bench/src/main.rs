//! What exporting histograms and a watchdog cost, in one run on the machine at hand: `cargo run --release -p bench`.
//!
//! Ratios are what counts: every comparison is measured in turns, A B A B, and of each the median is taken.

mod counted;
mod discard;
mod growth;
mod peers;
#[cfg(tokio_unstable)]
mod reader;
mod turns;
mod watchdog;

use clap::Parser;

/// Prints, as Markdown, what exporting histograms and a watchdog cost.
#[derive(Debug, Parser)]
struct Arguments {
    /// Rounds of each measurement
    #[arg(long, default_value_t = 200)]
    rounds: usize,

    /// Compares on a runtime of so many workers, and nothing else
    #[arg(long, hide = true)]
    peers: Option<usize>,

    /// Measures an export of so many values, and nothing else
    #[arg(long, hide = true)]
    counted: Option<u64>,
}

fn main() {
    let Arguments { rounds, peers, counted } = Arguments::parse();
    if let Some(count) = counted {
        print!("{}", growth::measure(count, rounds));
        return;
    }
    if let Some(workers) = peers {
        print!("{}", peers::row(workers, rounds));
        return;
    }
    println!("## An export by what was counted\n\n{}", growth::report(rounds));
    println!("## Poll-time histograms of many workers\n\n{}", peers::report(rounds.min(30)));
    println!("## A watchdog\n\n{}", watchdog::report(rounds));
}
