//! What a process amounts to: series and bytes by level of detail and workers.
//!
//! Measured on whole requests as they arrive. Series and points are the same in every run; bytes
//! are rounded.

use std::fmt::Write as _;
use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest as Request;
use prost::Message;
use worker_metrics::histogram::Scale;
use worker_metrics_otel::{Detail, Histograms};

use crate::backend::Settings;
use crate::check;
use crate::document::grouped;
use crate::process::{Level, Process, pool};

const WORKERS: [usize; 4] = [4, 16, 64, 256];
const RESOURCE: [(&str, &str); 2] =
    [("service.name", "checkout"), ("service.instance.id", "7f1b6f0c-0d0c-4f6e-9c55-3a5f0d3b8a11")];

/// One export of one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Amount {
    /// Series, one point each.
    pub series: usize,
    /// In all requests of the export, uncompressed.
    pub bytes: usize,
    /// The same with gzip.
    pub gzip_bytes: usize,
    /// In the largest request, uncompressed.
    pub largest_bytes: usize,
}

/// Of which kind the buckets are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Buckets {
    Explicit,
    Exponential,
}

impl Buckets {
    fn scale(self) -> Scale {
        match self {
            Self::Explicit => Scale::preset(),
            Self::Exponential => Scale::exponential(2, Scale::PRESET_MIN, Scale::PRESET_MAX)
                .expect("the preset's range is one of an exponential scale"),
        }
    }
}

/// What a level of detail is called, and what it is.
fn levels() -> Vec<(&'static str, &'static str, Buckets, Level)> {
    let mut levels = Vec::new();
    for (detail_name, detail) in [("`Worker`", Detail::Worker), ("`Runtime`", Detail::Runtime)] {
        let mut level = |histograms_name, buckets, histograms| {
            levels.push((detail_name, histograms_name, buckets, Level { detail, histograms }));
        };
        level("`Off`", Buckets::Explicit, Histograms::Off);
        level("`Runtime`, explicit", Buckets::Explicit, Histograms::Runtime);
        level("`Runtime`, exponential", Buckets::Exponential, Histograms::Runtime);
        level("`Worker`, explicit", Buckets::Explicit, Histograms::Worker);
        level("`Worker`, exponential", Buckets::Exponential, Histograms::Worker);
    }
    levels
}

/// What a pool of so many workers exports at once, every bucket filled.
fn measure(buckets: Buckets, level: Level, workers: usize) -> Amount {
    let mut process = Process::start(Settings::DEFAULT, level, &RESOURCE);
    let _batches = process.attach_pool("render", &buckets.scale(), workers);
    let requests = process.export();
    let bytes = |request: &Request| request.encoded_len();
    Amount {
        series: requests.iter().map(check::points).sum(),
        bytes: requests.iter().map(bytes).sum(),
        gzip_bytes: requests.iter().map(gzip_bytes).sum(),
        largest_bytes: requests.iter().map(bytes).max().unwrap_or_default(),
    }
}

fn gzip_bytes(request: &Request) -> usize {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(&request.encode_to_vec()).expect("memory takes everything");
    encoder.finish().expect("memory takes everything").len()
}

/// The series that a pool of so many workers has, and those that arrive of it: they are the same.
#[must_use]
pub fn series_and_arrived(workers: usize) -> Vec<(usize, usize)> {
    let both = |(_, _, buckets, level): (_, _, Buckets, Level)| {
        (series(buckets, level, workers), measure(buckets, level, workers).series)
    };
    levels().into_iter().map(both).collect()
}

fn series(buckets: Buckets, level: Level, workers: usize) -> usize {
    let mut process = Process::start(Settings::DEFAULT, level, &RESOURCE);
    let (pool, _batches) = pool("render", &buckets.scale(), workers);
    process.keep(process.workers().attach(pool).expect("the pool is new"));
    process.workers().expected_series().total()
}

/// The series by level of detail and workers.
#[must_use]
pub fn series_table() -> String {
    table("series", |buckets, level, workers| grouped(series(buckets, level, workers)))
}

/// The bytes of an export, uncompressed and with gzip.
#[must_use]
pub fn bytes_table() -> String {
    table("kB / with gzip", |buckets, level, workers| {
        let amount = measure(buckets, level, workers);
        format!("{} / {}", kilobytes(amount.bytes), kilobytes(amount.gzip_bytes))
    })
}

fn table(what: &str, cell: impl Fn(Buckets, Level, usize) -> String) -> String {
    let mut table = head(what);
    for (detail, histograms, buckets, level) in levels() {
        let cells = WORKERS.map(|workers| cell(buckets, level, workers));
        let _ = writeln!(table, "| {detail} | {histograms} | {} |", cells.join(" | "));
    }
    table
}

fn head(what: &str) -> String {
    let mut head = "| `Detail` | `Histograms` |".to_owned();
    for workers in WORKERS {
        let _ = write!(head, " {workers} workers, {what} |");
    }
    format!("{head}\n|---|---|{}\n", "---|".repeat(WORKERS.len()))
}

/// To two digits.
fn kilobytes(bytes: usize) -> String {
    match bytes {
        0..10_000 => format!("{:.1}", bytes as f64 / 1e3),
        10_000..100_000 => format!("{:.0}", bytes as f64 / 1e3),
        _ => grouped((bytes + 5_000) / 10_000 * 10),
    }
}

/// From how many workers on, in one pool, the largest request is longer than this; looked for in
/// steps of 64.
#[must_use]
pub fn workers_beyond(bytes: usize) -> Option<usize> {
    let level = Level { detail: Detail::Worker, histograms: Histograms::Off };
    (64..=2_048).step_by(64).find(|&workers| measure(Buckets::Explicit, level, workers).largest_bytes > bytes)
}
