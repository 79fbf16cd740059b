#![doc = include_str!("../README.md")]
#![cfg_attr(
    not(any(feature = "grpc-tonic", feature = "http-proto")),
    allow(dead_code, reason = "without a transport nothing drives the exporter's half")
)]

mod attachment;
mod attributes;
mod coverage;
mod cycle;
mod error;
#[cfg(any(feature = "grpc-tonic", feature = "http-proto"))]
mod exporter;
mod histogram;
mod histogram_row;
mod instrumentation;
mod looks;
mod meter;
mod number;
mod number_row;
mod options;
mod otlp;
mod pipe;
mod reading;
mod registry;
mod replay;
mod series;
#[cfg(any(feature = "grpc-tonic", feature = "http-proto"))]
mod sink;
mod watchdog;
mod ways;

pub use attachment::Attachment;
pub use coverage::SourceCoverage;
pub use error::AttachError;
#[cfg(any(feature = "grpc-tonic", feature = "http-proto"))]
pub use exporter::Exporter;
pub use histogram::{BoundsError, HistogramOptions, Sum};
pub use instrumentation::Instrumentation;
pub use options::{Detail, Histograms, Options, Scalars};
pub use series::{ExpectedSeries, MetricSeries};
#[cfg(any(feature = "grpc-tonic", feature = "http-proto"))]
pub use sink::{Compression, Protocol, SendError, Sink, SinkError};
pub use watchdog::{IntervalError, Stall, Watchdog};
