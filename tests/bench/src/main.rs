//! What the instrumentation costs, in one run on the machine at hand:
//! `cargo run --release -p bench`.
//!
//! Ratios are what counts: every comparison is measured in turns, A B A B.

mod estimate;
mod export;
mod growth;
mod load;
mod overhead;
mod process;
mod processor;
mod recording;
mod report;
mod service;
mod spread;
mod turns;
mod watchdog;

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use bench::discard;
use bench::subject::Case;
use clap::{Parser, ValueEnum};

use report::{Chapter, Report};

/// Measures what the instrumentation costs, and writes it into docs/benchmarks.md.
///
/// With few rounds, or one section alone, it prints the report and writes nothing.
#[derive(Debug, Parser)]
struct Arguments {
    /// Rounds of each measurement; below 9 they only show that everything runs
    #[arg(long, default_value_t = 200)]
    rounds: usize,

    /// Runs one section alone
    #[arg(long)]
    only: Option<Section>,

    /// The folder for benchmarks.md and its plots
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs"))]
    out: PathBuf,

    /// Exports one case, and nothing else
    #[arg(long, hide = true)]
    export: Option<Case>,

    #[command(flatten)]
    growth: growth::Growth,

    #[command(flatten)]
    overhead: overhead::One,

    #[command(flatten)]
    service: service::One,

    /// Counts the instructions of recording, and fails where they are above their limits
    #[arg(long)]
    check: bool,

    #[command(flatten)]
    recording: recording::Part,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Section {
    /// What watching a runtime costs the work that it does
    Overhead,
    /// Throughput and latency of a service that is observed, by the interval of the exports
    Service,
    /// What each event costs
    Recording,
    /// What an export costs, and what it delivers
    Export,
    /// What an export grows with
    Growth,
    /// The thread of a watchdog
    Watchdog,
}

impl Section {
    fn title(self) -> &'static str {
        match self {
            Self::Overhead => "Overhead on a workload",
            Self::Service => "Cost to the observed service",
            Self::Recording => "Recording",
            Self::Export => "Collecting and exporting",
            Self::Growth => "Growth",
            Self::Watchdog => "A watchdog",
        }
    }

    fn chapter(self, rounds: usize) -> Chapter {
        match self {
            Self::Overhead => overhead::report(rounds),
            Self::Service => service::report(rounds),
            Self::Recording => recording::report(rounds),
            Self::Export => export::report(rounds),
            Self::Growth => growth::report(rounds),
            Self::Watchdog => watchdog::report(rounds),
        }
    }
}

fn main() -> io::Result<ExitCode> {
    let Arguments { rounds, only, out, export, growth, overhead, service, check, recording } =
        Arguments::parse();
    if let Some(case) = export {
        println!("{}", export::measure(case, rounds));
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(times) = growth.measure(rounds) {
        println!("{times}");
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(outcome) = overhead.measure() {
        println!("{outcome}");
        return Ok(ExitCode::SUCCESS);
    }
    if check {
        return Ok(recording::check());
    }
    if recording.measure(rounds) {
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(found) = service.measure() {
        println!("{found}");
        return Ok(ExitCode::SUCCESS);
    }
    let sections =
        Section::value_variants().iter().filter(|&&section| only.is_none_or(|only| only == section));
    let chapters = sections.map(|section| {
        eprintln!("measuring: {}", section.title());
        (section.title(), section.chapter(rounds))
    });
    let report = Report::new(chapters.collect());
    if only.is_some() || rounds < FEWEST_ROUNDS {
        print!("{}", report.markdown());
        return Ok(ExitCode::SUCCESS);
    }
    report.write(&out)?;
    println!("{}", out.join("benchmarks.md").display());
    Ok(ExitCode::SUCCESS)
}

/// With fewer rounds nothing is written down.
pub(crate) const FEWEST_ROUNDS: usize = 9;

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_of_all_sections_go_together() {
        Arguments::command().debug_assert();
    }
}
