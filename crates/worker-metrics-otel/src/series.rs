//! How many series an instrumentation produces.

use worker_metrics::catalogue::CATALOGUE;

use crate::registry::Attached;
use crate::ways::Ways;

/// The number of series that the attached sources produce, on each registered meter.
///
/// It is an upper bound: a value that is not known at a collection has no point there. Histograms are among them where an exporter is
/// wrapped, or they are replayed; each counts as one. So are scalars that go through the exporter, where one is wrapped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExpectedSeries {
    metrics: Vec<MetricSeries>,
}

/// The number of series of one metric.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricSeries {
    /// The metric's name.
    pub name: String,
    /// The number of its series.
    pub series: usize,
}

impl ExpectedSeries {
    /// Series in one instrument above which the OpenTelemetry SDK, as it comes, puts what is new into one overflow series and
    /// loses what it was: `DEFAULT_CARDINALITY_LIMIT` of opentelemetry_sdk 0.33.
    pub const SDK_CARDINALITY_LIMIT: usize = 2000;

    pub(crate) fn of<'a>(attached: impl IntoIterator<Item = &'a Attached>, ways: Ways) -> Self {
        let mut metrics: Vec<MetricSeries> = Vec::new();
        for attached in attached {
            for (row, definition) in CATALOGUE.iter().enumerate() {
                if !attached.exports(row) || !ways.lead_out(definition, attached.sends_beside(definition)) {
                    continue;
                }
                let name = attached.identity().namespace.metric(definition);
                let series = attached.attributes().of(row).len();
                match metrics.iter_mut().find(|metric| metric.name == name) {
                    Some(metric) => metric.series += series,
                    None => metrics.push(MetricSeries { name, series }),
                }
            }
        }
        Self { metrics }
    }

    /// Each metric with its number of series.
    #[must_use]
    pub fn metrics(&self) -> &[MetricSeries] {
        &self.metrics
    }

    /// The number of all series.
    #[must_use]
    pub fn total(&self) -> usize {
        self.metrics.iter().map(|metric| metric.series).sum()
    }

    /// The metric with the most series: the one that meets a cardinality limit first.
    #[must_use]
    pub fn largest(&self) -> Option<&MetricSeries> {
        self.metrics.iter().max_by_key(|metric| metric.series)
    }
}
