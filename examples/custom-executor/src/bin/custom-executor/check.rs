//! Whether every metric that the pools provide arrived, and says something.

use std::fmt;

use otlp_receiver::{Document, Metric, Number, Point};
use worker_metrics::Definition;
use worker_metrics_otel::SourceCoverage;

/// A metric that is not as it must be, by its whole name.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It did not arrive.
    Missing(String),
    /// It is 0 in all its series.
    Zero(String),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(name) => write!(f, "{name} did not arrive"),
            Self::Zero(name) => write!(f, "{name} is 0, which it cannot be after this load"),
        }
    }
}

/// The metrics that are exported of a source, by their whole names.
pub(crate) fn expected(source: &SourceCoverage) -> impl Iterator<Item = (String, &'static Definition)> + '_ {
    let missing: Vec<_> = source.missing().map(|(name, _)| name).collect();
    let rows =
        source.rows.iter().map(|row| (source.identity.namespace.metric(row.definition), row.definition));
    rows.filter(move |(name, _)| !missing.contains(name))
}

/// What is wrong with the metrics of one source.
pub(crate) fn faults(document: &Document, source: &SourceCoverage) -> Vec<Fault> {
    let fault = |(name, _): (String, &Definition)| match document.metric(&name) {
        None => Some(Fault::Missing(name)),
        Some(metric) if is_zero(metric) && !may_be_zero(&name) => Some(Fault::Zero(name)),
        Some(_) => None,
    };
    expected(source).filter_map(fault).collect()
}

/// Threads of the pool wake for nothing only where another takes the job before them, which is a
/// matter of luck; and no worker stalls.
fn may_be_zero(name: &str) -> bool {
    name == "worker_pool.worker.noops"
        || name.ends_with(".worker.stalls")
        || name.ends_with(".worker.stall.duration")
}

fn is_zero(metric: &Metric) -> bool {
    metric.points.iter().all(|point| weight(point) == 0.0)
}

/// The value of a point, or how many values a histogram holds.
fn weight(point: &Point) -> f64 {
    let count = point.histogram().map(|histogram| histogram.count as f64);
    count.or(point.value().map(Number::as_f64)).unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use worker_metrics::Pool;
    use worker_metrics_otel::Instrumentation;

    fn coverage() -> SourceCoverage {
        let workers = Instrumentation::default();
        let (pool, _batches) = Pool::builder("render").workers(1).build().unwrap();
        let _attached = workers.attach(pool).unwrap();
        workers.coverage().remove(0)
    }

    #[test]
    fn a_document_without_a_metric_is_at_fault() {
        let source = coverage();
        let faults = faults(&Document::default(), &source);
        assert_eq!(faults.len(), expected(&source).count());
        assert!(faults.contains(&Fault::Missing("worker_pool.worker.polls".to_owned())));
    }

    #[test]
    fn a_metric_that_is_zero_everywhere_is_at_fault() {
        let json = r#"{"resource": {}, "exports": 1, "metrics": [{"name": "worker_pool.worker.polls", "description": "",
            "unit": "{poll}", "type": "sum", "monotonic": true, "temporality": "cumulative", "points": [
            {"attributes": {}, "start_time_unix_nano": 0, "time_unix_nano": 0, "value": 0}]}]}"#;
        let document = serde_json::from_str(json).unwrap();
        let faults = faults(&document, &coverage());
        assert!(faults.contains(&Fault::Zero("worker_pool.worker.polls".to_owned())));
    }
}
