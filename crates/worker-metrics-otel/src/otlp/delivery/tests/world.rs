//! Sources that come, count and go, clocks and receivers that fail, and what must have arrived in
//! the end.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use opentelemetry_sdk::metrics::Temporality;
use worker_metrics::histogram::{HistogramSnapshot, Scale};
use worker_metrics::{Counter, Metric};

use super::super::ledger::unix_ns;
use super::destination::Destination;
use super::receiver::{Arrived, Counted, Value, ZERO};
use super::source::TestSource;
use super::{exponential, time};
use crate::otlp::wire::Limits;
use crate::source::Attached;

pub(super) const SLOTS: usize = 3;
const WORKERS: usize = 2;
const ROWS: [Metric; 6] = [
    Metric::WorkerPolls,
    Metric::WorkerTime,
    Metric::WorkerLocalQueueSize,
    Metric::WorkerProgressAge,
    Metric::TaskPollDuration,
    Metric::TimerDelay,
];

/// What happens.
#[derive(Clone, Debug)]
pub(super) enum Event {
    Attach(usize),
    Detach(usize),
    /// Polls, with what comes with them.
    Count {
        slot: usize,
        worker: usize,
        bucket: usize,
        count: u64,
    },
    /// What can fall.
    Fall {
        slot: usize,
        worker: usize,
        to: u64,
    },
    /// The source panics from now on.
    Panic(usize),
    /// The pipeline is dropped, and another one is made.
    Rebuild,
    /// The wall clock is set, by so many seconds.
    Clock(i64),
    /// Each request meets its fate; a source may count, and be detached, while they travel.
    Export {
        fates: Vec<Fate>,
        meanwhile: Option<usize>,
    },
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Taken,
    Failed,
    /// The export is dropped on the way.
    Unsettled,
}

/// What a source has counted, or says.
#[derive(Clone, Debug, Default)]
struct Values {
    polls: [u64; WORKERS],
    busy_ms: [u64; WORKERS],
    depth: [u64; WORKERS],
    age_ms: [u64; WORKERS],
    durations: [[u64; 4]; WORKERS],
    sums_ns: [u64; WORKERS],
    delays: Vec<u64>,
}

struct Slot {
    source: Arc<TestSource>,
    values: Values,
    /// The index of its incarnation, while it is attached.
    attached: Option<(Arc<Attached>, usize)>,
    is_broken: bool,
    names: usize,
}

/// A source from an attachment to its end.
struct Incarnation {
    name: String,
    base: Values,
    last: Values,
    /// The times that it saw: of the attachment, of each export, and of the end.
    times: Vec<SystemTime>,
    is_recorded: bool,
    /// Whether the end came with values of its own.
    has_last_values: bool,
    has_ended: bool,
}

pub(super) struct World {
    destination: Destination,
    temporality: Temporality,
    /// Whether the wall clock is set. Then no source is attached twice, so that its series are told
    /// apart without their times.
    clock_is_set: bool,
    slots: Vec<Slot>,
    incarnations: Vec<Incarnation>,
    now_s: u64,
}

fn durations() -> Scale {
    Scale::from_bucket_ends_ns(&[1_000, 2_000, 4_000, u64::MAX]).expect("valid")
}

fn delays() -> Scale {
    exponential(0, Duration::from_millis(1), Duration::from_millis(100))
}

fn empty_values() -> Values {
    Values { delays: vec![0; delays().buckets()], ..Values::default() }
}

impl Values {
    fn show(&self, source: &TestSource) {
        source.set(|snapshot| {
            snapshot.timer_delay_histogram = HistogramSnapshot::new(&delays(), self.delays.clone(), None);
            for (worker, into) in snapshot.workers_mut().iter_mut().enumerate() {
                into.set_count(Counter::Polls, self.polls[worker]);
                into.busy_duration = Some(Duration::from_millis(self.busy_ms[worker]));
                into.local_queue_depth = Some(self.depth[worker]);
                into.progress_age = Some(Duration::from_millis(self.age_ms[worker]));
                let (counts, sum_ns) = (self.durations[worker], self.sums_ns[worker]);
                into.poll_time_histogram = HistogramSnapshot::new(&durations(), counts, Some(sum_ns));
            }
        });
    }

    fn durations_since(&self, base: &Self, worker: usize) -> Counted {
        let grown = (0..).zip(self.durations[worker].iter().zip(base.durations[worker]));
        let grown = grown.map(|(bucket, (now, before))| (bucket, now - before));
        Counted {
            buckets: grown.filter(|(_, count)| *count > 0).collect(),
            sum_s: (self.sums_ns[worker] - base.sums_ns[worker]) as f64 / 1e9,
        }
    }

    fn delays_since(&self, base: &Self) -> Counted {
        let scale = delays();
        let first = scale.as_exponential().expect("exponential").offset;
        let mut counted = Counted::default();
        for (bucket, (now, before)) in self.delays.iter().zip(&base.delays).enumerate() {
            let range_ns = scale.bucket_range(bucket).expect("a bucket");
            let is_last = bucket + 1 == self.delays.len();
            let middle_ns = if is_last { range_ns.start } else { range_ns.start.midpoint(range_ns.end) };
            let index = i64::try_from(bucket).expect("few");
            let place = if bucket == 0 { ZERO } else { i64::from(first) + index - 1 };
            if now > before {
                counted.buckets.insert(place, now - before);
                counted.sum_s += (now - before) as f64 * middle_ns as f64 / 1e9;
            }
        }
        counted
    }
}

impl World {
    pub(super) fn new(temporality: Temporality, limits: Limits, clock_is_set: bool) -> Self {
        let slot = |number: usize| {
            let source = TestSource::new(&format!("s{number}"), WORKERS, &ROWS);
            let values = empty_values();
            values.show(&source);
            Slot { source, values, attached: None, is_broken: false, names: 1 }
        };
        Self {
            destination: Destination::new(temporality, limits),
            temporality,
            clock_is_set,
            slots: (0..SLOTS).map(slot).collect(),
            incarnations: Vec::new(),
            now_s: 1_000_000,
        }
    }

    fn now(&self) -> SystemTime {
        time(self.now_s)
    }

    pub(super) fn happen(&mut self, event: &Event) {
        self.now_s += 1;
        match *event {
            Event::Attach(slot) => self.attach(slot),
            Event::Detach(slot) => self.detach(slot),
            Event::Count { slot, worker, bucket, count } => {
                let Slot { source, values, .. } = &mut self.slots[slot];
                values.polls[worker] += count;
                values.busy_ms[worker] += 3 * count;
                values.durations[worker][bucket % 4] += count;
                values.sums_ns[worker] += 1_777 * count;
                let delays = values.delays.len();
                values.delays[bucket % delays] += count;
                values.show(source);
            }
            Event::Fall { slot, worker, to } => {
                let Slot { source, values, .. } = &mut self.slots[slot];
                (values.depth[worker], values.age_ms[worker]) = (to, 10 * to);
                values.show(source);
            }
            Event::Panic(slot) => {
                if self.slots[slot].attached.is_some() {
                    self.slots[slot].source.break_down();
                    self.slots[slot].is_broken = true;
                }
            }
            Event::Rebuild => self.destination.rebuild_pipeline(),
            Event::Clock(by_s) if self.clock_is_set => {
                self.now_s = self.now_s.saturating_add_signed(by_s).max(1);
            }
            Event::Clock(_) => {}
            Event::Export { ref fates, meanwhile } => self.export(fates, meanwhile),
        }
    }

    fn attach(&mut self, number: usize) {
        let (now, clock_is_set) = (self.now(), self.clock_is_set);
        let slot = &mut self.slots[number];
        if slot.attached.is_some() {
            return;
        }
        if slot.is_broken || clock_is_set {
            slot.source = TestSource::new(&format!("s{number}-{}", slot.names), WORKERS, &ROWS);
            slot.names += 1;
            slot.is_broken = false;
            slot.values.show(&slot.source);
        }
        let attached = self.destination.attach(&slot.source, now);
        let name = attached.identity().name.clone().expect("a name");
        slot.attached = Some((attached, self.incarnations.len()));
        self.incarnations.push(Incarnation {
            name,
            base: slot.values.clone(),
            last: slot.values.clone(),
            times: vec![now],
            is_recorded: false,
            has_last_values: false,
            has_ended: false,
        });
    }

    fn detach(&mut self, number: usize) {
        let now = self.now();
        let slot = &mut self.slots[number];
        let Some((attached, incarnation)) = slot.attached.take() else { return };
        self.destination.detach(&attached, now);
        let incarnation = &mut self.incarnations[incarnation];
        incarnation.has_ended = true;
        if !slot.is_broken {
            incarnation.record(&slot.values, now);
            incarnation.has_last_values = true;
        }
    }

    fn export(&mut self, fates: &[Fate], meanwhile: Option<usize>) {
        let now = self.now();
        let export = self.destination.begin(now);
        for slot in &self.slots {
            let Some((_, incarnation)) = &slot.attached else { continue };
            let incarnation = &mut self.incarnations[*incarnation];
            if slot.is_broken {
                incarnation.has_ended = true;
            } else {
                incarnation.record(&slot.values, now);
            }
        }
        if let Some(slot) = meanwhile {
            self.happen(&Event::Count { slot, worker: 1, bucket: 2, count: 7 });
            self.happen(&Event::Detach(slot));
        }
        for (index, request) in export.requests().iter().enumerate() {
            match fates[index % fates.len()] {
                Fate::Taken => {
                    self.destination.receiver.take(request);
                    export.settle(request.id, true);
                }
                Fate::Failed => export.settle(request.id, false),
                Fate::Unsettled => {}
            }
        }
    }

    /// A healthy receiver, then the end of everything.
    pub(super) fn conclude(&mut self) {
        self.happen(&Event::Export { fates: vec![Fate::Taken], meanwhile: None });
        self.check();
        (0..SLOTS).for_each(|slot| self.happen(&Event::Detach(slot)));
        self.happen(&Event::Export { fates: vec![Fate::Taken], meanwhile: None });
        self.check();
        assert!(self.destination.outbox.is_empty(), "everything is forgotten");
        assert_eq!(self.destination.outbox.given_up(), 0);
        assert!(self.incarnations.iter().all(|incarnation| incarnation.has_ended));
    }

    /// What has arrived is what was recorded, series by series.
    fn check(&self) {
        let mut expected_points = 0;
        for (index, incarnation) in self.incarnations.iter().enumerate() {
            for worker in 0..WORKERS {
                let place = [format!("name={},", incarnation.name), format!("index={worker},")];
                let (base, last) = (&incarnation.base, &incarnation.last);
                let grown = |now: u64, before: u64| Value::Number((now - before) as f64);
                let seconds = |ms: u64| Value::Number(ms as f64 / 1e3);
                for (metric, kind, value) in [
                    ("worker.polls", Kind::Counter, grown(last.polls[worker], base.polls[worker])),
                    ("worker.time", Kind::Counter, seconds(last.busy_ms[worker] - base.busy_ms[worker])),
                    ("worker.local_queue.size", Kind::Falling, Value::Number(last.depth[worker] as f64)),
                    ("worker.progress.age", Kind::Falling, seconds(last.age_ms[worker])),
                    (
                        "task.poll.duration",
                        Kind::Histogram,
                        Value::Histogram(last.durations_since(base, worker)),
                    ),
                ] {
                    expected_points += self.check_series(index, metric, &place, kind, &value);
                }
            }
            let place = [format!("name={},", incarnation.name)];
            let delays = Value::Histogram(last_delays(incarnation));
            expected_points += self.check_series(index, "timer.delay", &place, Kind::Histogram, &delays);
        }
        let arrived: usize = self.destination.receiver.series.values().map(Vec::len).sum();
        assert_eq!(arrived, expected_points, "nothing else has arrived");
    }

    /// Checks one series of one incarnation; returns the number of its points.
    fn check_series(&self, index: usize, metric: &str, place: &[String], kind: Kind, truth: &Value) -> usize {
        let incarnation = &self.incarnations[index];
        let place: Vec<_> = place.iter().map(String::as_str).collect();
        let points = self.points_of(index, self.destination.receiver.points(metric, &place));
        let what = format!("{metric} {place:?}: {points:#?}");
        let is_delta = match (kind, self.temporality) {
            (Kind::Falling, _) | (_, Temporality::Cumulative) => false,
            (Kind::Counter, temporality) => temporality == Temporality::Delta,
            (Kind::Histogram, _) => true,
        };
        let values: Vec<_> = points.iter().filter_map(|point| point.value.as_ref()).collect();
        if !incarnation.is_recorded {
            assert!(points.is_empty(), "{what}");
            return 0;
        }
        // The value.
        if is_delta {
            assert!(values.iter().all(|value| !value.is_nothing()), "a delta of nothing: {what}");
            let sum = values.iter().fold(truth.nothing(), |sum, value| sum.plus(value));
            assert!(sum.is_about(truth), "{sum:?}, not {truth:?}: {what}");
        } else {
            let last = values.last().unwrap_or_else(|| panic!("nothing has arrived: {what}"));
            assert!(last.is_about(truth), "not {truth:?}: {what}");
            let falls = values.windows(2).any(|pair| pair[1].is_below(pair[0]));
            assert!(kind == Kind::Falling || !falls, "it falls: {what}");
        }
        // The intervals.
        let moves = points.windows(2).filter(|pair| {
            let expected =
                if is_delta && pair[0].value.is_some() { pair[0].time_ns } else { pair[0].start_ns };
            pair[1].value.is_some() && pair[1].start_ns != expected
        });
        let first_moves = points.first().is_some_and(|first| first.start_ns != unix_ns(incarnation.times[0]));
        let moves = moves.count() + usize::from(first_moves);
        assert!(moves <= incarnation.set_backs(), "{moves} moves of the start: {what}");
        // The end.
        assert!(points.iter().all(|point| point.is_delta == is_delta), "{what}");
        let ends = points.iter().filter(|point| point.value.is_none()).count();
        if !incarnation.has_ended {
            assert_eq!(ends, 0, "it has not ended: {what}");
            return points.len();
        }
        assert!(ends <= 1 && (ends == 1 || points.is_empty()), "{ends} ends: {what}");
        if let [.., last, end] = &points[..] {
            assert!(end.value.is_none(), "it goes on after its end: {what}");
            // A clock that went back may show the time of an earlier point once more.
            let is_last = incarnation.set_backs() == 0
                && last.time_ns == unix_ns(incarnation.times[incarnation.times.len() - 1]);
            let is_common = last.request == end.request;
            assert!(is_common || !(is_last && incarnation.has_last_values), "the end came apart: {what}");
            assert!(incarnation.set_backs() > 0 || last.time_ns < end.time_ns, "the end is no later: {what}");
        }
        points.len()
    }

    /// The points of an incarnation among those of its attributes: those that begin in its time.
    fn points_of<'a>(&self, index: usize, points: &'a [Arrived]) -> Vec<&'a Arrived> {
        if self.clock_is_set {
            return points.iter().collect();
        }
        let start = |incarnation: &Incarnation| unix_ns(incarnation.times[0]);
        let this = &self.incarnations[index];
        let next = self.incarnations[index + 1..].iter().find(|other| other.name == this.name);
        let time = start(this)..next.map_or(u64::MAX, start);
        let points: Vec<_> = points.iter().filter(|point| time.contains(&point.start_ns)).collect();
        assert!(
            points.iter().all(|point| point.time_ns <= time.end),
            "it goes on after the next began: {points:?}"
        );
        points
    }
}

fn last_delays(incarnation: &Incarnation) -> Counted {
    incarnation.last.delays_since(&incarnation.base)
}

impl Incarnation {
    fn record(&mut self, values: &Values, now: SystemTime) {
        self.last = values.clone();
        self.times.push(now);
        self.is_recorded = true;
    }

    /// How often the clock went back, as this source saw it.
    fn set_backs(&self) -> usize {
        self.times.windows(2).filter(|pair| pair[1] <= pair[0]).count()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Counter,
    Falling,
    Histogram,
}

impl Value {
    fn nothing(&self) -> Self {
        match self {
            Self::Number(_) => Self::Number(0.0),
            Self::Histogram(_) => Self::Histogram(Counted::default()),
        }
    }

    fn is_nothing(&self) -> bool {
        match self {
            Self::Number(number) => *number == 0.0,
            Self::Histogram(counted) => counted.count() == 0,
        }
    }

    fn plus(mut self, other: &Self) -> Self {
        match (&mut self, other) {
            (Self::Number(sum), Self::Number(number)) => *sum += number,
            (Self::Histogram(sum), Self::Histogram(counted)) => sum.add(counted),
            _ => panic!("a series of two kinds"),
        }
        self
    }

    fn is_about(&self, other: &Self) -> bool {
        let is_about = |one: f64, other: f64| (one - other).abs() <= 1e-9 * other.abs().max(1.0);
        match (self, other) {
            (Self::Number(one), Self::Number(other)) => is_about(*one, *other),
            (Self::Histogram(one), Self::Histogram(other)) => {
                one.buckets == other.buckets && is_about(one.sum_s, other.sum_s)
            }
            _ => false,
        }
    }

    fn is_below(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Number(one), Self::Number(other)) => one < other,
            (Self::Histogram(one), Self::Histogram(other)) => {
                one.sum_s < other.sum_s
                    || other
                        .buckets
                        .iter()
                        .any(|(bucket, count)| one.buckets.get(bucket).unwrap_or(&0) < count)
            }
            _ => false,
        }
    }
}
