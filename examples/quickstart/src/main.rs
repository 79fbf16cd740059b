//! Worker metrics of a real workload, pushed over OTLP to a receiver in this process, or to a
//! collector.
//!
//! ```text
//! workload ─ Tokio runtime "main" ─ Instrumentation ┬ meter provider ─ opentelemetry-otlp ┬ receiver ─ table or JSON
//!                                                   └ push of the exact histograms ───────┘
//! ```

mod calls;
mod distribution;
mod error;
mod options;
mod outcome;
mod pipeline;
mod run;
mod screen;
mod table;
mod target;
mod units;
mod verdict;
mod view;
mod workload;

use std::process::ExitCode;

use crate::error::Failure;

fn main() -> ExitCode {
    let done = options::parse().and_then(|options| run::run(&options));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Help(text)) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("quickstart: {failure}");
            ExitCode::from(failure.exit_code())
        }
    }
}
