//! What metrics and attributes are called in Prometheus.
//!
//! Under its default translation of OTLP, `UnderscoreEscapingWithSuffixes`: it holds without any
//! configuration, and its names need no quotes in a query. **Source**: Prometheus 3,
//! `otlp.translation_strategy`.

use worker_metrics::catalogue::Instrument;
use worker_metrics::{Attribute, Definition, Namespace};

/// The name of a metric; of a histogram, that of the native one.
#[must_use]
pub fn metric(definition: &Definition) -> String {
    let name = underscored(&Namespace::TOKIO.metric(definition));
    let unit = if definition.unit == "s" { "_seconds" } else { "" };
    let total = if definition.instrument == Instrument::Counter { "_total" } else { "" };
    format!("{name}{unit}{total}")
}

/// The names of all series that a metric may arrive as: a histogram also with classic buckets.
#[must_use]
pub fn series(definition: &Definition) -> Vec<String> {
    let name = metric(definition);
    let mut names = vec![name.clone()];
    if definition.instrument == Instrument::Histogram {
        names.extend(["bucket", "sum", "count"].map(|part| format!("{name}_{part}")));
    }
    names
}

/// The label of an attribute.
#[must_use]
pub fn label(attribute: Attribute) -> String {
    underscored(&Namespace::TOKIO.attribute(attribute))
}

fn underscored(name: &str) -> String {
    name.replace('.', "_")
}
