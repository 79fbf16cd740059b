#![doc = include_str!("../README.md")]

mod attachment;
mod attributes;
mod coverage;
mod cycle;
mod error;
mod instrumentation;
mod meter;
mod options;
mod registry;
mod series;

pub use attachment::Attachment;
pub use coverage::SourceCoverage;
pub use error::AttachError;
pub use instrumentation::Instrumentation;
pub use options::{Detail, Options};
pub use series::{ExpectedSeries, MetricSeries};
