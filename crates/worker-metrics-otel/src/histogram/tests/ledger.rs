//! What each export carries, case by case.

use std::time::{Duration, UNIX_EPOCH};

use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{AggregationTemporality, DataPointFlags, HistogramDataPoint};
use opentelemetry_sdk::metrics::Temporality;
use worker_metrics::histogram::{HistogramSnapshot, Scale};

use super::{
    ACKNOWLEDGED, POLLS, attributes, cycle, decoded, explicit_points, exponential, exported, finish, id,
    ledger, ns, only_point, settle_all, snapshot, time,
};
use crate::histogram::{HistogramOptions, Ledger, SeriesId};
use crate::otlp::Outcome;

const REJECTED: Outcome = Outcome::Acknowledged { rejected: 1 };

fn scale() -> Scale {
    Scale::from_bucket_ends_ns(&[1_000, 2_000, 4_000]).expect("valid")
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
    for failure in [Some(Outcome::Failed), Some(REJECTED), None] {
        let mut ledger = ledger(Temporality::Delta);
        let lost = cycle(&mut ledger, 10, Some(&counts(&[1, 2, 3])));
        failure.into_iter().for_each(|failure| settle_all(&mut ledger, &lost, failure));
        let carried = cycle(&mut ledger, 20, Some(&counts(&[1, 2, 4])));
        let point = only_point(&carried);
        assert_eq!((interval(&point), &point.bucket_counts[..]), ((1, 20), &[1, 2, 4][..]));
        settle_all(&mut ledger, &carried, ACKNOWLEDGED);
        let point = only_point(&cycle(&mut ledger, 30, Some(&counts(&[2, 2, 4]))));
        assert_eq!((interval(&point), &point.bucket_counts[..]), ((20, 30), &[1, 0, 0][..]));
    }
}

#[test]
fn a_word_on_an_earlier_cycle_comes_too_late() {
    let mut ledger = ledger(Temporality::Delta);
    let late = cycle(&mut ledger, 10, Some(&counts(&[1, 0, 0])));
    let parts = cycle(&mut ledger, 20, Some(&counts(&[2, 0, 0])));
    settle_all(&mut ledger, &late, ACKNOWLEDGED);
    settle_all(&mut ledger, &parts, Outcome::Failed);
    let point = only_point(&cycle(&mut ledger, 30, Some(&counts(&[2, 0, 0]))));
    assert_eq!((interval(&point), point.count), ((1, 30), 2));
}

#[test]
fn a_series_without_change_has_no_delta_and_its_next_leaves_no_gap() {
    let mut ledger = ledger(Temporality::Delta);
    assert!(cycle(&mut ledger, 5, Some(&counts(&[0, 0, 0]))).is_empty());
    let parts = cycle(&mut ledger, 10, Some(&counts(&[1, 0, 0])));
    settle_all(&mut ledger, &parts, ACKNOWLEDGED);
    assert!(cycle(&mut ledger, 20, Some(&counts(&[1, 0, 0]))).is_empty());
    assert!(cycle(&mut ledger, 30, Some(&counts(&[1, 0, 0]))).is_empty());
    let point = only_point(&cycle(&mut ledger, 40, Some(&counts(&[1, 0, 1]))));
    assert_eq!((interval(&point), point.count), ((10, 40), 1));
}

#[test]
fn cumulative_points_carry_totals_since_the_attachment_changed_or_not() {
    let mut ledger = ledger(Temporality::Cumulative);
    for (seconds, count) in [(5, 0), (10, 4), (20, 4), (30, 9)] {
        let parts = cycle(&mut ledger, seconds, Some(&counts(&[count, 0, 0])));
        let point = only_point(&parts);
        assert_eq!((interval(&point), point.count), ((1, seconds), count));
        settle_all(&mut ledger, &parts, ACKNOWLEDGED);
    }
}

#[test]
fn a_total_never_goes_backwards() {
    for (temporality, expected) in [(Temporality::Cumulative, [5, 7]), (Temporality::Delta, [0, 2])] {
        let mut ledger = ledger(temporality);
        let parts = cycle(&mut ledger, 10, Some(&counts(&[5, 0, 3])));
        settle_all(&mut ledger, &parts, ACKNOWLEDGED);
        let parts = cycle(&mut ledger, 20, Some(&counts(&[4, 0, 4])));
        let point = only_point(&parts);
        assert_eq!(point.bucket_counts[0], expected[0]);
        settle_all(&mut ledger, &parts, ACKNOWLEDGED);
        let point = only_point(&cycle(&mut ledger, 30, Some(&counts(&[7, 0, 4]))));
        assert_eq!(point.bucket_counts[0], expected[1]);
    }
}

#[test]
fn a_series_that_ended_delivers_what_it_had_and_then_its_end_each_until_it_is_acknowledged() {
    for (temporality, from) in [(Temporality::Cumulative, [1, 1]), (Temporality::Delta, [10, 20])] {
        let mut ledger = ledger(temporality);
        let parts = cycle(&mut ledger, 10, Some(&counts(&[1, 0, 0])));
        settle_all(&mut ledger, &parts, ACKNOWLEDGED);
        let parts = cycle(&mut ledger, 20, Some(&counts(&[1, 5, 0])));
        settle_all(&mut ledger, &parts, Outcome::Failed);
        for (seconds, outcome) in [(30, Outcome::Failed), (40, REJECTED), (50, ACKNOWLEDGED)] {
            let parts = cycle(&mut ledger, seconds, None);
            let point = only_point(&parts);
            assert_eq!((interval(&point), point.bucket_counts[1]), ((from[0], 20), 5));
            settle_all(&mut ledger, &parts, outcome);
        }
        for (seconds, outcome) in [(60, Outcome::Failed), (70, REJECTED), (80, ACKNOWLEDGED)] {
            let parts = cycle(&mut ledger, seconds, None);
            let point = only_point(&parts);
            assert!(is_end(&point), "{point:?}");
            assert_eq!(interval(&point), (from[1], seconds));
            settle_all(&mut ledger, &parts, outcome);
        }
        assert!(ledger.is_empty());
        assert!(cycle(&mut ledger, 90, None).is_empty());
    }
}

#[test]
fn the_end_of_an_exponential_series_is_exponential() {
    let scale = exponential(0, Duration::from_micros(1), Duration::from_secs(1));
    let mut ledger = ledger(Temporality::Cumulative);
    let counts = vec![1; scale.buckets()];
    let parts = cycle(&mut ledger, 10, Some(&snapshot(&scale, &counts, None)));
    settle_all(&mut ledger, &parts, ACKNOWLEDGED);
    let parts = cycle(&mut ledger, 20, None);
    let point = super::exponential_point(&decoded(&parts[0])[0]);
    assert_eq!(point.flags, DataPointFlags::NoRecordedValueMask as u32);
    assert_eq!((point.count, point.sum, point.positive), (0, None, None));
}

#[test]
fn what_nobody_knows_of_is_forgotten_without_an_end() {
    let mut ledger = ledger(Temporality::Delta);
    assert!(cycle(&mut ledger, 10, Some(&counts(&[0, 0, 0]))).is_empty());
    assert!(!ledger.is_empty());
    assert!(cycle(&mut ledger, 20, None).is_empty());
    assert!(ledger.is_empty());
}

#[test]
fn a_series_that_comes_back_before_its_end_is_acknowledged_goes_on() {
    let mut ledger = ledger(Temporality::Delta);
    let parts = cycle(&mut ledger, 10, Some(&counts(&[1, 0, 0])));
    settle_all(&mut ledger, &parts, ACKNOWLEDGED);
    let parts = cycle(&mut ledger, 20, None);
    settle_all(&mut ledger, &parts, Outcome::Failed);
    let point = only_point(&cycle(&mut ledger, 30, Some(&counts(&[2, 0, 0]))));
    assert_eq!((interval(&point), point.count), ((10, 30), 1));
}

#[test]
fn an_end_that_was_never_settled_is_not_settled_with_the_next_export() {
    let mut ledger = ledger(Temporality::Delta);
    let parts = cycle(&mut ledger, 10, Some(&counts(&[1, 0, 0])));
    settle_all(&mut ledger, &parts, ACKNOWLEDGED);
    assert!(is_end(&only_point(&cycle(&mut ledger, 20, None))));
    // It is back, without change, and another series is sent.
    ledger.begin(time(30));
    ledger.record(id(1), &POLLS, &attributes(1), time(1), &counts(&[1, 0, 0]));
    ledger.record(id(2), &POLLS, &attributes(2), time(1), &counts(&[5, 0, 0]));
    let parts = finish(&mut ledger);
    assert_eq!(only_point(&parts).count, 5);
    settle_all(&mut ledger, &parts, ACKNOWLEDGED);
    let metrics = decoded(
        &{
            ledger.begin(time(40));
            ledger.record(id(1), &POLLS, &attributes(1), time(1), &counts(&[2, 0, 0]));
            ledger.record(id(2), &POLLS, &attributes(2), time(1), &counts(&[5, 0, 0]));
            finish(&mut ledger)
        }[0],
    );
    let [point] = explicit_points(&metrics[0]) else { panic!("not one point") };
    assert_eq!((interval(point), point.count), ((10, 40), 1));
}

#[test]
fn a_snapshot_without_buckets_has_no_point_and_ends_nothing() {
    let mut ledger = ledger(Temporality::Cumulative);
    let nothing = HistogramSnapshot::default();
    assert!(cycle(&mut ledger, 5, Some(&nothing)).is_empty());
    let parts = cycle(&mut ledger, 10, Some(&counts(&[1, 0, 0])));
    settle_all(&mut ledger, &parts, ACKNOWLEDGED);
    assert!(cycle(&mut ledger, 20, Some(&nothing)).is_empty());
    let point = only_point(&cycle(&mut ledger, 30, Some(&counts(&[1, 0, 0]))));
    assert_eq!((interval(&point), point.count), ((1, 30), 1));

    let mut torn = counts(&[9, 9, 9]);
    torn.buckets.pop();
    assert!(cycle(&mut ledger, 40, Some(&torn)).len() < 2, "no panic");
}

#[test]
fn another_scale_begins_a_series_where_the_one_before_it_ended() {
    let other = Scale::from_bucket_ends_ns(&[10, 20]).expect("valid");
    for temporality in [Temporality::Cumulative, Temporality::Delta] {
        let mut ledger = ledger(temporality);
        let parts = cycle(&mut ledger, 10, Some(&counts(&[1, 0, 0])));
        settle_all(&mut ledger, &parts, Outcome::Failed);
        let parts = cycle(&mut ledger, 20, Some(&snapshot(&other, &[4, 4], None)));
        let metrics = decoded(&parts[0]);
        let [before, after] = explicit_points(&metrics[0]) else { panic!("not two points") };
        assert_eq!((interval(before), before.count), ((1, 10), 1));
        assert_eq!((interval(after), after.count), ((10, 20), 8));
        assert_eq!(before.attributes, after.attributes);
        settle_all(&mut ledger, &parts, ACKNOWLEDGED);
        let point = only_point(&cycle(&mut ledger, 30, Some(&snapshot(&other, &[5, 4], None))));
        assert_eq!(point.explicit_bounds.len(), 1);
    }
}

#[test]
fn another_scale_leaves_no_gap_after_a_silence() {
    let other = Scale::from_bucket_ends_ns(&[10, 20]).expect("valid");
    let mut ledger = ledger(Temporality::Delta);
    let parts = cycle(&mut ledger, 10, Some(&counts(&[1, 0, 0])));
    settle_all(&mut ledger, &parts, ACKNOWLEDGED);
    assert!(cycle(&mut ledger, 20, Some(&counts(&[1, 0, 0]))).is_empty());
    let point = only_point(&cycle(&mut ledger, 30, Some(&snapshot(&other, &[4, 4], None))));
    assert_eq!(interval(&point), (10, 30));
}

#[test]
fn the_end_of_a_series_on_another_scale_is_told_to_those_who_know_the_first() {
    let other = Scale::from_bucket_ends_ns(&[10, 20]).expect("valid");
    let mut ledger = ledger(Temporality::Delta);
    let parts = cycle(&mut ledger, 10, Some(&counts(&[1, 0, 0])));
    settle_all(&mut ledger, &parts, ACKNOWLEDGED);
    assert!(cycle(&mut ledger, 20, Some(&snapshot(&other, &[0, 0], None))).is_empty());
    assert!(is_end(&only_point(&cycle(&mut ledger, 30, None))));
}

#[test]
fn no_interval_is_turned_round_by_a_clock_that_was_set_back() {
    for temporality in [Temporality::Cumulative, Temporality::Delta] {
        let mut ledger = ledger(temporality);
        let mut points = 0;
        for (seconds, count) in [(100, 1), (50, 2), (50, 3), (0, 4), (120, 5)] {
            let parts = cycle(&mut ledger, seconds, Some(&counts(&[count, 0, 0])));
            let point = only_point(&parts);
            assert!(point.start_time_unix_nano < point.time_unix_nano || seconds == 0);
            assert_eq!(point.time_unix_nano, ns(seconds));
            settle_all(&mut ledger, &parts, ACKNOWLEDGED);
            points += 1;
        }
        assert_eq!(points, 5);
    }
}

#[test]
fn a_time_that_otlp_cannot_hold_is_the_nearest_it_can() {
    let mut ledger = ledger(Temporality::Cumulative);
    let far = UNIX_EPOCH + Duration::from_secs(u64::MAX / 1_000_000_000 + 1);
    ledger.begin(far);
    ledger.record(id(1), &POLLS, &[], UNIX_EPOCH - Duration::from_secs(1), &counts(&[1, 0, 0]));
    let point = only_point(&finish(&mut ledger));
    assert_eq!((point.start_time_unix_nano, point.time_unix_nano), (0, u64::MAX));
}

#[test]
fn workers_and_rows_are_series_of_their_own() {
    let mut ledger = ledger(Temporality::Delta);
    ledger.begin(time(10));
    let mut number = 0;
    for row in [1, 2] {
        for series in 0..3 {
            number += 1;
            let id = SeriesId { attachment: 1, row, series };
            ledger.record(id, &POLLS, &attributes(number), time(1), &counts(&[number, 0, 0]));
        }
    }
    let metrics = decoded(&finish(&mut ledger)[0]);
    let counts: Vec<_> = explicit_points(&metrics[0]).iter().map(|point| point.count).collect();
    assert_eq!(counts, [1, 2, 3, 4, 5, 6]);
}

#[test]
fn points_have_neither_extremes_nor_exemplars() {
    for temporality in [Temporality::Cumulative, Temporality::Delta] {
        let metric = exported(&HistogramOptions::default(), temporality, &counts(&[1, 2, 3]));
        let point = super::explicit_point(&metric);
        assert_eq!((point.min, point.max, point.exemplars.len(), point.flags), (None, None, 0, 0));
    }
}

#[test]
fn of_ended_series_that_nobody_acknowledges_the_oldest_are_forgotten() {
    let mut ledger = ledger(Temporality::Cumulative);
    let record = |ledger: &mut Ledger, attachments: std::ops::Range<u64>| {
        for attachment in attachments {
            let attributes = attributes(attachment);
            ledger.record(id(attachment), &POLLS, &attributes, time(1), &counts(&[1, 0, 0]));
        }
    };
    ledger.begin(time(10));
    record(&mut ledger, 0..5);
    let points = |ledger: &mut Ledger| finish(ledger).iter().map(|part| part.id.points).sum::<usize>();
    assert_eq!(points(&mut ledger), 5);
    assert_eq!(ledger.forget_ended_beyond(3), 0, "none has ended");

    ledger.begin(time(20));
    record(&mut ledger, 4..5);
    assert_eq!(points(&mut ledger), 5);
    assert_eq!(ledger.forget_ended_beyond(3), 1);
    ledger.begin(time(30));
    record(&mut ledger, 4..5);
    assert_eq!(points(&mut ledger), 4);
}
