//! The command line, and the variables of the OpenTelemetry specification that stand behind it.

use std::num::NonZeroUsize;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use worker_metrics_otel::Histograms;

use crate::error::Failure;
use crate::settings::{self, Endpoint, Environment, Protocol};

/// Runs a mixed workload on a Tokio runtime, pushes its worker metrics over OTLP, and shows what arrives.
#[derive(Debug, Parser)]
#[command(name = "quickstart", version, after_help = AFTER_HELP)]
struct Arguments {
    /// How long to run; 0 runs until Ctrl-C
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    duration: u32,

    /// Worker threads of the observed runtime [default: one for each core, at least 2]
    #[arg(long, value_name = "N", value_parser = settings::workers)]
    workers: Option<NonZeroUsize>,

    /// Push to a collector instead of the receiver in this process
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,

    /// grpc or http/protobuf [default: grpc]
    #[arg(long, value_name = "PROTOCOL")]
    protocol: Option<String>,

    /// cumulative or delta [default: cumulative]
    #[arg(long, value_name = "TEMPORALITY")]
    temporality: Option<String>,

    /// Level of detail of the histograms
    #[arg(long, value_name = "DETAIL", default_value = "runtime")]
    histograms: HistogramDetail,

    /// At the end, print one JSON document on standard output; the table goes to standard error
    #[arg(long)]
    json: bool,
}

/// The level of detail of the histograms.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum HistogramDetail {
    /// One for each runtime
    Runtime,
    /// One for each worker
    Worker,
    /// None
    Off,
}

impl From<HistogramDetail> for Histograms {
    fn from(detail: HistogramDetail) -> Self {
        match detail {
            HistogramDetail::Runtime => Self::Runtime,
            HistogramDetail::Worker => Self::Worker,
            HistogramDetail::Off => Self::Off,
        }
    }
}

const AFTER_HELP: &str = "\
Environment, as the OpenTelemetry specification has it; an option wins over a variable, and OTEL_EXPORTER_OTLP_METRICS_… over
OTEL_EXPORTER_OTLP_…:
  OTEL_EXPORTER_OTLP_ENDPOINT       push to a collector (without …_METRICS_, /v1/metrics is added for http/protobuf)
  OTEL_EXPORTER_OTLP_PROTOCOL       grpc or http/protobuf
  OTEL_EXPORTER_OTLP_HEADERS        such as api-key=…
  OTEL_EXPORTER_OTLP_TIMEOUT        milliseconds
  OTEL_EXPORTER_OTLP_COMPRESSION    none, gzip or zstd
  OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE  cumulative, delta or lowmemory
  OTEL_METRIC_EXPORT_INTERVAL       milliseconds; 1000 here, if it is not set
  OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES";

/// What to do.
#[derive(Debug)]
pub(crate) struct Options {
    /// `None` runs until Ctrl-C.
    pub(crate) duration: Option<Duration>,
    pub(crate) workers: usize,
    /// `None` is the receiver in this process.
    pub(crate) endpoint: Option<Endpoint>,
    pub(crate) protocol: Protocol,
    pub(crate) temporality: opentelemetry_sdk::metrics::Temporality,
    pub(crate) interval: Duration,
    pub(crate) histograms: Histograms,
    pub(crate) service_name: Option<String>,
    pub(crate) json: bool,
}

/// Reads the command line and the environment.
pub(crate) fn parse() -> Result<Options, Failure> {
    let arguments = Arguments::try_parse().map_err(refuse)?;
    resolve(arguments, &Environment::of_process()).map_err(Failure::Usage)
}

/// One line of what clap has to say, but all of the help.
fn refuse(error: clap::Error) -> Failure {
    let text = error.render().to_string();
    if !error.use_stderr() {
        return Failure::Help(text);
    }
    let line = text.lines().next().unwrap_or("bad usage").trim_start_matches("error: ");
    Failure::Usage(format!("{line} (see --help)"))
}

fn resolve(arguments: Arguments, environment: &Environment) -> Result<Options, String> {
    let protocol = environment.protocol(arguments.protocol)?;
    environment.check_timeouts()?;
    Ok(Options {
        duration: (arguments.duration > 0).then(|| Duration::from_secs(arguments.duration.into())),
        workers: arguments.workers.map_or_else(settings::default_workers, NonZeroUsize::get),
        endpoint: environment.endpoint(arguments.endpoint, protocol)?,
        protocol,
        temporality: environment.temporality(arguments.temporality)?,
        interval: environment.interval()?,
        histograms: arguments.histograms.into(),
        service_name: environment.service_name(),
        json: arguments.json,
    })
}
