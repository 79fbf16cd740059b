//! A service as users write it, for scenarios that need a process of their own: an environment, an
//! exit code, an end of `main`.
//!
//! `service SCENARIO [ARGUMENT]` runs one, prints what it has seen to standard output, and its log
//! to standard error.

mod blocked;
mod environment;
mod examples;
mod shutdown;
mod warnings;

use std::process::ExitCode;

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    let filter = tracing_subscriber::filter::LevelFilter::INFO;
    tracing_subscriber::fmt().with_writer(std::io::stderr).without_time().with_max_level(filter).init();
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let outcome = match arguments[..] {
        ["instruments-and-push"] => examples::instruments_and_push(),
        ["push"] => examples::push(),
        ["exporter"] => examples::exporter(),
        ["standard-output"] => examples::standard_output(),
        ["resource", name] => examples::resource_in_code(name),
        ["environment"] => environment::compare(),
        ["blocked", way] => blocked::run(way),
        ["nobody"] => shutdown::nobody(),
        ["shutdown", way, what] => shutdown::run(way, what),
        ["warnings", case] => warnings::run(case),
        _ => Err(format!("no such scenario: {arguments:?}").into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
