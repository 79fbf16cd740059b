//! What each export carries of a histogram, case by case.

use std::time::{Duration, UNIX_EPOCH};

use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{AggregationTemporality, DataPointFlags, HistogramDataPoint};
use opentelemetry_sdk::metrics::Temporality;
use worker_metrics::Metric::{TaskPollDuration, TaskScheduleDuration};
use worker_metrics::histogram::{HistogramSnapshot, Scale};

use super::super::ledger::unix_ns;
use super::rig::{HistogramRig, Rig};
use super::source::TestSource;
use super::{
    decoded, explicit_points, exponential, exponential_point, exported, ns, only_point, points, snapshot,
};
use crate::options::HistogramOptions;
use crate::otlp::wire::Limits;

const BOTH: [Temporality; 2] = [Temporality::Cumulative, Temporality::Delta];

fn scale() -> Scale {
    Scale::from_bucket_ends_ns(&[1_000, 2_000, 4_000]).expect("valid")
}

fn other_scale() -> Scale {
    Scale::from_bucket_ends_ns(&[10, 20]).expect("valid")
}

fn counts(counts: &[u64; 3]) -> HistogramSnapshot {
    snapshot(&scale(), counts, Some(counts.iter().sum()))
}

/// Start and end in seconds.
fn interval(point: &HistogramDataPoint) -> (u64, u64) {
    (point.start_time_unix_nano / ns(1), point.time_unix_nano / ns(1))
}

fn is_end(point: &HistogramDataPoint) -> bool {
    let end = HistogramDataPoint {
        attributes: point.attributes.clone(),
        start_time_unix_nano: point.start_time_unix_nano,
        time_unix_nano: point.time_unix_nano,
        flags: DataPointFlags::NoRecordedValueMask as u32,
        ..HistogramDataPoint::default()
    };
    *point == end
}

#[test]
fn low_memory_is_delta() {
    for (temporality, expected) in [
        (Temporality::Cumulative, AggregationTemporality::Cumulative),
        (Temporality::Delta, AggregationTemporality::Delta),
        (Temporality::LowMemory, AggregationTemporality::Delta),
    ] {
        let metric = exported(&HistogramOptions::default(), temporality, &counts(&[1, 2, 3]));
        let Some(Data::Histogram(histogram)) = metric.data else { panic!("{metric:?}") };
        assert_eq!(histogram.aggregation_temporality, i32::from(expected));
    }
}

#[test]
fn a_failed_delta_is_carried_by_the_next() {
    for outcome in [Some(false), None] {
        let mut rig = HistogramRig::new(Temporality::Delta);
        let lost = rig.export(10, &counts(&[1, 2, 3]));
        rig.rig.conclude(&lost, outcome);
        let point = only_point(&rig.delivered(20, &counts(&[1, 2, 4])));
        assert_eq!((interval(&point), &point.bucket_counts[..]), ((1, 20), &[1, 2, 4][..]));
        let point = only_point(&rig.delivered(30, &counts(&[2, 2, 4])));
        assert_eq!((interval(&point), &point.bucket_counts[..]), ((20, 30), &[1, 0, 0][..]));
    }
}

#[test]
fn a_word_on_an_earlier_export_comes_too_late() {
    let mut rig = HistogramRig::new(Temporality::Delta);
    let late = rig.export(10, &counts(&[1, 0, 0]));
    let requests = rig.export(20, &counts(&[2, 0, 0]));
    late.iter().for_each(|request| rig.rig.ledger.settle(request.id, true));
    rig.rig.conclude(&requests, Some(false));
    let point = only_point(&rig.export(30, &counts(&[2, 0, 0])));
    assert_eq!((interval(&point), point.count), ((1, 30), 2));
}

#[test]
fn a_second_word_on_a_request_means_nothing() {
    for (first, count) in [(true, 1), (false, 2)] {
        let mut rig = HistogramRig::new(Temporality::Delta);
        let requests = rig.export(10, &counts(&[1, 0, 0]));
        for is_taken in [first, !first, first] {
            rig.rig.ledger.settle(requests[0].id, is_taken);
        }
        assert_eq!(only_point(&rig.export(20, &counts(&[2, 0, 0]))).count, count);
    }
}

#[test]
fn a_series_without_change_has_no_delta_and_its_next_leaves_no_gap() {
    let mut rig = HistogramRig::new(Temporality::Delta);
    assert!(rig.delivered(5, &counts(&[0, 0, 0])).is_empty());
    rig.delivered(10, &counts(&[1, 0, 0]));
    assert!(rig.delivered(20, &counts(&[1, 0, 0])).is_empty());
    assert!(rig.delivered(30, &counts(&[1, 0, 0])).is_empty());
    let point = only_point(&rig.export(40, &counts(&[1, 0, 1])));
    assert_eq!((interval(&point), point.count), ((10, 40), 1));
}

#[test]
fn cumulative_points_carry_totals_since_the_attachment_changed_or_not() {
    let mut rig = HistogramRig::new(Temporality::Cumulative);
    for (seconds, count) in [(5, 0), (10, 4), (20, 4), (30, 9)] {
        let point = only_point(&rig.delivered(seconds, &counts(&[count, 0, 0])));
        assert_eq!((interval(&point), point.count), ((1, seconds), count));
    }
}

#[test]
fn what_was_counted_before_the_attachment_is_left_out() {
    for temporality in BOTH {
        let mut rig = HistogramRig::new(temporality);
        rig.detach(2);
        rig.set(&counts(&[3, 2, 1]));
        rig.attached = rig.rig.attach(&rig.source, 5);
        let point = only_point(&rig.delivered(10, &counts(&[4, 2, 1])));
        assert_eq!((interval(&point), &point.bucket_counts[..]), ((5, 10), &[1, 0, 0][..]));
        let point = only_point(&rig.delivered(20, &counts(&[4, 2, 3])));
        let expected = match temporality {
            Temporality::Delta => [0, 0, 2],
            _ => [1, 0, 2],
        };
        assert_eq!(point.bucket_counts, expected);
    }
}

#[test]
fn a_total_never_goes_backwards() {
    for (temporality, expected) in [(Temporality::Cumulative, [5, 7]), (Temporality::Delta, [0, 2])] {
        let mut rig = HistogramRig::new(temporality);
        rig.delivered(10, &counts(&[5, 0, 3]));
        let point = only_point(&rig.delivered(20, &counts(&[4, 0, 4])));
        assert_eq!(point.bucket_counts[0], expected[0]);
        let point = only_point(&rig.export(30, &counts(&[7, 0, 4])));
        assert_eq!(point.bucket_counts[0], expected[1]);
    }
}

#[test]
fn a_detached_source_delivers_its_last_values_and_its_end_in_one_request_until_it_is_taken() {
    for (temporality, from) in [(Temporality::Cumulative, 1), (Temporality::Delta, 10)] {
        let mut rig = HistogramRig::new(temporality);
        rig.delivered(10, &counts(&[1, 0, 0]));
        let lost = rig.export(20, &counts(&[1, 5, 0]));
        rig.rig.conclude(&lost, Some(false));
        rig.set(&counts(&[1, 7, 0]));
        rig.detach(25);
        for (seconds, outcome) in [(30, Some(false)), (40, None), (50, Some(true))] {
            let requests = rig.rig.export(seconds);
            let [last, end] = &points(&requests)[..] else { panic!("not two points") };
            assert_eq!((interval(last), last.bucket_counts[1]), ((from, 25), 7));
            assert!(is_end(end) && end.time_unix_nano > last.time_unix_nano, "{end:?}");
            rig.rig.conclude(&requests, outcome);
        }
        assert!(rig.rig.ledger.is_empty());
        assert!(rig.rig.export(60).is_empty());
    }
}

#[test]
fn a_series_whose_last_value_was_taken_ends_without_another() {
    let mut rig = HistogramRig::new(Temporality::Delta);
    rig.delivered(10, &counts(&[1, 0, 0]));
    rig.detach(15);
    let requests = rig.rig.export(20);
    assert!(is_end(&only_point(&requests)));
    rig.rig.conclude(&requests, Some(true));
    assert!(rig.rig.ledger.is_empty());
}

#[test]
fn what_a_source_counts_while_requests_travel_goes_with_its_end() {
    for (temporality, count) in [(Temporality::Cumulative, 3), (Temporality::Delta, 2)] {
        let mut rig = HistogramRig::new(temporality);
        let travelling = rig.export(10, &counts(&[1, 0, 0]));
        rig.set(&counts(&[1, 2, 0]));
        rig.detach(12);
        rig.rig.conclude(&travelling, Some(true));
        let requests = rig.rig.export(20);
        let [last, end] = &points(&requests)[..] else { panic!("not two points") };
        assert_eq!((last.count, is_end(end)), (count, true));
        rig.rig.conclude(&requests, Some(true));
        assert!(rig.rig.ledger.is_empty());
    }
}

#[test]
fn a_source_that_comes_and_goes_between_two_exports_is_delivered_and_ends() {
    for temporality in BOTH {
        let mut rig = HistogramRig::new(temporality);
        rig.set(&counts(&[1, 2, 0]));
        rig.detach(5);
        let requests = rig.rig.export(10);
        let [last, end] = &points(&requests)[..] else { panic!("not two points") };
        assert_eq!((interval(last), last.count, is_end(end)), ((1, 5), 3, true));
        rig.rig.conclude(&requests, Some(true));
        assert!(rig.rig.ledger.is_empty());
    }
}

#[test]
fn a_source_that_is_attached_again_begins_after_its_end() {
    // At once, and later.
    for again_at in [15, 16] {
        for temporality in BOTH {
            let mut rig = HistogramRig::new(temporality);
            rig.delivered(10, &counts(&[1, 0, 0]));
            rig.set(&counts(&[2, 0, 0]));
            rig.detach(15);
            rig.attached = rig.rig.attach(&rig.source, again_at);
            // Another one ends before the next export.
            let other = rig.rig.attach(&TestSource::new("other", 1, &[TaskPollDuration]), 16);
            rig.rig.detach(&other, 18);
            let requests = rig.delivered(20, &counts(&[5, 0, 0]));
            let [last, end, next] = &points(&requests)[..] else { panic!("not three points") };
            assert!(last.attributes == next.attributes && is_end(end));
            assert_eq!((interval(next), next.count), ((again_at, 20), 3));
            assert!(last.time_unix_nano < end.time_unix_nano, "{temporality:?}");
            assert!(end.time_unix_nano <= next.start_time_unix_nano, "{temporality:?}");
        }
    }
}

#[test]
fn the_end_of_an_exponential_series_is_exponential() {
    let scale = exponential(0, Duration::from_micros(1), Duration::from_secs(1));
    let mut rig = HistogramRig::new(Temporality::Delta);
    rig.delivered(10, &snapshot(&scale, &vec![1; scale.buckets()], None));
    rig.detach(15);
    let point = exponential_point(&decoded(&rig.rig.export(20)[0])[0]);
    assert_eq!(point.flags, DataPointFlags::NoRecordedValueMask as u32);
    assert_eq!((point.count, point.sum, point.positive), (0, None, None));
}

#[test]
fn what_nobody_knows_of_is_forgotten_without_an_end() {
    let mut rig = HistogramRig::new(Temporality::Delta);
    assert!(rig.delivered(10, &counts(&[0, 0, 0])).is_empty());
    assert!(!rig.rig.ledger.is_empty());
    rig.detach(15);
    assert!(rig.rig.export(20).is_empty());
    rig.rig.conclude(&[], None);
    assert!(rig.rig.ledger.is_empty());
}

#[test]
fn an_end_that_was_never_settled_is_not_settled_with_the_next_export() {
    let mut rig = HistogramRig::new(Temporality::Delta);
    rig.delivered(10, &counts(&[1, 0, 0]));
    rig.detach(15);
    assert!(is_end(&only_point(&rig.rig.export(20))));
    // The next is begun without a word on that one.
    let requests = rig.rig.export(30);
    assert!(is_end(&only_point(&requests)));
    rig.rig.conclude(&requests, Some(true));
    assert!(rig.rig.ledger.is_empty());
}

#[test]
fn a_snapshot_without_buckets_has_no_point_and_ends_nothing() {
    let nothing = HistogramSnapshot::default();
    let mut rig = HistogramRig::new(Temporality::Cumulative);
    assert!(rig.delivered(5, &nothing).is_empty());
    rig.delivered(10, &counts(&[1, 0, 0]));
    assert!(rig.delivered(20, &nothing).is_empty());
    let point = only_point(&rig.delivered(30, &counts(&[1, 0, 0])));
    assert_eq!((interval(&point), point.count), ((1, 30), 1));

    let mut torn = counts(&[9, 9, 9]);
    torn.buckets.pop();
    assert!(rig.delivered(40, &torn).is_empty());
}

#[test]
fn another_scale_begins_a_series_where_the_one_before_it_ended() {
    for temporality in BOTH {
        let mut rig = HistogramRig::new(temporality);
        let lost = rig.export(10, &counts(&[1, 0, 0]));
        rig.rig.conclude(&lost, Some(false));
        let requests = rig.delivered(20, &snapshot(&other_scale(), &[4, 4], None));
        let [before, after] = &points(&requests)[..] else { panic!("not two points") };
        assert_eq!((interval(before), before.count), ((1, 10), 1));
        assert_eq!((interval(after), after.count), ((10, 20), 8));
        assert_eq!(before.attributes, after.attributes);
        let point = only_point(&rig.delivered(30, &snapshot(&other_scale(), &[5, 4], None)));
        assert_eq!(point.explicit_bounds.len(), 1);
    }
}

#[test]
fn buckets_of_another_kind_go_on_in_a_metric_of_the_same_name() {
    let other = exponential(0, Duration::from_micros(1), Duration::from_secs(1));
    for temporality in BOTH {
        let mut rig = HistogramRig::new(temporality);
        let lost = rig.export(10, &counts(&[1, 0, 0]));
        rig.rig.conclude(&lost, Some(false));
        let requests = rig.export(20, &snapshot(&other, &vec![1; other.buckets()], None));
        let metrics = decoded(&requests[0]);
        let [before, after] = &metrics[..] else { panic!("not two metrics") };
        assert_eq!(before.name, after.name);
        let [last] = explicit_points(before) else { panic!("not one point") };
        assert_eq!((last.count, is_end(last)), (1, false));
        assert_eq!(exponential_point(after).count, other.buckets() as u64);
        rig.rig.conclude(&requests, Some(true));
        rig.detach(25);
        let requests = rig.rig.export(30);
        rig.rig.conclude(&requests, Some(true));
        assert!(rig.rig.ledger.is_empty());
    }
}

#[test]
fn another_scale_leaves_no_gap_after_a_silence() {
    let mut rig = HistogramRig::new(Temporality::Delta);
    rig.delivered(10, &counts(&[1, 0, 0]));
    assert!(rig.delivered(20, &counts(&[1, 0, 0])).is_empty());
    let point = only_point(&rig.export(30, &snapshot(&other_scale(), &[4, 4], None)));
    assert_eq!(interval(&point), (10, 30));
}

#[test]
fn the_end_of_a_series_on_another_scale_reaches_those_who_know_the_first() {
    let mut rig = HistogramRig::new(Temporality::Delta);
    rig.delivered(10, &counts(&[1, 0, 0]));
    assert!(rig.delivered(20, &snapshot(&other_scale(), &[0, 0], None)).is_empty());
    rig.detach(25);
    assert!(is_end(&only_point(&rig.rig.export(30))));
}

#[test]
fn no_interval_is_turned_round_by_a_clock_that_was_set_back() {
    for temporality in BOTH {
        let mut rig = HistogramRig::new(temporality);
        let mut checked = 0;
        for (seconds, count) in [(100, 1), (50, 2), (50, 3), (0, 4), (120, 5)] {
            let point = only_point(&rig.delivered(seconds, &counts(&[count, 0, 0])));
            assert!(point.start_time_unix_nano < point.time_unix_nano || seconds == 0);
            // A delta at the time of the one before is a nanosecond after it.
            let late_ns = point.time_unix_nano - ns(seconds);
            assert_eq!(late_ns, u64::from(temporality == Temporality::Delta && count == 3));
            checked += 1;
        }
        assert_eq!(checked, 5);
    }
}

#[test]
fn a_clock_that_is_set_back_moves_a_start_once() {
    let mut rig = HistogramRig::new(Temporality::Cumulative);
    rig.detach(50);
    rig.attached = rig.rig.attach(&rig.source, 100);
    let mut starts = Vec::new();
    for (seconds, count) in [(110, 1), (50, 2), (60, 3), (70, 4), (130, 5), (140, 6)] {
        let requests = rig.delivered(seconds, &counts(&[count, 0, 0]));
        starts.push(points(&requests).pop().expect("a point").start_time_unix_nano);
    }
    assert_eq!(starts, [ns(100), ns(50) - 1, ns(50) - 1, ns(50) - 1, ns(50) - 1, ns(50) - 1]);
}

#[test]
fn a_clock_that_is_set_back_while_requests_travel_turns_no_interval_round() {
    // Exactly the same time is no interval either.
    for detached_at in [50, 100] {
        for temporality in BOTH {
            let mut rig = HistogramRig::new(temporality);
            let travelling = rig.export(100, &counts(&[1, 0, 0]));
            rig.set(&counts(&[3, 0, 0]));
            rig.detach(detached_at);
            rig.rig.conclude(&travelling, Some(true));
            let last = points(&rig.rig.export(60)).remove(0);
            assert!(
                last.start_time_unix_nano < last.time_unix_nano,
                "{temporality:?} {detached_at}: {last:?}"
            );
        }
    }
}

#[test]
fn a_time_that_otlp_cannot_hold_is_the_nearest_it_can() {
    let far = UNIX_EPOCH + Duration::from_secs(u64::MAX / 1_000_000_000 + 1);
    assert_eq!(unix_ns(far), u64::MAX);
    assert_eq!(unix_ns(UNIX_EPOCH - Duration::from_secs(1)), 0);
}

#[test]
fn workers_and_rows_are_series_of_their_own() {
    let mut rig = Rig::new(Temporality::Delta, HistogramOptions::default(), Limits::default());
    let source = TestSource::new("pool", 3, &[TaskPollDuration, TaskScheduleDuration]);
    rig.attach(&source, 1);
    source.set(|values| {
        for (worker, count) in values.workers_mut().iter_mut().zip(1..) {
            worker.poll_time_histogram = counts(&[count, 0, 0]);
            worker.schedule_latency_histogram = counts(&[10 * count, 0, 0]);
        }
    });
    let metrics = decoded(&rig.export(10)[0]);
    let counts: Vec<Vec<_>> = metrics
        .iter()
        .map(|metric| explicit_points(metric).iter().map(|point| point.count).collect())
        .collect();
    assert_eq!(counts, [[1, 2, 3], [10, 20, 30]]);
}

#[test]
fn points_have_neither_extremes_nor_exemplars() {
    for temporality in BOTH {
        let metric = exported(&HistogramOptions::default(), temporality, &counts(&[1, 2, 3]));
        let point = super::explicit_point(&metric);
        assert_eq!((point.min, point.max, point.exemplars.len(), point.flags), (None, None, 0, 0));
    }
}
