//! What an instrumentation exports, where to, and what is wrong.

use std::fmt;
use std::time::Duration;

/// What an instrumentation exports, where to, and what is wrong, at one moment.
///
/// Its `Display` is a few lines for a person to read.
///
/// # Examples
///
/// ```
/// use worker_metrics_otel::Instrumentation;
///
/// let workers = Instrumentation::default();
/// let status = workers.status();
/// assert_eq!(status.sources, 0);
/// println!("{status}");
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Status {
    /// The number of attached sources.
    pub sources: usize,
    /// The registered meters, in the order of their registration.
    pub meters: Vec<MeterStatus>,
    /// The exports by OTLP that there are.
    pub exports: Vec<OtlpStatus>,
}

/// What a registered meter has collected.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct MeterStatus {
    /// Time since it was registered.
    pub age: Duration,
    /// Whether it has instruments: not without a source, and not if the numbers go by OTLP.
    pub has_instruments: bool,
    /// The number of collections.
    pub collections: u64,
    /// Time since the last collection.
    pub last_collection: Option<Duration>,
    /// The longest time between two collections.
    pub longest_pause: Option<Duration>,
    /// Values of histograms that are still to be replayed.
    pub replay_backlog: u64,
}

/// What has become of an export by OTLP.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OtlpStatus {
    /// Address and protocol of the receiver.
    pub destination: String,
    /// The interval of a push; `None` for an exporter, which is driven by a reader.
    pub interval: Option<Duration>,
    /// Time since it was made.
    pub age: Duration,
    /// The number of exports that were taken.
    pub taken: u64,
    /// The number of exports that failed.
    pub failed: u64,
    /// Time since the last one that was taken.
    pub last_taken: Option<Duration>,
    /// Why the last export failed, if it did.
    pub last_error: Option<String>,
    /// Series of detached sources whose last values nobody took.
    pub lost_series: u64,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} attached", Counted(self.sources as u64, "source"))?;
        for meter in &self.meters {
            write!(f, "\nmeter: {meter}")?;
        }
        for export in &self.exports {
            write!(f, "\nOTLP to {export}")?;
        }
        if self.meters.is_empty() && self.exports.is_empty() {
            f.write_str(
                "\nnothing is exported: call `Instrumentation::register`, or `Instrumentation::otlp`",
            )?;
        }
        Ok(())
    }
}

impl fmt::Display for MeterStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Counted(self.collections, "collection"))?;
        if let Some(last) = self.last_collection {
            write!(f, ", the last {:.1} s ago", last.as_secs_f64())?;
        }
        if self.replay_backlog > 0 {
            write!(f, ", {} still to be replayed", Counted(self.replay_backlog, "value"))?;
        }
        Ok(())
    }
}

impl fmt::Display for OtlpStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} taken, {} failed", self.destination, Counted(self.taken, "export"), self.failed)?;
        if let Some(last) = self.last_taken {
            write!(f, ", the last one taken {:.1} s ago", last.as_secs_f64())?;
        }
        if self.lost_series > 0 {
            write!(f, ", the last values of {} lost", Counted(self.lost_series, "series"))?;
        }
        if let Some(error) = &self.last_error {
            write!(f, "\n  the last export failed: {error}")?;
        }
        Ok(())
    }
}

/// A number with its noun.
struct Counted(u64, &'static str);

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ending = if self.0 == 1 || self.1 == "series" { "" } else { "s" };
        write!(f, "{} {}{ending}", self.0, self.1)
    }
}
