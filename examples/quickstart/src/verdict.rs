//! The answer to "are my workers healthy?", from what the receiver got.

use std::fmt;

use otlp_receiver::{Document, Point};

use crate::units;

/// Whether the workers are healthy.
#[derive(Debug, PartialEq)]
pub(crate) enum Verdict {
    /// Nothing has arrived yet.
    Unknown,
    /// Every worker makes progress.
    Healthy,
    /// These are stuck in one poll: the index, and for how long.
    Stalled(Vec<(i64, f64)>),
}

impl Verdict {
    pub(crate) fn of(document: &Document) -> Self {
        let Some(workers) = document.metric("tokio.worker.count") else { return Self::Unknown };
        let value = |point: &Point| point.value().map_or(0.0, |value| value.as_f64());
        let text = |point: &Point, key: &str| {
            point.attributes.get(key).and_then(|value| value.as_str().map(str::to_owned))
        };
        let stalled: f64 = workers
            .points
            .iter()
            .filter(|point| text(point, "tokio.worker.state").as_deref() == Some("stalled"))
            .map(value)
            .sum();
        if stalled < 1.0 {
            return Self::Healthy;
        }
        let ages = document.metric("tokio.worker.progress.age").map_or(&[][..], |metric| &metric.points);
        let mut ages: Vec<_> = ages
            .iter()
            .map(|point| {
                (point.attributes.get("tokio.worker.index").and_then(|index| index.as_i64()), value(point))
            })
            .filter_map(|(index, age)| Some((index?, age)))
            .collect();
        ages.sort_by(|(_, one), (_, other)| other.total_cmp(one));
        let stuck = ages.into_iter().zip(0..).take_while(|(_, nth)| f64::from(*nth) < stalled);
        Self::Stalled(stuck.map(|(worker, _)| worker).collect())
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("nothing has arrived yet"),
            Self::Healthy => f.write_str("every worker makes progress"),
            Self::Stalled(workers) => {
                f.write_str("BLOCKED:")?;
                for (index, (worker, age)) in workers.iter().enumerate() {
                    let comma = if index > 0 { "," } else { "" };
                    write!(f, "{comma} worker {worker} has been in one poll for {}", units::time(*age))?;
                }
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn document(stalled: u64, ages: [f64; 2]) -> Document {
        let point = |attributes, value| json!({"attributes": attributes, "start_time_unix_nano": 0, "time_unix_nano": 1, "value": value});
        let metric = |name: &str, points| json!({"name": name, "description": "", "unit": "", "type": "gauge", "points": points});
        serde_json::from_value(json!({"resource": {}, "exports": 1, "metrics": [
            metric("tokio.worker.count", json!([
                point(json!({"tokio.worker.state": "busy"}), json!(2 - stalled)),
                point(json!({"tokio.worker.state": "stalled"}), json!(stalled)),
            ])),
            metric("tokio.worker.progress.age", json!([
                point(json!({"tokio.worker.index": 0}), json!(ages[0])),
                point(json!({"tokio.worker.index": 1}), json!(ages[1])),
            ])),
        ]}))
        .unwrap()
    }

    #[test]
    fn nothing_received_is_no_verdict() {
        assert_eq!(Verdict::of(&Document::default()), Verdict::Unknown);
    }

    #[test]
    fn without_a_stalled_worker_all_is_well() {
        assert_eq!(Verdict::of(&document(0, [0.9, 0.0])), Verdict::Healthy);
    }

    #[test]
    fn a_stalled_worker_is_named_with_its_age() {
        let verdict = Verdict::of(&document(1, [0.1, 1.25]));
        assert_eq!(verdict, Verdict::Stalled(vec![(1, 1.25)]));
        assert_eq!(verdict.to_string(), "BLOCKED: worker 1 has been in one poll for 1.25 s");
    }
}
