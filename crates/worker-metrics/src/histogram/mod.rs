//! Counts of durations by size: the buckets, the scale that they stand on, and what a reader takes
//! away.
//!
//! A worker measures into its own [`LocalHistogram`] and stores the totals into the [`Histogram`]
//! that readers share; both stand on one [`Scale`]. A reader copies them into a
//! [`HistogramSnapshot`]. Who has no moment to submit at measures straight into the shared one with
//! a [`HistogramWriter`]. Nothing here knows a metric's name, an exporter or a clock, and nothing
//! on the recording path allocates, locks, computes in floating point or panics.
//!
//! | scale | buckets | choose it for |
//! |---|---|---|
//! | [`Scale::preset`] | 23, doubling, 10 µs to 10 s | poll times and schedule latencies, unless there is a reason |
//! | [`Scale::log`] | each doubling in equal parts | the buckets of a Tokio runtime, or a finer preset |
//! | [`Scale::linear`] | of one width | a known, narrow range |
//! | [`Scale::explicit`] | between given bounds | a service level that must be a bound |
//! | [`Scale::exponential`] | each doubling in equal ratios | OTLP's exponential histograms |
//!
//! # Examples
//!
//! ```
//! use worker_metrics::histogram::{Histogram, LocalHistogram, Scale};
//!
//! let scale = Scale::preset();
//! let shared = Histogram::new(&scale);
//! let mut local = LocalHistogram::new(&scale);
//!
//! local.measure(3_000_000);
//! local.submit(&shared);
//!
//! let snapshot = shared.snapshot();
//! assert_eq!(snapshot.count(), 1);
//! assert_eq!(snapshot.sum_ns, Some(3_000_000));
//! ```

mod ends;
mod error;
mod explicit;
mod exponential;
mod linear;
mod local;
mod log;
mod natural;
mod octaves;
mod padded;
mod scale;
mod shared;
mod snapshot;
mod thresholds;
mod writer;

pub use error::{ScaleError, ScaleMismatch};
pub use exponential::ExponentialLayout;
pub use local::LocalHistogram;
pub use log::LogScaleBuilder;
pub use scale::{MAX_BUCKETS, Scale};
pub use shared::Histogram;
pub use snapshot::HistogramSnapshot;
pub use writer::HistogramWriter;
