//! The facts of this module.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{AggregationTemporality, Metric, NumberDataPoint};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::Temporality;
use prost::Message;
use worker_metrics::Definition;
use worker_metrics::catalogue::CATALOGUE;

use super::{Kind, Ledger, Source};
use crate::attributes::AttributeSet;
use crate::otlp::{Envelope, Limits, MetricInfo, Outcome, Part, Requests};
use crate::reading::Number;
use Number::{Count, Seconds};

const ACKNOWLEDGED: Outcome = Outcome::Acknowledged { rejected: 0 };

fn time(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

fn definition(suffix: &str) -> &'static Definition {
    CATALOGUE.iter().find(|definition| definition.suffix == suffix).expect("a row")
}

struct Rig {
    ledger: Ledger,
    requests: Requests,
    attributes: Vec<AttributeSet>,
    seconds: u64,
}

impl Rig {
    fn new(temporality: Temporality, limits: Limits) -> Self {
        let scope = InstrumentationScope::builder("worker-metrics").build();
        let envelope = Envelope::new(&Resource::builder_empty().build(), &scope);
        let attributes = |index: i64| [KeyValue::new("tokio.worker.index", index)].into();
        Self {
            ledger: Ledger::new(temporality),
            requests: Requests::new(limits, envelope),
            attributes: (0..2).map(attributes).collect(),
            seconds: 0,
        }
    }

    /// A cycle 10 s after the last, with these numbers of two workers, attached at 1 s; of none if there are none.
    fn cycle(&mut self, suffix: &str, numbers: Option<[Number; 2]>) -> Vec<Part> {
        let mut parts = Vec::new();
        self.cycle_into(suffix, numbers, &mut parts);
        parts
    }

    fn cycle_into(&mut self, suffix: &str, numbers: Option<[Number; 2]>, parts: &mut Vec<Part>) {
        let definition = definition(suffix);
        self.seconds += 10;
        self.ledger.begin(time(self.seconds));
        if let Some(numbers) = numbers {
            let info =
                MetricInfo { name: suffix, description: definition.description, unit: definition.unit };
            let source = Source { attachment: 1, start: time(1), attributes: &self.attributes };
            self.ledger.record(&info, Kind::of(definition), &source, |take| {
                numbers.into_iter().enumerate().for_each(|(series, number)| take(series, number));
            });
        }
        self.requests.begin(self.seconds / 10);
        self.ledger.finish(&mut self.requests);
        self.requests.finish(parts);
    }

    fn settle(&mut self, parts: &[Part], outcome: Outcome) {
        parts.iter().for_each(|part| self.ledger.settle(part.id, outcome));
    }

    /// A cycle that is acknowledged, and what it sent.
    fn delivered(&mut self, suffix: &str, numbers: Option<[Number; 2]>) -> Vec<NumberDataPoint> {
        let parts = self.cycle(suffix, numbers);
        self.settle(&parts, ACKNOWLEDGED);
        points(&parts)
    }
}

fn cumulative() -> Rig {
    Rig::new(Temporality::Cumulative, Limits::default())
}

fn delta() -> Rig {
    Rig::new(Temporality::Delta, Limits::default())
}

fn metrics(parts: &[Part]) -> Vec<Metric> {
    let of_part = |part: &Part| {
        let request = ExportMetricsServiceRequest::decode(part.message.clone()).expect("it is a request");
        assert_eq!(request.encode_to_vec(), part.message, "it is written as prost writes it");
        request.resource_metrics[0].scope_metrics[0].metrics.clone()
    };
    parts.iter().flat_map(of_part).collect()
}

fn points(parts: &[Part]) -> Vec<NumberDataPoint> {
    let of_metric = |metric: Metric| match metric.data {
        Some(Data::Sum(sum)) => sum.data_points,
        Some(Data::Gauge(gauge)) => gauge.data_points,
        other => panic!("not a number: {other:?}"),
    };
    metrics(parts).into_iter().flat_map(of_metric).collect()
}

fn counts(points: &[NumberDataPoint]) -> Vec<i64> {
    let count = |point: &NumberDataPoint| match point.value {
        Some(Value::AsInt(count)) => count,
        other => panic!("not a count: {other:?}"),
    };
    points.iter().map(count).collect()
}

/// Start and time in seconds.
fn interval(point: &NumberDataPoint) -> (u64, u64) {
    (point.start_time_unix_nano / 1_000_000_000, point.time_unix_nano / 1_000_000_000)
}

#[test]
fn a_cumulative_counter_counts_from_the_attachment_and_never_goes_back() {
    let mut rig = cumulative();
    assert_eq!(counts(&rig.delivered("worker.polls", Some([Count(5), Count(7)]))), [5, 7]);
    let second = rig.delivered("worker.polls", Some([Count(4), Count(9)]));
    assert_eq!(counts(&second), [5, 9]);
    assert!(second.iter().all(|point| interval(point) == (1, 20)));
}

#[test]
fn a_delta_begins_where_the_last_acknowledged_one_ended() {
    let mut rig = delta();
    assert_eq!(counts(&rig.delivered("worker.polls", Some([Count(5), Count(7)]))), [5, 7]);
    let lost = rig.cycle("worker.polls", Some([Count(6), Count(8)]));
    rig.settle(&lost, Outcome::Failed);
    let third = rig.delivered("worker.polls", Some([Count(9), Count(7)]));
    // The second worker is said to have gone back: to what was counted before.
    assert_eq!((counts(&third), interval(&third[0])), (vec![4, 1], (10, 30)));
    assert_eq!(rig.delivered("worker.polls", Some([Count(9), Count(8)])), [], "nothing has changed");
    let last = rig.delivered("worker.polls", Some([Count(10), Count(8)]));
    assert_eq!((counts(&last), interval(&last[0])), (vec![1], (30, 50)));
}

#[test]
fn what_can_fall_is_told_as_it_is() {
    for mut rig in [cumulative(), delta()] {
        let depth = "worker.local_queue.size";
        assert_eq!(counts(&rig.delivered(depth, Some([Count(5), Count(7)]))), [5, 7]);
        let parts = rig.cycle(depth, Some([Count(2), Count(0)]));
        assert_eq!(counts(&points(&parts)), [2, 0]);
        let Some(Data::Sum(sum)) = &metrics(&parts)[0].data else { panic!("not a sum") };
        assert!(!sum.is_monotonic);
        assert_eq!(sum.aggregation_temporality(), AggregationTemporality::Cumulative);
    }
}

#[test]
fn a_gauge_of_times_is_in_seconds() {
    for mut rig in [cumulative(), delta()] {
        let age = "worker.progress.age";
        rig.delivered(age, Some([Seconds(1.5), Seconds(0.0)]));
        let parts = rig.cycle(age, Some([Seconds(0.25), Seconds(0.0)]));
        assert!(matches!(metrics(&parts)[0].data, Some(Data::Gauge(_))));
        assert_eq!(points(&parts)[0].value, Some(Value::AsDouble(0.25)));
    }
}

#[test]
fn a_count_beyond_what_is_signed_is_the_largest() {
    assert_eq!(
        counts(&cumulative().delivered("worker.polls", Some([Count(u64::MAX), Count(1)]))),
        [i64::MAX, 1]
    );
}

#[test]
fn a_source_that_is_gone_delivers_what_it_had_and_then_its_end_until_each_is_acknowledged() {
    for mut rig in [cumulative(), delta()] {
        rig.delivered("worker.polls", Some([Count(5), Count(7)]));
        let lost = rig.cycle("worker.polls", Some([Count(6), Count(8)]));
        rig.settle(&lost, Outcome::Failed);
        assert_eq!(rig.delivered("worker.polls", None).len(), 2, "what was lost");
        let ends = rig.cycle("worker.polls", None);
        rig.settle(&ends, Outcome::Failed);
        let ends = rig.delivered("worker.polls", None);
        assert!(ends.len() == 2 && ends.iter().all(|point| point.flags == 1 && point.value.is_none()));
        assert!(rig.ledger.is_empty());
        assert_eq!(rig.delivered("worker.polls", None), []);
    }
}

#[test]
fn a_source_that_was_never_delivered_is_forgotten_at_once() {
    let mut rig = delta();
    assert_eq!(rig.delivered("worker.polls", Some([Count(0), Count(0)])), []);
    assert_eq!(rig.delivered("worker.polls", None), []);
    assert!(rig.ledger.is_empty());
}

#[test]
fn sources_that_nobody_takes_are_forgotten_by_whole_sources() {
    let mut rig = cumulative();
    rig.cycle("worker.polls", Some([Count(5), Count(7)]));
    rig.cycle("worker.polls", None);
    assert_eq!(rig.ledger.forget_ended_beyond(2), 0);
    assert_eq!(rig.ledger.forget_ended_beyond(1), 2);
    assert!(rig.ledger.is_empty());
}

#[test]
fn each_part_is_settled_on_its_own() {
    let mut rig = Rig::new(Temporality::Delta, Limits { points: 1, ..Limits::default() });
    let parts = rig.cycle("worker.polls", Some([Count(5), Count(7)]));
    assert_eq!(parts.len(), 2);
    rig.ledger.settle(parts[0].id, ACKNOWLEDGED);
    rig.ledger.settle(parts[1].id, Outcome::Acknowledged { rejected: 1 });
    assert_eq!(counts(&points(&rig.cycle("worker.polls", Some([Count(5), Count(7)])))), [7]);
}

#[test]
fn a_steady_cycle_allocates_nothing() {
    for mut rig in [cumulative(), delta()] {
        let mut parts = Vec::new();
        for count in 1..10 {
            let allocations = allocation_counter::measure(|| {
                rig.cycle_into("worker.polls", Some([Count(count), Count(2 * count)]), &mut parts);
                rig.settle(&parts, ACKNOWLEDGED);
            });
            assert_eq!(parts[0].id.points, 2);
            parts.clear();
            if count > 2 {
                assert_eq!(allocations.count_total, 0, "cycle {count}");
            }
        }
    }
}
