//! Nothing is lost and nothing counted twice, whatever happens to the exports.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use opentelemetry_proto::tonic::metrics::v1::AggregationTemporality;
use opentelemetry_sdk::metrics::Temporality;
use proptest::collection::vec;
use proptest::prelude::*;
use worker_metrics::histogram::{HistogramSnapshot, Scale};

use super::receiver::{FIRST_INDEX, POSITIVE, Receiver, series_of};
use super::{
    ACKNOWLEDGED, POLLS, attributes, decoded, exponential, finish_into, id, ledger, ns, requests, time,
};
use crate::histogram::Ledger;
use crate::otlp::{Limits, MetricInfo, Outcome, Part, Requests};

/// What happens between two exports.
#[derive(Clone, Debug)]
enum Event {
    Attach(Kind),
    /// One of those attached.
    Detach(usize),
    /// Polls of one of those attached.
    Count {
        which: usize,
        bucket: usize,
        count: u64,
    },
    /// A relaxed load sees an older value of a bucket.
    Stale {
        which: usize,
        bucket: usize,
    },
    /// A source tells nothing in the next cycle.
    Silent(usize),
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Measured,
    Estimated,
    Exponential,
}

/// What becomes of a part.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Acknowledged,
    /// Some are rejected, nobody knows which: taken for acknowledged.
    Partial,
    Rejected,
    Failed,
    /// The export is dropped on the way.
    Unsettled,
}

#[derive(Clone, Debug)]
struct Cycle {
    events: Vec<Event>,
    fates: Vec<Fate>,
}

struct Attached {
    number: u64,
    kind: Kind,
    snapshot: HistogramSnapshot,
    stale: Vec<usize>,
    is_silent: bool,
}

/// What a series has recorded, and when it was attached.
#[derive(Debug)]
struct Recorded {
    counts: Vec<u64>,
    sum_s: f64,
    /// What the sum was when a count changed last: a worker's sum can be read ahead of its counts, and no point of a delta
    /// carries a sum alone.
    sum_of_counts_s: f64,
    start_ns: u64,
    has_ended: bool,
}

struct World {
    temporality: AggregationTemporality,
    ledger: Ledger,
    requests: Requests,
    receiver: Receiver,
    attached: Vec<Attached>,
    recorded: BTreeMap<i64, Recorded>,
    /// Series of which a point was ever sent.
    sent: BTreeSet<i64>,
    seconds: u64,
    numbers: u64,
}

fn scale(kind: Kind) -> Scale {
    match kind {
        Kind::Measured => Scale::from_bucket_ends_ns(&[1_000, 2_000, 4_000]).expect("valid"),
        Kind::Estimated => Scale::linear(Duration::from_micros(1), 5).expect("valid"),
        // From the bucket of 2^-10 s, 0.98 ms, to that of 100 ms, and an open one.
        Kind::Exponential => exponential(0, Duration::from_millis(1), Duration::from_millis(100)),
    }
}

impl World {
    fn new(temporality: Temporality, limits: Limits) -> Self {
        let received = match temporality {
            Temporality::Cumulative => AggregationTemporality::Cumulative,
            _ => AggregationTemporality::Delta,
        };
        Self {
            temporality: received,
            ledger: ledger(temporality),
            requests: requests(limits),
            receiver: Receiver::new(received),
            attached: Vec::new(),
            recorded: BTreeMap::new(),
            sent: BTreeSet::new(),
            seconds: 1_000,
            numbers: 0,
        }
    }

    fn happen(&mut self, event: &Event) {
        self.seconds += 1;
        match *event {
            Event::Attach(kind) => {
                let scale = scale(kind);
                let mut snapshot = HistogramSnapshot::default();
                let sum_ns = matches!(kind, Kind::Measured).then_some(0);
                snapshot.fill(&scale, std::iter::repeat_n(0, scale.buckets()), sum_ns);
                self.numbers += 1;
                let attached =
                    Attached { number: self.numbers, kind, snapshot, stale: Vec::new(), is_silent: false };
                self.attached.push(attached);
                let recorded = Recorded {
                    counts: vec![0; scale.buckets()],
                    sum_s: 0.0,
                    sum_of_counts_s: 0.0,
                    start_ns: ns(self.seconds),
                    has_ended: false,
                };
                self.recorded.insert(self.numbers.try_into().expect("few"), recorded);
            }
            _ if self.attached.is_empty() => {}
            Event::Detach(which) => {
                let which = which % self.attached.len();
                self.attached.remove(which);
            }
            Event::Count { which, bucket, count } => {
                let which = which % self.attached.len();
                let snapshot = &mut self.attached[which].snapshot;
                let bucket = bucket % snapshot.buckets.len();
                snapshot.buckets[bucket] += count;
                snapshot.sum_ns = snapshot.sum_ns.map(|sum_ns| sum_ns + count * 1_777);
            }
            Event::Stale { which, bucket } => {
                let which = which % self.attached.len();
                self.attached[which].stale.push(bucket);
            }
            Event::Silent(which) => {
                let which = which % self.attached.len();
                self.attached[which].is_silent = true;
            }
        }
    }

    /// Collects, exports, and lets each part meet its fate.
    fn export(&mut self, fates: &[Fate]) -> usize {
        self.seconds += 1;
        self.ledger.begin(time(self.seconds));
        for attached in &mut self.attached {
            attached.record(&mut self.ledger, &mut self.recorded);
        }
        let numbers: Vec<_> = self.attached.iter().map(|attached| attached.number).collect();
        for (series, recorded) in &mut self.recorded {
            recorded.has_ended = !numbers.contains(&series.unsigned_abs());
        }
        let parts = finish_into(&mut self.requests, &mut self.ledger);
        for (index, part) in parts.iter().enumerate() {
            self.send(part, fates.get(index % fates.len().max(1)).copied().unwrap_or(Fate::Acknowledged));
        }
        parts.len()
    }

    fn send(&mut self, part: &Part, fate: Fate) {
        let metrics = decoded(part);
        self.sent.extend(series_of(&metrics));
        let points = i64::try_from(part.id.points).expect("few");
        let outcome = match fate {
            Fate::Acknowledged => ACKNOWLEDGED,
            Fate::Partial => Outcome::Acknowledged { rejected: points - 1 },
            Fate::Rejected => Outcome::Acknowledged { rejected: points },
            Fate::Failed => Outcome::Failed,
            Fate::Unsettled => return,
        };
        if matches!(fate, Fate::Acknowledged | Fate::Partial) {
            self.receiver.acknowledge(&metrics);
        }
        self.ledger.settle(part.id, outcome);
        // A second word on the same part means nothing.
        self.ledger.settle(part.id, Outcome::Failed);
        self.ledger.settle(part.id, ACKNOWLEDGED);
    }

    fn check(&self) {
        for (series, recorded) in &self.recorded {
            let Some(received) = self.receiver.series.get(series) else {
                assert_eq!(recorded.counts.iter().sum::<u64>(), 0, "series {series} was lost");
                assert!(!self.sent.contains(series), "series {series} did not end");
                continue;
            };
            assert_eq!(received.counts.iter().sum::<u64>(), recorded.counts.iter().sum::<u64>());
            if recorded.counts.iter().any(|&count| count > 0) {
                assert_eq!(received.counts, recorded.counts, "series {series}");
                let least_s = match self.temporality {
                    AggregationTemporality::Delta => recorded.sum_of_counts_s,
                    _ => recorded.sum_s,
                };
                let (least_s, most_s) = (least_s * (1.0 - 1e-9), recorded.sum_s * (1.0 + 1e-9));
                assert!((least_s..=most_s).contains(&received.sum_s), "{received:?}, not {recorded:?}");
                assert_eq!(received.first_start_ns, recorded.start_ns);
            }
            assert_eq!(received.has_ended, recorded.has_ended, "series {series}");
        }
        assert!(self.receiver.series.keys().all(|series| self.recorded.contains_key(series)));
    }
}

impl Attached {
    fn record(&mut self, ledger: &mut Ledger, recorded: &mut BTreeMap<i64, Recorded>) {
        let mut read = self.snapshot.clone();
        for bucket in self.stale.drain(..) {
            let bucket = bucket % read.buckets.len();
            read.buckets[bucket] /= 2;
        }
        let series = i64::try_from(self.number).expect("few");
        let recorded = recorded.get_mut(&series).expect("attached");
        if std::mem::take(&mut self.is_silent) {
            read.clear();
        } else {
            recorded.take(self.kind, &read);
        }
        let start = time(recorded.start_ns / 1_000_000_000);
        let metric = match self.number % 3 {
            0 => MetricInfo { name: "pool.poll.duration", ..POLLS },
            _ => POLLS,
        };
        ledger.record(id(self.number), &metric, &attributes(self.number), start, &read);
    }
}

impl Recorded {
    fn take(&mut self, kind: Kind, read: &HistogramSnapshot) {
        let before = self.counts.clone();
        for (total, &count) in self.counts.iter_mut().zip(&read.buckets) {
            *total = count.max(*total);
        }
        let is_nothing = self.counts.iter().all(|&count| count == 0);
        self.sum_s = match read.sum_ns {
            _ if is_nothing => 0.0,
            Some(sum_ns) => sum_ns as f64 / 1e9,
            None => estimate_slowly_s(&scale(kind), &self.counts),
        };
        if self.counts != before {
            self.sum_of_counts_s = self.sum_s;
        }
    }
}

fn estimate_slowly_s(scale: &Scale, counts: &[u64]) -> f64 {
    let mut sum_ns = 0;
    for (bucket, count) in counts.iter().enumerate() {
        let range_ns = scale.bucket_range(bucket).expect("a bucket");
        let is_last = bucket + 1 == counts.len();
        sum_ns += count * if is_last { range_ns.start } else { (range_ns.start + range_ns.end) / 2 };
    }
    sum_ns as f64 / 1e9
}

fn events() -> impl Strategy<Value = Event> {
    let kind = prop_oneof![Just(Kind::Measured), Just(Kind::Estimated), Just(Kind::Exponential)];
    prop_oneof![
        3 => kind.prop_map(Event::Attach),
        1 => (0_usize..8).prop_map(Event::Detach),
        6 => (0_usize..8, 0_usize..16, 1_u64..1 << 30)
            .prop_map(|(which, bucket, count)| Event::Count { which, bucket, count }),
        1 => (0_usize..8, 0_usize..16).prop_map(|(which, bucket)| Event::Stale { which, bucket }),
        1 => (0_usize..8).prop_map(Event::Silent),
    ]
}

fn fates() -> impl Strategy<Value = Fate> {
    prop_oneof![
        4 => Just(Fate::Acknowledged),
        1 => Just(Fate::Partial),
        1 => Just(Fate::Rejected),
        3 => Just(Fate::Failed),
        2 => Just(Fate::Unsettled),
    ]
}

fn cycles() -> impl Strategy<Value = Vec<Cycle>> {
    let cycle = (vec(events(), 0..6), vec(fates(), 1..4));
    vec(cycle.prop_map(|(events, fates)| Cycle { events, fates }), 1..24)
}

/// Runs the cycles, then exports until everything has arrived.
fn run(temporality: Temporality, limits: Limits, cycles: &[Cycle]) {
    let mut world = World::new(temporality, limits);
    for cycle in cycles {
        cycle.events.iter().for_each(|event| world.happen(event));
        world.export(&cycle.fates);
    }
    // What was not acknowledged of a series that has ended, then its end.
    for _ in 0..2 {
        world.export(&[Fate::Acknowledged]);
    }
    world.check();
    world.attached.clear();
    for _ in 0..2 {
        world.export(&[Fate::Acknowledged]);
    }
    world.check();
    assert_eq!(world.export(&[]), 0, "everything was said");
    assert!(world.ledger.is_empty(), "everything is forgotten");
}

#[test]
fn the_exponential_scale_is_the_one_that_the_receiver_knows() {
    let scale = scale(Kind::Exponential);
    assert_eq!(scale.as_exponential().map(|layout| layout.offset), Some(FIRST_INDEX));
    assert_eq!(scale.buckets(), 1 + POSITIVE);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn acknowledged_deltas_add_up_to_what_was_recorded(cycles in cycles(), points in 1_usize..6) {
        run(Temporality::Delta, Limits { points, ..Limits::default() }, &cycles);
    }

    #[test]
    fn acknowledged_totals_never_go_back_and_end_at_what_was_recorded(
        cycles in cycles(),
        points in 1_usize..6,
    ) {
        run(Temporality::Cumulative, Limits { points, ..Limits::default() }, &cycles);
    }
}
