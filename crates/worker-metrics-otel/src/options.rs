//! What of a source is exported, and in how many series.

use worker_metrics::Definition;
use worker_metrics::catalogue::Requirement;

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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    pub(crate) worker_detail: Detail,
    opt_in_metrics: bool,
    pub(crate) flavor: bool,
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

    /// Whether a metric is exported, if the source covers it.
    #[must_use]
    pub fn exports(&self, definition: &Definition) -> bool {
        match definition.requirement {
            Requirement::Recommended => true,
            Requirement::OptIn => self.opt_in_metrics,
        }
    }
}
