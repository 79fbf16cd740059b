//! The command line.

use std::num::NonZeroUsize;
use std::thread;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use opentelemetry_sdk::metrics::Temporality;
use worker_metrics_otel::Histograms;

use crate::error::Failure;

/// Runs a mixed workload on a Tokio runtime, pushes its worker metrics over OTLP, and shows what
/// arrives.
#[derive(Debug, Parser)]
#[command(name = "quickstart", version, after_help = AFTER_HELP)]
pub(crate) struct Options {
    /// How long to run; 0 runs until Ctrl-C
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = duration)]
    pub(crate) duration: Limit,

    /// Worker threads of the observed runtime [default: one for each core, at least 2]
    #[arg(long, value_name = "N", value_parser = workers)]
    workers: Option<NonZeroUsize>,

    /// Push to a collector instead of the receiver in this process
    #[arg(long, value_name = "URL", value_parser = endpoint)]
    pub(crate) endpoint: Option<String>,

    /// How OTLP travels [default: http/protobuf to port 4318, else grpc]
    #[arg(long)]
    pub(crate) protocol: Option<Protocol>,

    /// What counters and histograms count from [default: cumulative]
    #[arg(long)]
    temporality: Option<Preference>,

    /// Level of detail of the histograms
    #[arg(long, value_name = "DETAIL", default_value = "runtime")]
    histograms: Detail,

    /// At the end, print one JSON document on standard output; the table goes to standard error
    #[arg(long)]
    pub(crate) json: bool,
}

/// How long to run; `None` runs until Ctrl-C.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit(pub(crate) Option<Duration>);

/// How OTLP travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Protocol {
    Grpc,
    #[value(name = "http/protobuf")]
    HttpProtobuf,
}

/// What counters and histograms count from.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Preference {
    Cumulative,
    Delta,
}

/// The level of detail of the histograms.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Detail {
    /// One for each runtime
    Runtime,
    /// One for each worker
    Worker,
    /// None
    Off,
}

const AFTER_HELP: &str = "\
The exporters read the variables of the OpenTelemetry specification; an option wins over a variable:
  OTEL_EXPORTER_OTLP_ENDPOINT       push to a collector
  OTEL_EXPORTER_OTLP_PROTOCOL       grpc or http/protobuf
  OTEL_EXPORTER_OTLP_HEADERS        such as api-key=…
  OTEL_EXPORTER_OTLP_TIMEOUT        milliseconds
  OTEL_EXPORTER_OTLP_COMPRESSION    none, gzip or zstd
  OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE  cumulative, delta or lowmemory
  OTEL_METRIC_EXPORT_INTERVAL       milliseconds; 1000 here, if it is not set
  OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES";

const MAX_WORKERS: usize = 1024;

impl Options {
    /// Workers of the observed runtime: one for each core, and at least 2, since with one there is
    /// nothing to compare.
    pub(crate) fn workers(&self) -> usize {
        let default = || thread::available_parallelism().map_or(2, NonZeroUsize::get).clamp(2, MAX_WORKERS);
        self.workers.map_or_else(default, NonZeroUsize::get)
    }

    pub(crate) fn temporality(&self) -> Option<Temporality> {
        self.temporality.map(|preference| match preference {
            Preference::Cumulative => Temporality::Cumulative,
            Preference::Delta => Temporality::Delta,
        })
    }

    pub(crate) fn histograms(&self) -> Histograms {
        match self.histograms {
            Detail::Runtime => Histograms::Runtime,
            Detail::Worker => Histograms::Worker,
            Detail::Off => Histograms::Off,
        }
    }
}

/// Reads the command line.
pub(crate) fn parse() -> Result<Options, Failure> {
    Options::try_parse().map_err(refuse)
}

/// One line of what clap has to say, but all of the help.
fn refuse(error: clap::Error) -> Failure {
    let text = error.render().to_string();
    if !error.use_stderr() {
        return Failure::Help(text);
    }
    let mut lines = text.lines().map(str::trim);
    let what = lines.next().unwrap_or("bad usage").trim_start_matches("error: ");
    let remedy = lines.next().filter(|line| line.starts_with('[')).map(|line| format!(" {line}"));
    Failure::Usage(format!("{what}{} (see --help)", remedy.unwrap_or_default()))
}

fn duration(value: &str) -> Result<Limit, String> {
    let seconds: u32 = value.parse().map_err(|_| "use a number of seconds, or 0".to_owned())?;
    Ok(Limit((seconds > 0).then(|| Duration::from_secs(seconds.into()))))
}

fn workers(value: &str) -> Result<NonZeroUsize, String> {
    let workers = value.parse().ok().filter(|workers: &NonZeroUsize| workers.get() <= MAX_WORKERS);
    workers.ok_or_else(|| format!("use a number from 1 to {MAX_WORKERS}"))
}

fn endpoint(value: &str) -> Result<String, String> {
    let is_scheme = |scheme: &str| ["http", "https"].iter().any(|it| scheme.eq_ignore_ascii_case(it));
    match value.split_once("://") {
        Some((scheme, host)) if is_scheme(scheme) && !host.is_empty() => {
            Ok(value.trim_end_matches('/').to_owned())
        }
        _ => {
            let remedy = "use a URL such as http://localhost:4317 for grpc, or http://localhost:4318 for http/protobuf";
            Err(remedy.to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_workers_has_bounds() {
        assert_eq!(workers("1"), Ok(NonZeroUsize::MIN));
        assert_eq!(workers("1024").map(NonZeroUsize::get), Ok(1024));
        for bad in ["0", "1025", "-1", "two", ""] {
            assert_eq!(workers(bad), Err("use a number from 1 to 1024".to_owned()));
        }
    }

    #[test]
    fn an_endpoint_is_a_url_of_http() {
        assert_eq!(endpoint("http://localhost:4317/"), Ok("http://localhost:4317".to_owned()));
        assert_eq!(endpoint("https://host"), Ok("https://host".to_owned()));
        assert_eq!(endpoint("HTTP://LOCALHOST:4318"), Ok("HTTP://LOCALHOST:4318".to_owned()));
        for bad in ["localhost:4317", "ftp://host", "http://", "", "nonsense"] {
            assert!(endpoint(bad).unwrap_err().contains("http://localhost:4317"));
        }
    }
}
