//! A receiver that adds up what it acknowledged, and complains of what no receiver should get.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{AggregationTemporality, DataPointFlags, Metric};

/// What a receiver has, by series.
#[derive(Debug)]
pub(super) struct Receiver {
    temporality: AggregationTemporality,
    pub(super) series: BTreeMap<i64, Received>,
}

/// What a receiver has of one series.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Received {
    pub(super) counts: Vec<u64>,
    pub(super) sum_s: f64,
    pub(super) points: usize,
    pub(super) first_start_ns: u64,
    pub(super) last_ns: u64,
    pub(super) has_ended: bool,
}

/// A point of either kind, without what the kinds differ in.
struct Arrived {
    series: i64,
    start_ns: u64,
    time_ns: u64,
    count: u64,
    sum: Option<f64>,
    counts: Vec<u64>,
    flags: u32,
}

impl Receiver {
    pub(super) fn new(temporality: AggregationTemporality) -> Self {
        Self { temporality, series: BTreeMap::new() }
    }

    /// Takes over metrics that it acknowledges.
    pub(super) fn acknowledge(&mut self, metrics: &[Metric]) {
        for metric in metrics {
            let (temporality, points) = arrived(metric);
            assert_eq!(temporality, i32::from(self.temporality));
            assert!(!points.is_empty(), "a metric without points");
            points.into_iter().for_each(|point| self.take(point));
        }
    }

    fn take(&mut self, point: Arrived) {
        let delta = self.temporality == AggregationTemporality::Delta;
        let Arrived { series, start_ns, time_ns, count, sum, counts, flags } = point;
        let received = self.series.entry(series).or_default();
        assert!(!received.has_ended, "series {series} goes on after its end");
        assert!(start_ns < time_ns, "series {series} from {start_ns} to {time_ns}");
        if received.points == 0 {
            received.first_start_ns = start_ns;
        } else if delta {
            assert_eq!(start_ns, received.last_ns, "series {series} overlaps or leaves a gap");
        } else {
            assert_eq!(start_ns, received.first_start_ns, "series {series} begins again");
            assert!(time_ns > received.last_ns, "series {series} goes back in time");
        }
        received.points += 1;
        received.last_ns = time_ns;
        if flags == DataPointFlags::NoRecordedValueMask as u32 {
            assert!(count == 0 && counts.is_empty() && sum.is_none(), "the end has values");
            received.has_ended = true;
            return;
        }
        assert_eq!(flags, 0);
        assert_eq!(count, counts.iter().sum::<u64>());
        let sum = sum.expect("a sum");
        received.counts.resize(counts.len(), 0);
        if delta {
            assert!(count > 0, "a delta of nothing");
            received.counts.iter_mut().zip(&counts).for_each(|(total, count)| *total += count);
            received.sum_s += sum;
        } else {
            let is_grown = received.counts.iter().zip(&counts).all(|(before, now)| before <= now);
            assert!(is_grown && received.sum_s <= sum, "series {series} goes backwards");
            received.counts = counts;
            received.sum_s = sum;
        }
    }
}

fn arrived(metric: &Metric) -> (i32, Vec<Arrived>) {
    match metric.data.as_ref().expect("data") {
        Data::Histogram(histogram) => {
            let points = histogram.data_points.iter().map(|point| Arrived {
                series: series(&point.attributes),
                start_ns: point.start_time_unix_nano,
                time_ns: point.time_unix_nano,
                count: point.count,
                sum: point.sum,
                counts: point.bucket_counts.clone(),
                flags: point.flags,
            });
            (histogram.aggregation_temporality, points.collect())
        }
        Data::ExponentialHistogram(histogram) => {
            let points = histogram.data_points.iter().map(|point| Arrived {
                series: series(&point.attributes),
                start_ns: point.start_time_unix_nano,
                time_ns: point.time_unix_nano,
                count: point.count,
                sum: point.sum,
                counts: match &point.positive {
                    Some(positive) => spread(point.zero_count, positive.offset, &positive.bucket_counts),
                    None => Vec::new(),
                },
                flags: point.flags,
            });
            (histogram.aggregation_temporality, points.collect())
        }
        other => panic!("not a histogram: {other:?}"),
    }
}

/// The series that metrics have points of.
pub(super) fn series_of(metrics: &[Metric]) -> impl Iterator<Item = i64> {
    metrics.iter().flat_map(|metric| arrived(metric).1).map(|point| point.series)
}

/// Index of the first positive bucket of the exponential scale that the tests here use.
pub(super) const FIRST_INDEX: i32 = -10;
pub(super) const POSITIVE: usize = 8;

/// Undoes the trimming of zeros.
fn spread(zero_count: u64, offset: i32, positive: &[u64]) -> Vec<u64> {
    let mut counts = vec![0; 1 + POSITIVE];
    counts[0] = zero_count;
    let skipped = usize::try_from(offset - FIRST_INDEX).expect("from the first index on");
    counts[1 + skipped..][..positive.len()].copy_from_slice(positive);
    counts
}

fn series(attributes: &[KeyValue]) -> i64 {
    let [attribute] = attributes else { panic!("{attributes:?}") };
    match attribute.value.as_ref().and_then(|value| value.value.as_ref()) {
        Some(any_value::Value::IntValue(series)) => *series,
        other => panic!("{other:?}"),
    }
}
