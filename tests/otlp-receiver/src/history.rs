//! Series as they came, point by point, and what is wrong with them.
//! Built from the kept requests by `State::series` and `State::violations`.
//! Never changes what the receiver shows otherwise.

use std::{collections::BTreeMap, fmt};

use opentelemetry_proto::tonic::{
    collector::metrics::v1::ExportMetricsServiceRequest, common::v1::InstrumentationScope,
};

use crate::{
    Attributes, Data, ExponentialHistogram, Histogram, MetricType, Number, Point, Temporality,
    accumulate::accumulate,
    attributes,
    point::{Shape, points},
    state::scope_key,
};

/// An instrumentation scope.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scope {
    /// The name.
    pub name: String,
    /// The version; empty if the peer sent none.
    pub version: String,
    /// The URL of the schema; empty if the peer sent none.
    pub schema_url: String,
    /// The attributes.
    pub attributes: Attributes,
}

impl Scope {
    pub(crate) fn new(scope: &InstrumentationScope, schema_url: &str) -> Self {
        Self {
            name: scope.name.clone(),
            version: scope.version.clone(),
            schema_url: schema_url.to_owned(),
            attributes: attributes::to_json(&scope.attributes),
        }
    }
}

/// A series with all its points in order of arrival.
///
/// Its identity is the resource, the scope, the metric's name and the attributes. Unit, type and
/// temporality are those of the first point; should they change,
/// [`State::violations`](crate::State::violations) has it.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// The resource.
    pub resource: Attributes,
    /// The scope.
    pub scope: Scope,
    /// The name of the metric.
    pub metric: String,
    /// The unit.
    pub unit: String,
    /// What the points are.
    pub kind: MetricType,
    /// Whether a sum only grows; absent for all but sums.
    pub monotonic: Option<bool>,
    /// What a point covers; absent for gauges.
    pub temporality: Option<Temporality>,
    /// The attributes.
    pub attributes: Attributes,
    /// The points.
    pub points: Vec<Arrival>,
}

/// A point as it came.
#[derive(Clone, Debug, PartialEq)]
pub struct Arrival {
    /// The index of its request in [`Receiver::requests`](crate::Receiver::requests).
    pub request: usize,
    /// What it covers.
    pub interval: Interval,
    /// The value; absent if the point is flagged "no recorded value", which ends the series.
    pub data: Option<Data>,
}

/// What a point covers: after the start, up to and including the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Interval {
    /// The start in nanoseconds since 1970; 0 if the peer did not say.
    pub start_unix_nano: u64,
    /// The time in nanoseconds since 1970.
    pub time_unix_nano: u64,
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({}, {}]", self.start_unix_nano, self.time_unix_nano)
    }
}

impl Series {
    /// What the points that have a value cover, in order of arrival.
    #[must_use]
    pub fn intervals(&self) -> Vec<Interval> {
        self.points.iter().filter(|point| point.data.is_some()).map(|point| point.interval).collect()
    }

    /// Everything that was received: of deltas the total, also across an end; otherwise the last
    /// value. Absent if no point has a value.
    ///
    /// A histogram whose bounds change begins a new total.
    #[must_use]
    pub fn total(&self) -> Option<Data> {
        let mut points = self.points.iter().filter_map(|arrival| {
            Some(Point {
                attributes: Attributes::new(),
                start_time_unix_nano: arrival.interval.start_unix_nano,
                time_unix_nano: arrival.interval.time_unix_nano,
                data: arrival.data.clone()?,
            })
        });
        if self.temporality != Some(Temporality::Delta) {
            return points.next_back().map(|point| point.data);
        }
        let mut total = points.next()?;
        points.for_each(|delta| accumulate(&mut total, delta));
        Some(total.data)
    }

    /// Whether the last point is flagged "no recorded value".
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.points.last().is_some_and(|point| point.data.is_none())
    }
}

/// A point that cannot be right after those before it.
#[derive(Clone, Debug, PartialEq)]
pub struct Violation {
    /// The name of the metric.
    pub metric: String,
    /// The attributes of the series.
    pub attributes: Attributes,
    /// The index of the request in [`Receiver::requests`](crate::Receiver::requests).
    pub request: usize,
    /// What the point covers.
    pub interval: Interval,
    /// What is wrong with it.
    pub breach: Breach,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { metric, attributes, request, interval, breach } = self;
        write!(f, "request {request}, {metric} {attributes:?}, {interval}: {breach}")
    }
}

/// What is wrong with a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Breach {
    /// A sum or a histogram without a start.
    NoStart,
    /// The start is not before the time.
    Empty,
    /// The time is not after that of the point before.
    TimeWentBack {
        /// What the point before covers.
        before: Interval,
    },
    /// The start is before the time of the point before: of a delta, or of a cumulative point with
    /// a new start.
    Overlap {
        /// What the point before covers.
        before: Interval,
    },
    /// The start of a delta is after the time of the delta before, and the series had not ended.
    Gap {
        /// What the point before covers.
        before: Interval,
    },
    /// A value went back without a new start: a monotonic sum, or a count of a histogram. Of
    /// deltas: it is below zero.
    ValueWentBack,
    /// The series had ended at this time, and the point does not begin after it. A series may come
    /// back with a later start.
    AfterEnd {
        /// The time of the end in nanoseconds since 1970.
        end_unix_nano: u64,
    },
    /// Unit, type, monotonicity or temporality are others than before; or the bounds of a
    /// cumulative histogram, without a new start.
    OtherShape,
    /// The count of a histogram is not the sum of its buckets, or its buckets do not match its
    /// bounds.
    Buckets,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoStart => write!(f, "there is no start"),
            Self::Empty => write!(f, "the start is not before the time"),
            Self::TimeWentBack { before } => write!(f, "the time is not after that of {before}"),
            Self::Overlap { before } => write!(f, "overlaps with {before}"),
            Self::Gap { before } => write!(f, "leaves a gap after {before}"),
            Self::ValueWentBack => write!(f, "the value went back without a new start"),
            Self::AfterEnd { end_unix_nano } => write!(f, "the series had ended at {end_unix_nano}"),
            Self::OtherShape => write!(f, "unit, type, temporality or bounds changed"),
            Self::Buckets => write!(f, "count, buckets and bounds do not agree"),
        }
    }
}

/// All series of some requests, by identity, with the shape of each point.
#[derive(Debug, Default)]
pub(crate) struct History {
    series: BTreeMap<Key, (Series, Vec<(String, Shape)>)>,
}

/// Name first, so that series are sorted by name; then resource, scope and attributes.
type Key = (String, Vec<u8>, Vec<u8>, Vec<u8>);

impl History {
    pub(crate) fn new(requests: &[ExportMetricsServiceRequest]) -> Self {
        let mut history = Self::default();
        for (index, request) in requests.iter().enumerate() {
            for of_resource in &request.resource_metrics {
                let resource = of_resource.resource.clone().unwrap_or_default().attributes;
                for of_scope in &of_resource.scope_metrics {
                    let scope = of_scope.scope.clone().unwrap_or_default();
                    let shown = Scope::new(&scope, &of_scope.schema_url);
                    let place = (attributes::key(resource.clone()), scope_key(scope));
                    for metric in &of_scope.metrics {
                        let Some((shape, points)) = points(metric.data.clone()) else { continue };
                        for point in points {
                            let series = Series {
                                resource: attributes::to_json(&resource),
                                scope: shown.clone(),
                                metric: metric.name.clone(),
                                unit: metric.unit.clone(),
                                kind: shape.kind,
                                monotonic: shape.monotonic,
                                temporality: shape.temporality,
                                attributes: attributes::to_json(&point.attributes),
                                points: Vec::new(),
                            };
                            let key = attributes::key(point.attributes);
                            let key = (metric.name.clone(), place.0.clone(), place.1.clone(), key);
                            let (series, shapes) =
                                history.series.entry(key).or_insert_with(|| (series, Vec::new()));
                            series.points.push(Arrival {
                                request: index,
                                interval: Interval {
                                    start_unix_nano: point.start_time_unix_nano,
                                    time_unix_nano: point.time_unix_nano,
                                },
                                data: point.data,
                            });
                            shapes.push((metric.unit.clone(), shape.clone()));
                        }
                    }
                }
            }
        }
        history
    }

    pub(crate) fn into_series(self) -> Vec<Series> {
        self.series.into_values().map(|(series, _)| series).collect()
    }

    pub(crate) fn violations(&self) -> Vec<Violation> {
        let mut violations = Vec::new();
        for (series, shapes) in self.series.values() {
            for (index, point) in series.points.iter().enumerate() {
                let mut breaches = check(series, &series.points[..index], point);
                if shapes[index] != shapes[index.saturating_sub(1)] {
                    // Nothing else can be compared.
                    breaches = vec![Breach::OtherShape];
                }
                violations.extend(breaches.into_iter().map(|breach| Violation {
                    metric: series.metric.clone(),
                    attributes: series.attributes.clone(),
                    request: point.request,
                    interval: point.interval,
                    breach,
                }));
            }
        }
        violations.sort_by_key(|violation| violation.request);
        violations
    }
}

/// What is wrong with a point after the points of its series before it.
fn check(series: &Series, before: &[Arrival], point: &Arrival) -> Vec<Breach> {
    let Interval { start_unix_nano: start, time_unix_nano: time } = point.interval;
    let mut breaches = Vec::new();
    let Some(data) = &point.data else {
        // What an end covers means nothing, but it is not told of the past.
        if let Some(last) = before.last().filter(|last| time < last.interval.time_unix_nano) {
            breaches.push(Breach::TimeWentBack { before: last.interval });
        }
        return breaches;
    };
    let is_gauge = series.kind == MetricType::Gauge;
    let is_delta = series.temporality == Some(Temporality::Delta);
    if !is_gauge && start == 0 {
        breaches.push(Breach::NoStart);
    } else if !is_gauge && start >= time {
        breaches.push(Breach::Empty);
    }
    if !buckets_agree(data) {
        breaches.push(Breach::Buckets);
    }
    if is_delta && series.monotonic == Some(true) && number(data).is_some_and(|value| value < 0.0) {
        breaches.push(Breach::ValueWentBack);
    }
    let Some(last) = before.last() else { return breaches };
    let end = last.interval.time_unix_nano;
    let Some(last_data) = &last.data else {
        let begins = if is_gauge { time > end } else { start >= end };
        if !begins {
            breaches.push(Breach::AfterEnd { end_unix_nano: end });
        }
        return breaches;
    };
    let interval = last.interval;
    if time <= end {
        breaches.push(Breach::TimeWentBack { before: interval });
    }
    if is_gauge {
        return breaches;
    }
    let is_new = is_delta || start != interval.start_unix_nano;
    if is_new && start < end {
        breaches.push(Breach::Overlap { before: interval });
    } else if is_delta && start > end {
        breaches.push(Breach::Gap { before: interval });
    }
    if !is_new && !same_bounds(last_data, data) {
        breaches.push(Breach::OtherShape);
    } else if !is_new && series.monotonic != Some(false) && went_back(last_data, data) {
        breaches.push(Breach::ValueWentBack);
    }
    breaches
}

fn number(data: &Data) -> Option<f64> {
    match data {
        Data::Number { value } => Some(value.as_f64()),
        _ => None,
    }
}

fn same_bounds(a: &Data, b: &Data) -> bool {
    match (a, b) {
        (Data::Histogram(a), Data::Histogram(b)) => a.bounds == b.bounds,
        _ => true,
    }
}

/// Whether a cumulative value is smaller than before, in any of its counts.
fn went_back(before: &Data, now: &Data) -> bool {
    match (before, now) {
        (Data::Number { value: Number::Int(a) }, Data::Number { value: Number::Int(b) }) => b < a,
        (Data::Number { value: a }, Data::Number { value: b }) => b.as_f64() < a.as_f64(),
        (Data::Histogram(a), Data::Histogram(b)) => {
            b.count < a.count || a.bucket_counts.iter().zip(&b.bucket_counts).any(|(a, b)| b < a)
        }
        // Its scale may have changed; then buckets cannot be compared one by one.
        (Data::ExponentialHistogram(a), Data::ExponentialHistogram(b)) => {
            b.count < a.count || b.zero_count < a.zero_count
        }
        _ => false,
    }
}

fn buckets_agree(data: &Data) -> bool {
    let sum = |counts: &[u64]| counts.iter().fold(0_u64, |sum, count| sum.saturating_add(*count));
    match data {
        Data::Number { .. } => true,
        Data::Histogram(Histogram { count, bounds, bucket_counts, .. }) => {
            // OTLP allows a histogram without buckets.
            (bounds.is_empty() && bucket_counts.is_empty())
                || (bucket_counts.len() == bounds.len() + 1
                    && sum(bucket_counts) == *count
                    && bounds.is_sorted_by(|a, b| a < b))
        }
        Data::ExponentialHistogram(ExponentialHistogram {
            count, zero_count, positive, negative, ..
        }) => {
            let negative = negative.as_ref().map_or(0, |buckets| sum(&buckets.bucket_counts));
            zero_count.saturating_add(sum(&positive.bucket_counts)).saturating_add(negative) == *count
        }
    }
}
