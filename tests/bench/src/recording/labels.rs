//! What tells the series of a worker from those of the others.

use opentelemetry::KeyValue;

const RUNTIME: (&str, &str) = ("runtime", "main");
const WORKER: &str = "worker";

/// For instruments of opentelemetry.
pub(super) fn attributes(worker: usize) -> [KeyValue; 2] {
    let worker = i64::try_from(worker).expect("a machine has fewer processors");
    [KeyValue::new(RUNTIME.0, RUNTIME.1), KeyValue::new(WORKER, worker)]
}

/// For everybody else.
pub(super) fn labels(worker: usize) -> Vec<(String, String)> {
    let pair = |key: &str, value: String| (key.to_owned(), value);
    vec![pair(RUNTIME.0, RUNTIME.1.to_owned()), pair(WORKER, worker.to_string())]
}
