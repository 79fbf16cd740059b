#![doc = include_str!("../README.md")]

mod attachment;
mod cardinality;
mod coverage;
mod dump;
mod instrumentation;
mod lock;
mod meter;
mod numbers_route;
mod options;
#[cfg(feature = "otlp")]
mod otlp;
mod scope;
mod selfcheck;
mod setters;
mod source;
mod stall;
mod status;
mod watchdog;
mod ways;

pub use attachment::Attachment;
pub use cardinality::{ExpectedSeries, MetricSeries};
pub use coverage::SourceCoverage;
pub use dump::{Dump, SourceDump, WorkerDump};
pub use instrumentation::Instrumentation;
pub use options::{
    AttachError, BoundsError, Detail, HistogramOptions, Histograms, IntervalError, Numbers, Options, Sum,
    Watchdog,
};
#[cfg(feature = "tls")]
pub use otlp::Tls;
#[cfg(feature = "otlp")]
pub use otlp::{
    Cause, Compression, ExportError, Otlp, OtlpError, OtlpExporter, OtlpResource, Protocol, Push, RetryPolicy,
};
pub use stall::{Proof, Stall};
pub use status::{MeterStatus, OtlpStatus, Status};
pub use worker_metrics;
pub use worker_metrics_thread_dump;
