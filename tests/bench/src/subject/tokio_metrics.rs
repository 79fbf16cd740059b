//! tokio-metrics through its integration with metrics.rs, rendered as a scrape by
//! metrics-exporter-prometheus.

use std::fmt;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::runtime::Handle;
use tokio_metrics::{RuntimeMetricsReporter, RuntimeMetricsReporterBuilder, RuntimeMonitor};

use super::observed::scale;
use super::{Delivered, Export, Steps, gzipped};

/// It knows sums over all workers, their least and their largest; of no worker its own.
pub(super) struct TokioMetrics {
    reporter: RuntimeMetricsReporter,
    scrape: PrometheusHandle,
    text: String,
}

impl TokioMetrics {
    /// The histogram is rendered with the runtime's own buckets.
    pub(super) fn new(runtime: &Handle, buckets: usize) -> Self {
        let mut builder = PrometheusBuilder::new();
        if buckets > 0 {
            let bounds_us: Vec<_> = scale(buckets).bounds_s().iter().map(|bound_s| bound_s * 1e6).collect();
            let histogram = Matcher::Full("tokio_poll_time_histogram".to_owned());
            builder = builder.set_buckets_for_metric(histogram, &bounds_us).expect("there are some");
        }
        let recorder = builder.build_recorder();
        let scrape = recorder.handle();
        let reporter = metrics::with_local_recorder(&recorder, || {
            let builder = RuntimeMetricsReporterBuilder::default().describe();
            builder.build_with_monitor(RuntimeMonitor::new(runtime))
        });
        Self { reporter, scrape, text: String::new() }
    }
}

impl Export for TokioMetrics {
    fn steps(&self) -> Steps {
        Steps::Apart
    }

    fn collect(&mut self) {
        self.reporter.run_once();
    }

    fn encode(&mut self) {
        self.text = self.scrape.render();
    }

    fn delivered(&mut self) -> Delivered {
        self.export();
        let (numbers, histograms) = series(&self.text);
        let bytes = self.text.len();
        Delivered { numbers, histograms, lost: 0, bytes, gzipped: gzipped(self.text.as_bytes()) }
    }
}

impl fmt::Debug for TokioMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokioMetrics").finish_non_exhaustive()
    }
}

/// The series of numbers and of histograms in a scrape.
fn series(text: &str) -> (usize, usize) {
    let (mut numbers, mut histograms) = (0, 0);
    let mut of_histogram = None;
    for line in text.lines() {
        if let Some(kind) = line.strip_prefix("# TYPE ") {
            of_histogram = kind
                .strip_suffix(" histogram")
                .or(kind.strip_suffix(" summary"))
                .map(|name| format!("{name}_count"));
        } else if !line.is_empty() && !line.starts_with('#') {
            match &of_histogram {
                Some(count) => histograms += usize::from(line.starts_with(count)),
                None => numbers += 1,
            }
        }
    }
    (numbers, histograms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_is_one_series_however_many_buckets_it_has() {
        let text = "# HELP a A.\n# TYPE a gauge\na 1\n\n# TYPE b histogram\nb_bucket{le=\"1\"} 2\nb_bucket{le=\"+Inf\"} 2\nb_sum 2\n\
                    b_count 2\n\n# TYPE c counter\nc{x=\"1\"} 1\nc{x=\"2\"} 1\n";
        assert_eq!(series(text), (3, 1));
    }
}
