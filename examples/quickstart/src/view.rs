//! What the receiver got, as somebody reads it who has never seen these metrics.

use otlp_receiver::{Document, Metric, MetricType, Point};
use worker_metrics::Namespace;
use worker_metrics::catalogue::CATALOGUE;

use crate::distribution::Distribution;
use crate::units;
use crate::verdict::Verdict;

/// The rows of the table, and the verdict above them.
#[derive(Debug)]
pub(crate) struct View {
    pub(crate) verdict: Verdict,
    pub(crate) rows: Vec<Row>,
}

/// One metric.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// What it is.
    pub(crate) what: String,
    /// The value of the runtime.
    pub(crate) now: String,
    /// The values of its workers, where there are.
    pub(crate) by_worker: String,
    pub(crate) metric: String,
}

/// More values than these are shown as their range.
const WORKERS_IN_A_ROW: usize = 8;
const WORKER_INDEX: &str = "tokio.worker.index";
const TASK_GROUP: &str = "tokio.task.group.name";

impl View {
    /// The state `now`, with rates since `before`.
    pub(crate) fn new(before: &Document, now: &Document) -> Self {
        let rows = CATALOGUE
            .iter()
            .filter_map(|definition| now.metric(&Namespace::TOKIO.metric(definition)))
            .flat_map(|metric| match metric.kind {
                MetricType::Sum | MetricType::Gauge => vec![row(before.metric(&metric.name), metric)],
                MetricType::Histogram => histogram_rows(before.metric(&metric.name), metric),
                MetricType::ExponentialHistogram => Vec::new(),
            })
            .collect();
        Self { verdict: Verdict::of(now), rows }
    }
}

fn row(before: Option<&Metric>, metric: &Metric) -> Row {
    let what = metric.description.trim_end_matches('.').to_owned();
    let values: Vec<_> = metric.points.iter().map(|point| Value::of(before, metric, point)).collect();
    let kind = Kind::of(metric);
    let per_worker = metric.points.iter().any(|point| worker(point).is_some());
    let now = if per_worker {
        kind.summary(&values, &metric.unit)
    } else {
        let states = values.iter().map(|value| kind.text(value.value, &metric.unit) + &value.state);
        states.collect::<Vec<_>>().join(", ")
    };
    let by_worker = if per_worker { kind.by_worker(values, &metric.unit) } else { String::new() };
    Row { what, now, by_worker, metric: metric.name.clone() }
}

/// A histogram: a row for each group of tasks, or one.
fn histogram_rows(before: Option<&Metric>, metric: &Metric) -> Vec<Row> {
    let mut groups: Vec<_> = metric.points.iter().map(task_group).collect();
    groups.sort_unstable();
    groups.dedup();
    groups.into_iter().filter_map(|group| histogram_row(before, metric, group)).collect()
}

/// A histogram, and in place of its workers how often there was something to measure.
fn histogram_row(before: Option<&Metric>, metric: &Metric, group: Option<&str>) -> Option<Row> {
    let mut all = Distribution::default();
    let mut per_second = 0.0;
    for point in metric.points.iter().filter(|point| task_group(point) == group) {
        let earlier = earlier(before, point);
        all.add(&Distribution::since(earlier, point)?);
        let count = |point: &Point| point.histogram().map_or(0.0, |histogram| histogram.count as f64);
        per_second += per_second_since(earlier, point, count);
    }
    Some(Row {
        // The sentence behind it speaks of the sum, which is not shown.
        what: metric.description.split(". ").next().unwrap_or_default().trim_end_matches('.').to_owned()
            + &group.map(|group| format!(" \"{group}\"")).unwrap_or_default(),
        now: all.text(),
        by_worker: format!("{}/s", units::number(per_second)),
        metric: metric.name.clone(),
    })
}

fn task_group(point: &Point) -> Option<&str> {
    point.attributes.get(TASK_GROUP).and_then(|group| group.as_str())
}

/// The value of one series: a rate for a counter, the value itself for the others.
struct Value {
    worker: i64,
    value: f64,
    /// The attribute that is neither runtime nor worker, to be put behind the value.
    state: String,
}

impl Value {
    fn of(before: Option<&Metric>, metric: &Metric, point: &Point) -> Self {
        let value = match metric.monotonic {
            Some(true) => per_second_since(earlier(before, point), point, value_of),
            _ => value_of(point),
        };
        let state = point.attributes.iter().find(|(key, _)| key.ends_with(".state"));
        Self {
            worker: worker(point).unwrap_or_default(),
            value,
            state: state
                .and_then(|(_, state)| state.as_str())
                .map(|state| format!(" {state}"))
                .unwrap_or_default(),
        }
    }
}

fn value_of(point: &Point) -> f64 {
    point.value().map_or(0.0, |value| value.as_f64())
}

fn worker(point: &Point) -> Option<i64> {
    point.attributes.get(WORKER_INDEX).and_then(|index| index.as_i64())
}

/// The same series at an earlier time.
fn earlier<'a>(before: Option<&'a Metric>, point: &Point) -> Option<&'a Point> {
    before.and_then(|before| before.points.iter().find(|before| before.attributes == point.attributes))
}

/// Growth per second since an earlier point of the series, or else since it began.
fn per_second_since(earlier: Option<&Point>, point: &Point, value: impl Fn(&Point) -> f64) -> f64 {
    let (from, before) =
        earlier.map_or((point.start_time_unix_nano, 0.0), |earlier| (earlier.time_unix_nano, value(earlier)));
    let nanos = point.time_unix_nano.saturating_sub(from);
    if nanos == 0 { 0.0 } else { (value(point) - before) / (nanos as f64 / 1e9) }
}

/// How the values of a metric are shown.
#[derive(Clone, Copy)]
enum Kind {
    /// Seconds for each second.
    Share,
    Rate,
    Time,
    Count,
}

impl Kind {
    fn of(metric: &Metric) -> Self {
        match (metric.unit.as_str(), metric.monotonic) {
            ("s", Some(true)) => Self::Share,
            ("s", _) => Self::Time,
            (_, Some(true)) => Self::Rate,
            _ => Self::Count,
        }
    }

    fn text(self, value: f64, unit: &str) -> String {
        match self {
            Self::Share => units::percent(value),
            Self::Rate => units::rate(value, unit),
            Self::Time => units::time(value),
            Self::Count => units::count(value, unit),
        }
    }

    fn short(self, value: f64) -> String {
        match self {
            Self::Share => units::percent(value),
            Self::Time => units::time(value),
            Self::Rate | Self::Count => units::number(value),
        }
    }

    /// One value for the runtime: shares are averaged, of times the largest counts, the rest adds
    /// up.
    fn summary(self, values: &[Value], unit: &str) -> String {
        let all = values.iter().map(|value| value.value);
        match self {
            Self::Share => format!(
                "{} of the workers' time",
                units::percent(all.sum::<f64>() / values.len().max(1) as f64)
            ),
            Self::Time => format!("{} at most", units::time(all.fold(0.0, f64::max))),
            Self::Rate | Self::Count => self.text(all.sum(), unit),
        }
    }

    fn by_worker(self, mut values: Vec<Value>, unit: &str) -> String {
        values.sort_by_key(|value| value.worker);
        if values.len() <= WORKERS_IN_A_ROW {
            return values.iter().map(|value| self.short(value.value)).collect::<Vec<_>>().join(" · ");
        }
        let order = |one: &&Value, other: &&Value| one.value.total_cmp(&other.value);
        match (values.iter().min_by(order), values.iter().max_by(order)) {
            (Some(least), Some(most)) => format!(
                "{} (worker {}) to {} (worker {})",
                self.short(least.value),
                least.worker,
                self.text(most.value, unit),
                most.worker
            ),
            _ => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value as Json, json};

    fn document(metric: Json) -> Document {
        serde_json::from_value(json!({"resource": {}, "metrics": [metric], "exports": 1})).unwrap()
    }

    fn point(attributes: Json, seconds: u64, value: Json) -> Json {
        json!({
            "attributes": attributes,
            "start_time_unix_nano": 0,
            "time_unix_nano": seconds * 1_000_000_000,
            "value": value,
        })
    }

    fn polls(seconds: u64, counts: &[u64]) -> Document {
        let points: Vec<_> = counts
            .iter()
            .enumerate()
            .map(|(index, count)| point(json!({WORKER_INDEX: index}), seconds, json!(count)))
            .collect();
        document(json!({
            "name": "tokio.worker.polls", "description": "Number of task polls made by the worker.", "unit": "{poll}",
            "type": "sum", "monotonic": true, "temporality": "cumulative", "points": points,
        }))
    }

    #[test]
    fn a_counter_is_a_rate_since_the_last_look() {
        let view = View::new(&polls(10, &[1_000, 500]), &polls(12, &[3_000, 500]));
        assert_eq!(
            view.rows,
            [Row {
                what: "Number of task polls made by the worker".to_owned(),
                now: "1,000 polls/s".to_owned(),
                by_worker: "1,000 · 0".to_owned(),
                metric: "tokio.worker.polls".to_owned(),
            }]
        );
    }

    #[test]
    fn a_histogram_is_where_its_values_lie_since_the_last_look() {
        let polls = |seconds: u64, counts: [u64; 3]| {
            let mut point = point(json!({"tokio.runtime.name": "main"}), seconds, json!(0));
            let point = point.as_object_mut().unwrap();
            point.remove("value");
            point.insert("count".to_owned(), json!(counts.iter().sum::<u64>()));
            point.insert("bounds".to_owned(), json!([0.001, 0.002]));
            point.insert("bucket_counts".to_owned(), json!(counts));
            document(json!({
                "name": "tokio.task.poll.duration", "unit": "s", "type": "histogram", "temporality": "cumulative",
                "description": "Duration of task polls. The sum is an estimate.", "points": [point],
            }))
        };
        let view = View::new(&polls(10, [900, 0, 5]), &polls(12, [900, 20, 5]));
        assert_eq!(
            view.rows,
            [Row {
                what: "Duration of task polls".to_owned(),
                now: "half within 2 ms, 90 % within 2 ms, 99 % within 2 ms, all within 2 ms".to_owned(),
                by_worker: "10/s".to_owned(),
                metric: "tokio.task.poll.duration".to_owned(),
            }]
        );
    }

    #[test]
    fn each_group_of_tasks_has_a_row() {
        let point = |group: &str, counts: [u64; 2]| {
            json!({
                "attributes": {TASK_GROUP: group}, "start_time_unix_nano": 0, "time_unix_nano": 1_000_000_000_u64,
                "count": counts.iter().sum::<u64>(), "bounds": [0.001], "bucket_counts": counts,
            })
        };
        let view = View::new(
            &Document::default(),
            &document(json!({
                "name": "tokio.task.group.poll.duration", "unit": "s", "type": "histogram", "temporality": "cumulative",
                "description": "Duration of polls of the tasks of a group.",
                "points": [point("reports", [0, 1]), point("echo", [4, 0])],
            })),
        );
        let rows: Vec<_> = view.rows.iter().map(|row| (row.what.as_str(), row.by_worker.as_str())).collect();
        assert_eq!(
            rows,
            [
                ("Duration of polls of the tasks of a group \"echo\"", "4/s"),
                ("Duration of polls of the tasks of a group \"reports\"", "1/s")
            ]
        );
    }

    #[test]
    fn the_first_look_is_a_rate_since_the_beginning() {
        let view = View::new(&Document::default(), &polls(10, &[1_000]));
        assert_eq!(view.rows[0].now, "100 polls/s");
    }

    #[test]
    fn many_workers_are_shown_as_their_range() {
        let view = View::new(&polls(0, &[0; 9]), &polls(1, &[10, 20, 30, 40, 50, 60, 70, 80, 90]));
        assert_eq!(view.rows[0].by_worker, "10 (worker 0) to 90 polls/s (worker 8)");
    }

    #[test]
    fn busy_time_is_a_share_of_the_workers_time() {
        let time = |seconds, busy: &[f64]| {
            let points: Vec<_> = busy
                .iter()
                .enumerate()
                .map(|(index, busy)| {
                    point(json!({WORKER_INDEX: index, "tokio.worker.state": "busy"}), seconds, json!(busy))
                })
                .collect();
            document(json!({
                "name": "tokio.worker.time", "description": "Time.", "unit": "s", "type": "sum", "monotonic": true,
                "temporality": "cumulative", "points": points,
            }))
        };
        let view = View::new(&time(1, &[0.5, 1.0]), &time(2, &[0.75, 2.0]));
        assert_eq!(view.rows[0].now, "62 % of the workers' time");
        assert_eq!(view.rows[0].by_worker, "25 % · 100 %");
    }

    #[test]
    fn states_stand_behind_their_counts() {
        let points = [("busy", 3), ("idle", 1), ("stalled", 0)]
            .map(|(state, count)| point(json!({"tokio.worker.state": state}), 1, json!(count)));
        let view = View::new(
            &Document::default(),
            &document(json!({
                "name": "tokio.worker.count", "description": "Workers.", "unit": "{worker}", "type": "sum",
                "monotonic": false, "temporality": "cumulative", "points": points,
            })),
        );
        assert_eq!(view.rows[0].now, "3 workers busy, 1 worker idle, 0 workers stalled");
    }
}
