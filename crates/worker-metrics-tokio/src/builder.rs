//! What is to be switched on when a runtime is built.

use tokio::runtime::Builder;

use crate::tasks::TaskMetrics;
use crate::unstable;

/// Switches on, at the builder of a runtime, what its metrics need.
pub trait RuntimeBuilderExt {
    /// Keeps the poll-time and the schedule-latency histogram, on a scale that fits both: log, one
    /// bucket for each power of two from 8 µs to 17 s, 23 buckets
    /// ([`Scale::preset`](worker_metrics::histogram::Scale::preset)). Tokio's own default, ten
    /// linear buckets of 100 µs, sees nothing above 0.9 ms.
    ///
    /// Does nothing without `--cfg tokio_unstable`, and leaves out the schedule latency where Tokio
    /// is older than 1.53 or built without its feature `schedule-latency`:
    /// [`Source::definitions`](worker_metrics::Source::definitions) then says so.
    ///
    /// **Cost**: two clock readings for each poll, one more for each scheduling with Tokio's
    /// feature `schedule-latency`; 23 × 8 bytes twice for each worker and histogram.
    ///
    /// # Examples
    ///
    /// ```
    /// use worker_metrics_tokio::RuntimeBuilderExt;
    ///
    /// let runtime = tokio::runtime::Builder::new_multi_thread()
    ///     .enable_all()
    ///     .name("main")
    ///     .enable_worker_histograms()
    ///     .build()?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    fn enable_worker_histograms(&mut self) -> &mut Self;

    /// Installs the hooks of `tasks`, in place of those that the builder has on threads and, with
    /// `--cfg tokio_unstable`, on tasks: give yours to [`TaskMetrics::hooks`] instead, which keeps
    /// both.
    ///
    /// **Cost**: that of [`Hooks::install`](crate::Hooks::install).
    fn measure_tasks(&mut self, tasks: &TaskMetrics) -> &mut Self;
}

impl RuntimeBuilderExt for Builder {
    fn enable_worker_histograms(&mut self) -> &mut Self {
        unstable::enable_histograms(self);
        self
    }

    fn measure_tasks(&mut self, tasks: &TaskMetrics) -> &mut Self {
        tasks.hooks().install(self);
        self
    }
}
