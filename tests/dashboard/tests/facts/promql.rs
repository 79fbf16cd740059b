//! Which names a query uses, and which it may.

use std::collections::BTreeSet;

use dashboard::prometheus;
use worker_metrics::Attribute;
use worker_metrics::catalogue::{CATALOGUE, Instrument};

use crate::rules;

/// A query without its strings; what a label or a metric is follows from where it stands.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Names {
    pub(crate) metrics: BTreeSet<String>,
    pub(crate) labels: BTreeSet<String>,
}

const WORDS: [&str; 5] = ["and", "or", "unless", "bool", "offset"];
const BEFORE_LABELS: [&str; 6] = ["by", "without", "on", "ignoring", "group_left", "group_right"];

/// The names in a query. Numbers, durations, functions and operators are none.
pub(crate) fn names(query: &str) -> Names {
    let mut names = Names::default();
    let mut rest = query;
    let mut labels_until = None;
    while let Some(c) = rest.chars().next() {
        if c == '"' {
            rest = after_string(rest);
        } else if c == '$' {
            // A variable of Grafana.
            let name = &rest[1..];
            rest = name.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '_');
        } else if c == '[' {
            rest = rest.split_once(']').expect("a range ends").1;
        } else if c == '{' {
            labels_until = Some('}');
            rest = &rest[1..];
        } else if labels_until == Some(c) {
            labels_until = None;
            rest = &rest[1..];
        } else if c.is_ascii_digit() {
            rest = rest.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '.');
        } else if c.is_ascii_alphabetic() || c == '_' {
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '_' | ':'));
            let (word, after) = rest.split_at(end.unwrap_or(rest.len()));
            let list = after.trim_start().strip_prefix('(');
            if labels_until.is_some() {
                names.labels.insert(word.to_owned());
            } else if let (true, Some(list)) = (BEFORE_LABELS.contains(&word), list) {
                labels_until = Some(')');
                rest = list;
                continue;
            } else if list.is_none() && !WORDS.contains(&word) && !BEFORE_LABELS.contains(&word) {
                // An aggregation may have its labels before its argument: `sum by (job) (…)`.
                let next = after.trim_start();
                if !BEFORE_LABELS.iter().any(|before| {
                    next.strip_prefix(before).is_some_and(|list| list.trim_start().starts_with('('))
                }) || next.starts_with("on")
                    || next.starts_with("ignoring")
                {
                    names.metrics.insert(word.to_owned());
                }
            }
            rest = after;
        } else {
            rest = &rest[c.len_utf8()..];
        }
    }
    names
}

fn after_string(from_quote: &str) -> &str {
    let mut escaped = false;
    for (at, c) in from_quote.char_indices().skip(1) {
        match c {
            '\\' if !escaped => escaped = true,
            '"' if !escaped => return &from_quote[at + 1..],
            _ => escaped = false,
        }
    }
    panic!("a string ends: {from_quote}");
}

/// Fails unless a query uses the catalogue, what the rules record, and what Prometheus has itself;
/// and at least one of them.
pub(crate) fn assert_known(query: &str) {
    let names = names(query);
    let mut metrics: BTreeSet<_> = CATALOGUE.iter().flat_map(prometheus::series).collect();
    metrics.extend(rules::recorded());
    metrics.extend(["target_info", "ALERTS"].map(str::to_owned));
    let mut labels: BTreeSet<_> =
        ["job", "instance", "le", "alertname", "alertstate"].map(str::to_owned).into();
    labels.extend(labels_of_tokio());
    assert!(!names.metrics.is_empty(), "it asks for something: {query}");
    for metric in &names.metrics {
        assert!(metrics.contains(metric), "{metric} is neither in the catalogue nor recorded: {query}");
    }
    for label in &names.labels {
        assert!(labels.contains(label), "{label} is no label: {query}");
    }
}

pub(crate) fn labels_of_tokio() -> BTreeSet<String> {
    [
        Attribute::Name,
        Attribute::Id,
        Attribute::Flavor,
        Attribute::WorkerIndex,
        Attribute::WorkerState,
        Attribute::StallCause,
        Attribute::TaskGroup,
        Attribute::BlockingThreadState,
    ]
    .map(prometheus::label)
    .into()
}

#[test]
fn names_are_told_from_functions_numbers_and_labels() {
    let query = r#"topk(5, sum by (job, le) (rate(a_total{job=~"x",b="c{d}"}[5m])) or on (job) a:b:c > 0.5e3) unless bool time() - d"#;
    let set = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    assert_eq!(
        names(query),
        Names { metrics: set(&["a_total", "a:b:c", "d"]), labels: set(&["job", "le", "b"]) }
    );
    assert_eq!(names("a unless on (job) b").metrics, set(&["a", "b"]));
    assert_eq!(names("a offset $__rate_interval or a[5m:15s]").metrics, set(&["a"]));
    assert_eq!(names("a ignoring (job) + b").metrics, set(&["a", "b"]));
}

/// **Source**: the names that Prometheus 3 gave to what it got by OTLP, as `docs/metrics.md` has
/// them.
#[test]
fn names_follow_the_default_translation_of_prometheus() {
    let name = |suffix| prometheus::metric(worker_metrics::Definition::find(suffix).unwrap());
    assert_eq!(name("worker.time"), "tokio_worker_time_seconds_total");
    assert_eq!(name("worker.parks"), "tokio_worker_parks_total");
    assert_eq!(name("worker.count"), "tokio_worker_count");
    assert_eq!(name("worker.progress.age"), "tokio_worker_progress_age_seconds");
    assert_eq!(name("global_queue.size"), "tokio_global_queue_size");
    assert_eq!(name("task.poll.duration"), "tokio_task_poll_duration_seconds");
    assert_eq!(prometheus::label(Attribute::Name), "tokio_runtime_name");
}

/// A unit that is neither is not translated here.
#[test]
fn every_unit_is_seconds_or_a_count() {
    for definition in CATALOGUE {
        let unit = definition.unit;
        assert!(unit == "s" || (unit.starts_with('{') && unit.ends_with('}')), "{unit}");
        assert!(definition.instrument != Instrument::Histogram || unit == "s");
    }
}
