//! A backend, and what it takes.
//!
//! Filled in `backends.rs`, read by the checks and the documents. Knows no payload.

use opentelemetry_sdk::metrics::Temporality;
use worker_metrics_otel::Protocol;

/// A backend that takes OTLP metrics.
#[derive(Debug)]
pub struct Backend {
    /// As the vendor writes it.
    pub name: &'static str,
    /// Of `deploy/backends/<file>.md` and `.yaml`.
    pub file: &'static str,
    /// Whether a process may send there without a collector: it needs no more than a header.
    pub direct: bool,
    /// With what a process sends there; for a collector, with what its exporter does.
    pub settings: Settings,
    /// The exporter of the collector, and the distribution that has it.
    pub collector: &'static str,
    /// What it takes.
    pub limits: &'static [Limit],
    /// The constraint that bites.
    pub bites: &'static str,
}

/// With what a process sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How OTLP travels.
    pub protocol: Protocol,
    /// Of counters and histograms.
    pub temporality: Temporality,
    /// `HistogramOptions::with_max_buckets`, where it is needed.
    pub max_buckets: Option<usize>,
}

impl Settings {
    /// What a process does where nothing is set.
    pub const DEFAULT: Self =
        Self { protocol: Protocol::HttpProtobuf, temporality: Temporality::Cumulative, max_buckets: None };
    /// With `OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE=delta`.
    pub const DELTA: Self = Self { temporality: Temporality::Delta, ..Self::DEFAULT };
}

/// A rule that requests have to keep, and who says so.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    /// The rule.
    pub rule: Rule,
    /// Where it is written.
    pub source: &'static str,
    /// How sure it is.
    pub standing: Standing,
}

/// How sure a limit is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Read at its source in 2026.
    Read,
    /// Remembered, and not found again: check with the vendor.
    Unsure,
}

/// A rule that a request keeps or breaks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rule {
    /// OTLP travels by one of these.
    Protocols(&'static [Protocol]),
    /// Counters and histograms with explicit bounds have one of these; up-down counters may be
    /// cumulative anywhere.
    Temporalities(&'static [Temporality]),
    /// Exponential histograms have one of these; none are taken as what they are where this is
    /// empty.
    Exponential(&'static [Temporality]),
    /// A histogram has at most so many buckets.
    Buckets(usize),
    /// A request has at most so many points.
    Points(usize),
    /// A request has at most so many bytes, uncompressed.
    Bytes(usize),
    /// A point has at most so many attributes.
    Attributes(usize),
    /// A key of an attribute has at most so many characters.
    KeyLength(usize),
    /// A value of an attribute has at most so many characters.
    ValueLength(usize),
    /// A metric's name begins with an ASCII letter, and has only those, digits and these beside.
    MetricName(&'static str),
    /// An attribute's key begins with an ASCII letter or `_`, and has only those, digits and these
    /// beside.
    AttributeName(&'static str),
    /// Bounds ascend strictly and are finite, and there is one bucket more.
    Bounds,
    /// A histogram has a sum.
    Sum,
    /// A histogram has no smallest and no largest value.
    NoMinMax,
    /// The resource has a `service.instance.id` that is not empty: it becomes `instance`.
    Instance,
}
