//! How many series an instrumentation produces.

use crate::source::Attached;
use crate::ways::Ways;

/// The number of series that the attached sources produce.
///
/// It is an upper bound: a value that is not known at a collection has no point there. Histograms
/// are among them if there is an export by OTLP, or they are replayed; each counts as one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExpectedSeries {
    metrics: Vec<MetricSeries>,
}

/// The number of series of one metric.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MetricSeries {
    /// The metric's name.
    pub name: String,
    /// The number of its series.
    pub series: usize,
}

impl ExpectedSeries {
    /// Series in one instrument above which the OpenTelemetry SDK, as it comes, puts what is new
    /// into one overflow series and loses what it was: `DEFAULT_CARDINALITY_LIMIT` of
    /// opentelemetry_sdk 0.33.
    pub const SDK_CARDINALITY_LIMIT: usize = 2000;

    pub(crate) fn of<'a>(attached: impl IntoIterator<Item = &'a Attached>, ways: Ways) -> Self {
        let mut metrics: Vec<MetricSeries> = Vec::new();
        for attached in attached {
            for row in attached.rows().iter().filter(|row| ways.lead_out(row.definition)) {
                let (name, series) = (&*row.name, row.expected_series());
                match metrics.iter_mut().find(|metric| metric.name == name) {
                    Some(metric) => metric.series += series,
                    None => metrics.push(MetricSeries { name: name.to_owned(), series }),
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
