//! What of a source is exported, and in how many series.

use std::num::NonZeroU32;

use worker_metrics::catalogue::{Instrument, Requirement};
use worker_metrics::{Coverage, Definition, Row};

use crate::histogram::HistogramOptions;
use crate::watchdog::Watchdog;

/// What of each source is exported, and in how many series.
///
/// The default exports every recommended metric, those of workers for each worker.
///
/// # Examples
///
/// ```
/// use worker_metrics_otel::{Detail, Instrumentation, Options};
///
/// // One series per runtime where the default has one per worker.
/// let workers = Instrumentation::new(Options::default().with_worker_detail(Detail::Runtime));
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Options {
    worker_detail: Detail,
    scalars: Scalars,
    histograms: Histograms,
    pub(crate) histogram_options: HistogramOptions,
    pub(crate) replay: Option<NonZeroU32>,
    opt_in_metrics: bool,
    pub(crate) flavor: bool,
    pub(crate) watchdog: Option<Watchdog>,
}

/// Which histograms are exported, and in how many series.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Histograms {
    /// None.
    Off,
    /// One for each runtime: the sum of those of its workers, bucket by bucket, which loses nothing but the worker.
    #[default]
    Runtime,
    /// One for each worker. With 23 buckets that is 23 numbers a worker and metric.
    Worker,
}

/// Which way counters, up-down counters and gauges go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scalars {
    /// Through the instruments of the registered meters, as any metric of the program: to whatever exporter, with its views.
    #[default]
    Meter,
    /// Through the wrapped exporter, beside the histograms: exact deltas against the last acknowledged export, an end for the series of a
    /// detached source, and no limit of 2000 series for an instrument. For many workers or runtimes: a series costs a small part of what it
    /// does through the SDK.
    ///
    /// One metric of each source stays with the meters, the first of those with the fewest series, such as `*.task.count`: the SDK calls no
    /// exporter that has nothing to export. Views do not see the others, and without
    /// [`Instrumentation::exporter`](crate::Instrumentation::exporter) nobody exports them.
    Exporter,
}

/// How many series a metric of workers has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Detail {
    /// One for each worker.
    #[default]
    Worker,
    /// One for each runtime: counts and times are summed, of `*.worker.progress.age` the largest is taken, of
    /// `*.worker.poll.mean_duration` the mean. Which worker it is cannot be told any more.
    Runtime,
}

impl Options {
    /// Sets the level of detail of the counters, up-down counters and gauges of workers.
    #[must_use]
    pub fn with_worker_detail(mut self, detail: Detail) -> Self {
        self.worker_detail = detail;
        self
    }

    /// Sets which way counters, up-down counters and gauges go.
    #[must_use]
    pub fn with_scalars(mut self, scalars: Scalars) -> Self {
        self.scalars = scalars;
        self
    }

    /// Sets which histograms are exported, and in how many series.
    #[must_use]
    pub fn with_histograms(mut self, histograms: Histograms) -> Self {
        self.histograms = histograms;
        self
    }

    /// Sets what the sum of an exported histogram is, and on which buckets it is exported.
    #[must_use]
    pub fn with_histogram_options(mut self, options: HistogramOptions) -> Self {
        self.histogram_options = options;
        self
    }

    /// Records the histograms anew through a histogram of the registered meters: for exporters that cannot be wrapped, such as
    /// Prometheus or standard output.
    ///
    /// Every counted value is recorded once, as the midpoint of its bucket, and at most `at_most` of them for each meter and
    /// collection; what is more waits for the next one, and nothing is dropped. A source with other buckets than the first of
    /// its namespace is counted in those of the first.
    ///
    /// **Cost**: 100 to 140 ns for each value, on the reader's thread, where
    /// [`Instrumentation::exporter`](crate::Instrumentation::exporter) costs the same however much was counted.
    #[must_use]
    pub fn with_replayed_histograms(mut self, at_most: NonZeroU32) -> Self {
        self.replay = Some(at_most);
        self
    }

    /// Exports the opt-in metrics as well: `*.worker.poll.mean_duration` and `*.io_driver.fd.count`.
    #[must_use]
    pub fn with_opt_in_metrics(mut self) -> Self {
        self.opt_in_metrics = true;
        self
    }

    /// Adds the flavor of the scheduler to the attributes of every metric, as `tokio.runtime.flavor`.
    #[must_use]
    pub fn with_flavor(mut self) -> Self {
        self.flavor = true;
        self
    }

    /// Counts the stalls of the workers on a thread of its own: `*.worker.stalls` and `*.worker.stall.duration`, which need it.
    #[must_use]
    pub fn with_watchdog(mut self, watchdog: Watchdog) -> Self {
        self.watchdog = Some(watchdog);
        self
    }

    /// Whether a metric is exported, if the source covers it.
    #[must_use]
    pub fn exports(&self, definition: &Definition) -> bool {
        if definition.instrument == Instrument::Histogram && self.histograms == Histograms::Off {
            return false;
        }
        match definition.requirement {
            Requirement::Recommended => true,
            _ => self.opt_in_metrics,
        }
    }

    /// Whether there is anybody to provide a row: the source, or the watchdog in its place.
    pub(crate) fn provides(&self, row: &Row) -> bool {
        row.is_covered() || (row.coverage == Coverage::LeftToWatchdog && self.watchdog.is_some())
    }

    /// Whether the numbers of a metric may go through the exporter instead of the meters.
    pub(crate) fn sends_beside(&self, definition: &Definition) -> bool {
        self.scalars == Scalars::Exporter && definition.instrument != Instrument::Histogram
    }

    /// How many series a metric of workers has.
    pub(crate) fn detail_of(&self, definition: &Definition) -> Detail {
        match (definition.instrument, self.histograms) {
            (Instrument::Histogram, Histograms::Worker) => Detail::Worker,
            (Instrument::Histogram, _) => Detail::Runtime,
            _ => self.worker_detail,
        }
    }
}
