//! Numbers of a snapshot, in the order of the attributes of their series.

use worker_metrics::catalogue::{Reading, Reduction};
use worker_metrics::{Microstate, MicrostateTimes, Snapshot};

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
    take: impl FnMut(usize, Number),
) {
    let workers = snapshot.workers().iter();
    let per_worker = |states: usize| series == states * workers.len();
    match reading {
        Reading::Count(read) => give([read(snapshot).map(Number::Count)], take),
        Reading::CountByState(_, counts) => {
            give(counts.iter().map(|count| (count.read)(snapshot).map(Number::Count)), take);
        }
        Reading::WorkerCount(_) | Reading::WorkerValue(_) => {
            let counts = workers.clone().map(|worker| match reading {
                Reading::WorkerCount(counter) => worker.count(counter),
                Reading::WorkerValue(read) => read(worker),
                _ => None,
            });
            if per_worker(1) {
                give(counts.map(|count| count.map(Number::Count)), take);
            } else {
                give([counts.reduce(saturating_sum).flatten().map(Number::Count)], take);
            }
        }
        Reading::WorkerTime { read, reduction, .. } => {
            let seconds = workers.clone().map(|worker| read(worker).map(|time| time.as_secs_f64()));
            if per_worker(1) {
                give(seconds.map(|seconds| seconds.map(Number::Seconds)), take);
            } else {
                give([reduce(reduction, seconds.flatten()).map(Number::Seconds)], take);
            }
        }
        Reading::WorkerTimeByMicrostate(read) => {
            let times = workers.clone().map(read);
            let of = |state: Microstate| move |times: MicrostateTimes| times.of(state).as_secs_f64();
            if per_worker(Microstate::ALL.len()) {
                let seconds = times.flat_map(|times| Microstate::ALL.map(|state| times.map(of(state))));
                give(seconds.map(|seconds| seconds.map(Number::Seconds)), take);
            } else {
                let known = |state| times.clone().flatten().map(of(state));
                let sums = Microstate::ALL.map(|state| reduce(Reduction::Sum, known(state)));
                give(sums.map(|sum| sum.map(Number::Seconds)), take);
            }
        }
        _ => {}
    }
}

/// Passes on the numbers that are known.
fn give(numbers: impl IntoIterator<Item = Option<Number>>, mut take: impl FnMut(usize, Number)) {
    for (index, number) in numbers.into_iter().enumerate() {
        if let Some(number) = number {
            take(index, number);
        }
    }
}

fn saturating_sum(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.saturating_add(other)),
        (one, other) => one.or(other),
    }
}

/// **Absent when** no worker has a value.
fn reduce(reduction: Reduction, values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut count = 0_u32;
    let (sum, largest) = values.fold((0.0, 0.0), |(sum, largest), value| {
        count += 1;
        (sum + value, f64::max(largest, value))
    });
    (count > 0).then(|| match reduction {
        Reduction::Sum => sum,
        Reduction::Largest => largest,
        // The mean, and whatever else may come.
        _ => sum / f64::from(count),
    })
}
