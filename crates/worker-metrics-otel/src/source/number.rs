//! Numbers of a snapshot, in the order of the attributes of their series.

use std::time::Duration;

use worker_metrics::catalogue::{Reading, Reduction};
use worker_metrics::{Microstate, MicrostateTimes, Snapshot, StallCause};

/// The value of one series of a counter, an up-down counter or a gauge.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Number {
    Count(u64),
    Seconds(f64),
}

impl Number {
    /// The count as a signed integer, as OTLP has it; at most `i64::MAX`. 0 for a time.
    pub(crate) fn count(self) -> i64 {
        match self {
            Self::Count(count) => i64::try_from(count).unwrap_or(i64::MAX),
            Self::Seconds(_) => 0,
        }
    }

    /// The time in seconds; 0 for a count.
    pub(crate) fn seconds(self) -> f64 {
        match self {
            Self::Seconds(seconds) => seconds,
            Self::Count(_) => 0.0,
        }
    }

    /// The growth since an earlier number, at least 0.
    pub(crate) fn since(self, earlier: Self) -> Self {
        match (self, earlier) {
            (Self::Count(now), Self::Count(earlier)) => Self::Count(now.saturating_sub(earlier)),
            (Self::Seconds(now), Self::Seconds(earlier)) => Self::Seconds((now - earlier).max(0.0)),
            (now, _) => now,
        }
    }

    pub(crate) fn is_zero(self) -> bool {
        matches!(self, Self::Count(0)) || matches!(self, Self::Seconds(seconds) if seconds == 0.0)
    }
}

/// Runs `take` for each of `series` series whose number is known, with its index. A row of workers
/// has a series for each of them, or one that they are reduced to. Does nothing for a histogram.
pub(super) fn for_each_number(
    reading: Reading,
    snapshot: &Snapshot,
    series: usize,
    mut take: impl FnMut(usize, Number),
) {
    let workers = snapshot.workers().iter();
    let is_per_worker = |states: usize| series == states * workers.len();
    let count = |count: Option<u64>| count.map(Number::Count);
    let seconds = |time: Option<Duration>| time.map(|time| Number::Seconds(time.as_secs_f64()));
    match reading {
        Reading::Count(read) => give([count(read(snapshot))], take),
        Reading::CountByState(_, counts) => give(counts.iter().map(|by| count((by.read)(snapshot))), take),
        Reading::WorkerCount(counter) => {
            let counts = workers.clone().map(|worker| count(worker.count(counter)));
            give_reduced(counts, is_per_worker(1), Reduction::Sum, take);
        }
        Reading::WorkerValue(read) => {
            let counts = workers.clone().map(|worker| count(read(worker)));
            give_reduced(counts, is_per_worker(1), Reduction::Sum, take);
        }
        Reading::WorkerTime { read, reduction, .. } => {
            let times = workers.clone().map(|worker| seconds(read(worker)));
            give_reduced(times, is_per_worker(1), reduction, take);
        }
        Reading::WorkerTimeByMicrostate(read) => {
            let of = |state, times: Option<MicrostateTimes>| seconds(times.map(|times| times.of(state)));
            let times = workers.clone().map(read);
            if is_per_worker(Microstate::ALL.len()) {
                give(times.flat_map(|times| Microstate::ALL.map(|state| of(state, times))), take);
            } else {
                let of_all = |state| times.clone().filter_map(move |times| of(state, times));
                give(Microstate::ALL.map(|state| reduce(Reduction::Sum, of_all(state))), take);
            }
        }
        Reading::WorkerCountByCause(read) => {
            let is_per_worker = is_per_worker(StallCause::ALL.len());
            let series_of_a_cause = if is_per_worker { workers.len() } else { 1 };
            for cause in snapshot.stall_causes() {
                let counts = workers.clone().map(|worker| count(read(worker, cause)));
                let first = cause.index() * series_of_a_cause;
                give_reduced(counts, is_per_worker, Reduction::Sum, |series, number| {
                    take(first + series, number)
                });
            }
        }
        _ => {}
    }
}

/// Passes on the numbers of all workers, or the one that they are reduced to.
fn give_reduced(
    numbers: impl Iterator<Item = Option<Number>>,
    is_per_worker: bool,
    reduction: Reduction,
    take: impl FnMut(usize, Number),
) {
    if is_per_worker { give(numbers, take) } else { give([reduce(reduction, numbers.flatten())], take) }
}

/// Passes on the numbers that are known.
fn give(numbers: impl IntoIterator<Item = Option<Number>>, mut take: impl FnMut(usize, Number)) {
    for (index, number) in numbers.into_iter().enumerate() {
        if let Some(number) = number {
            take(index, number);
        }
    }
}

/// **Absent when** no worker has a value.
fn reduce(reduction: Reduction, numbers: impl Iterator<Item = Number>) -> Option<Number> {
    let mut count = 0_u32;
    let reduced = numbers.inspect(|_| count += 1).reduce(|one, other| match (one, other) {
        (Number::Count(one), Number::Count(other)) => Number::Count(one.saturating_add(other)),
        (Number::Seconds(one), Number::Seconds(other)) => Number::Seconds(match reduction {
            Reduction::Largest => one.max(other),
            _ => one + other,
        }),
        (one, _) => one,
    })?;
    Some(match (reduced, reduction) {
        (Number::Count(_), _) | (_, Reduction::Sum | Reduction::Largest) => reduced,
        // The mean, and whatever else may come.
        (Number::Seconds(sum), _) => Number::Seconds(sum / f64::from(count)),
    })
}
