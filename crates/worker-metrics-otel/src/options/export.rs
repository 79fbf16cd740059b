//! Which metrics are exported, which way, and in how many series.

use std::num::NonZeroU32;

use worker_metrics::Definition;
use worker_metrics::catalogue::{Instrument, Requirement};

use super::{HistogramOptions, Watchdog};
use crate::setters::setters;

/// Options of an [`Instrumentation`](crate::Instrumentation).
///
/// The default exports every recommended metric, those of workers for each worker, and has a
/// watchdog.
///
/// # Examples
///
/// ```
/// use worker_metrics_otel::{Detail, Instrumentation, Options};
///
/// // One series per runtime where the default has one per worker.
/// let workers = Instrumentation::new(Options::default().with_worker_detail(Detail::Runtime));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    worker_detail: Detail,
    pub(crate) numbers: Numbers,
    histograms: Histograms,
    pub(crate) histogram_options: HistogramOptions,
    pub(crate) replay: Option<ReplayOptions>,
    opt_in_metrics: bool,
    pub(crate) flavor: bool,
    pub(crate) watchdog: Option<Watchdog>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            worker_detail: Detail::default(),
            numbers: Numbers::default(),
            histograms: Histograms::default(),
            histogram_options: HistogramOptions::default(),
            replay: None,
            opt_in_metrics: false,
            flavor: false,
            watchdog: Some(Watchdog::default()),
        }
    }
}

/// How histograms are replayed through the instruments of a meter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ReplayOptions {
    /// Values for each meter and collection, at most.
    pub(crate) limit: Option<NonZeroU32>,
}

/// Which histograms are exported, and in how many series.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Histograms {
    /// None.
    Off,
    /// One for each runtime: the sum of those of its workers, bucket by bucket, which loses nothing
    /// but the worker.
    #[default]
    Runtime,
    /// One for each worker. With 23 buckets that is 23 numbers a worker and metric.
    Worker,
}

/// The way of the counters, up-down counters and gauges. Each row is exported once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Numbers {
    /// Through the meters if one is registered, and by OTLP with the histograms otherwise.
    ///
    /// Settled by whatever comes first: a [registration](crate::Instrumentation::register) or an
    /// export by OTLP. A meter that is registered after that export observes no numbers, and a
    /// warning says so.
    #[default]
    Auto,
    /// Through the instruments of the registered meters, like every metric of the program: to any
    /// exporter, with its views.
    Meter,
    /// By OTLP with the histograms: exact deltas against the last export that was taken, an end for
    /// the series of a detached source, and no limit of 2000 series for an instrument. Meant for
    /// many workers or runtimes: a series costs a small part of what it costs through the SDK.
    /// Views do not apply.
    Otlp,
}

/// How many series a metric of workers has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Detail {
    /// One for each worker.
    #[default]
    Worker,
    /// One for each runtime: counts and times are summed, of `*.worker.progress.age` the largest is
    /// taken, of `*.worker.poll.mean_duration` the mean. Which worker it is cannot be told any
    /// more.
    Runtime,
}

impl Options {
    setters! {
        /// Sets the level of detail of the counters, up-down counters and gauges of workers.
        #[must_use]
        with_worker_detail(detail: Detail) => worker_detail;

        /// Sets the way of the counters, up-down counters and gauges.
        #[must_use]
        with_numbers(numbers: Numbers) => numbers;

        /// Sets which histograms are exported, and in how many series.
        #[must_use]
        with_histograms(histograms: Histograms) => histograms;

        /// Sets what the sum of an exported histogram is, and on which buckets it is exported.
        #[must_use]
        with_histogram_options(options: HistogramOptions) => histogram_options;
    }

    /// Replays the histograms through histograms of the registered meters: for exporters that are
    /// not OTLP, such as Prometheus or standard output.
    ///
    /// Every counted value is recorded once, as the midpoint of its bucket. A source with other
    /// buckets than the first of its namespace is counted in those of the first. What the SDK has
    /// counted of a source stays with it: its histograms do not end when the source is detached.
    ///
    /// **Cost**: about 30 ns for each value in a release build, on the reader's thread, where a
    /// push by OTLP costs the same however much was counted.
    #[must_use]
    pub fn with_replayed_histograms(mut self) -> Self {
        self.replay = Some(ReplayOptions::default());
        self
    }

    /// Replays the histograms, but no more than about `at_most` values for each meter and
    /// collection.
    ///
    /// What is more waits for the next collection: each bucket has its share, and at least one
    /// value, so that slow polls are told as well as fast ones. Choose a limit above the number of
    /// polls between two collections, or the histograms lag behind; a warning and
    /// [`status`](crate::Instrumentation::status) say so.
    #[must_use]
    pub fn with_replay_limit(mut self, at_most: NonZeroU32) -> Self {
        self.replay = Some(ReplayOptions { limit: Some(at_most) });
        self
    }

    /// Exports the opt-in metrics as well: `*.worker.poll.mean_duration` and
    /// `*.io_driver.fd.count`.
    #[must_use]
    pub fn with_opt_in_metrics(mut self) -> Self {
        self.opt_in_metrics = true;
        self
    }

    /// Adds the flavor of the scheduler to the attributes of every metric, as
    /// `tokio.runtime.flavor`.
    #[must_use]
    pub fn with_flavor(mut self) -> Self {
        self.flavor = true;
        self
    }

    setters! {
        /// Sets the watchdog, which counts the stalls of the workers on a thread of its own:
        /// `*.worker.stalls` and `*.worker.stall.duration` need it. By default there is
        /// [`Watchdog::default()`].
        #[must_use]
        with_watchdog(watchdog: Watchdog) => watchdog;
    }

    /// Leaves out the watchdog: no thread, no count of stalls, and no warning of them.
    #[must_use]
    pub fn without_watchdog(mut self) -> Self {
        self.watchdog = None;
        self
    }

    /// Whether a metric is exported, if the source covers it.
    pub(crate) fn exports(&self, definition: &Definition) -> bool {
        if definition.instrument == Instrument::Histogram && self.histograms == Histograms::Off {
            return false;
        }
        match definition.requirement {
            Requirement::Recommended => true,
            _ => self.opt_in_metrics,
        }
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
