//! The executor and the thread pool under load, their metrics pushed over OTLP to a receiver in
//! this process.
//!
//! ```text
//! load ─ Executor and JobPool ─ Instrumentation ─ OTLP push ─ receiver ─ check and table
//! ```

mod check;
mod error;
mod load;
mod occasions;
mod options;
mod pipeline;
mod pools;
mod run;
mod standstill;
mod table;
mod tally;

use std::process::ExitCode;

use crate::error::Failure;

fn main() -> ExitCode {
    match options::parse().and_then(|options| run::run(&options)) {
        Ok(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(Failure::Help(text)) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("custom-executor: {failure}");
            ExitCode::from(failure.exit_code())
        }
    }
}
