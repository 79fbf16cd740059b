//! The command line.

use std::time::Duration;

use clap::Parser;

use crate::error::Failure;

/// Runs a load on a work-stealing executor and on a thread pool, both with worker-metrics embedded,
/// and checks that every metric of theirs arrives over OTLP.
#[derive(Debug, Parser)]
#[command(name = "custom-executor", version)]
pub(crate) struct Options {
    /// How long the load runs
    #[arg(long, value_name = "SECONDS", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=3600))]
    duration: u32,

    /// Workers of each of the two, at least 2: a lone worker has nobody to steal from
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u16).range(2..=256))]
    workers: u16,
}

impl Options {
    pub(crate) fn duration(&self) -> Duration {
        Duration::from_secs(self.duration.into())
    }

    pub(crate) fn workers(&self) -> usize {
        self.workers.into()
    }
}

/// Reads the command line; of what clap has to say against it one line.
pub(crate) fn parse() -> Result<Options, Failure> {
    Options::try_parse().map_err(|refusal| {
        let text = refusal.to_string();
        if !refusal.use_stderr() {
            return Failure::Help(text);
        }
        let line = text.lines().next().unwrap_or("bad usage").trim_start_matches("error: ");
        Failure::Usage(format!("{line} (see --help)"))
    })
}
