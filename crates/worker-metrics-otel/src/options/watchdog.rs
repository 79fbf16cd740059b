//! Options of the watchdog.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::stall::Stall;

/// A thread that looks at every attached source again and again, and counts and reports the stalls
/// of their workers.
///
/// Given to [`Options::with_watchdog`](crate::Options::with_watchdog). A worker is stalled when
/// that is [proved](crate::Proof), from the stall threshold of its source on, 1 s unless that sets
/// another.
///
/// * `*.worker.stalls` counts them by [cause](worker_metrics::StallCause), also those that begin
///   and end between two collections.
/// * `*.worker.stall.duration` has the durations of those that have ended, between bounds of its
///   own.
/// * The OpenTelemetry log has a warning of each, with its code, while it lasts: at most five a
///   minute in full, and the others added up. [`on_stall`](Self::on_stall) is called for all of
///   them, and [`on_stall_end`](Self::on_stall_end) when they have ended.
/// * A collection sees a stall at once (test `the_first_collection_sees_a_stall_at_once`). Without
///   a watchdog a Tokio worker is stalled only in a poll whose age is known exactly.
///
/// It starts with the first source that is attached, and ends with the last clone of the
/// instrumentation and the last attachment (test
/// `the_watchdog_ends_with_the_instrumentation_and_the_attachments`). It keeps no source alive.
///
/// # How exact it is
///
/// A poll whose age is known is a stall at the first look after the threshold, and a sleep at the
/// first look that has seen it for that long, up to two intervals after it began to count. The
/// duration differs from the truth by no more than one interval, either way (test
/// `the_duration_differs_from_the_truth_by_no_more_than_one_interval`); a system that lets the
/// thread wait makes that interval longer, and one that lets it wait for more than 2.5 intervals
/// makes it forget the sleep that it has seen. A stall during which the source is detached is
/// counted and has no duration.
///
/// # Cost
///
/// A look reads the counters of each worker and, of one that runs, two small files of the system,
/// which are kept open. It allocates nothing in a steady state (test
/// `a_steady_observation_allocates_nothing`). The workers are not involved, but for the probes of
/// their source. The first report of a process reads the names of the program, on a thread of its
/// own.
/// `docs/benchmarks.md` has what it takes, with `cargo run --release -p bench`.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use worker_metrics_otel::{Instrumentation, Options, Watchdog};
///
/// let watchdog = Watchdog::every(Duration::from_millis(50))?.on_stall(|stall| eprintln!("{stall}"));
/// let workers = Instrumentation::new(Options::default().with_watchdog(watchdog));
/// # Ok::<(), worker_metrics_otel::IntervalError>(())
/// ```
#[derive(Clone)]
pub struct Watchdog {
    interval: Duration,
    on_stall: Option<Arc<Callback>>,
    on_stall_end: Option<Arc<Callback>>,
    is_discreet: bool,
    sends_records: bool,
}

type Callback = dyn Fn(&Stall) + Send + Sync;

impl Watchdog {
    /// The time from one look to the next, if nothing else is set: a tenth of the stall threshold
    /// that sources come with.
    pub const DEFAULT_INTERVAL: Duration = Duration::from_millis(100);

    /// The longest interval: whoever asks for more has mistaken the unit.
    pub const LONGEST_INTERVAL: Duration = Duration::from_secs(3_600);

    /// A watchdog that looks once in every `interval`; `Watchdog::default()` has
    /// [`DEFAULT_INTERVAL`](Self::DEFAULT_INTERVAL).
    ///
    /// # Errors
    ///
    /// [`IntervalError`] if it is zero, or above [`LONGEST_INTERVAL`](Self::LONGEST_INTERVAL).
    pub fn every(interval: Duration) -> Result<Self, IntervalError> {
        if interval.is_zero() {
            return Err(IntervalError::Zero);
        }
        if interval > Self::LONGEST_INTERVAL {
            return Err(IntervalError::TooLong(interval));
        }
        Ok(Self { interval, ..Self::default() })
    }

    /// Sets what is called once for each stall, as soon as it is proved and its functions are
    /// named, on a thread that does nothing but report; the last one that is set counts.
    ///
    /// The watchdog goes on looking meanwhile, and counts what it finds once this returns. Dropping
    /// the last clone of the instrumentation waits for that, for a second at most. If it panics,
    /// that is logged once, and it is called again at the next stall. It must not hold the
    /// instrumentation or an attachment for good: neither would end.
    #[must_use]
    pub fn on_stall(mut self, callback: impl Fn(&Stall) + Send + Sync + 'static) -> Self {
        self.on_stall = Some(Arc::new(callback));
        self
    }

    /// Sets what is called once for each stall when it has ended, with its
    /// [duration](Stall::duration); otherwise as [`on_stall`](Self::on_stall). A stall during which
    /// the source is detached has no end.
    #[must_use]
    pub fn on_stall_end(mut self, callback: impl Fn(&Stall) + Send + Sync + 'static) -> Self {
        self.on_stall_end = Some(Arc::new(callback));
        self
    }

    /// Leaves peers' addresses and the paths of files out of every [`Stall`]: what the thread waits
    /// on is then a socket or a file, and nothing more.
    #[must_use]
    pub fn without_addresses(mut self) -> Self {
        self.is_discreet = true;
        self
    }

    /// Sends no stall as a log record, neither by OTLP nor through a [logger
    /// provider](crate::Instrumentation::register_logs).
    #[must_use]
    pub fn without_log_records(mut self) -> Self {
        self.sends_records = false;
        self
    }

    /// The time from one look to the next.
    #[must_use]
    pub fn interval(&self) -> Duration {
        self.interval
    }

    pub(crate) fn call(&self, stall: &Stall) {
        if let Some(callback) = &self.on_stall {
            callback(stall);
        }
    }

    pub(crate) fn call_at_end(&self, stall: &Stall) {
        if let Some(callback) = &self.on_stall_end {
            callback(stall);
        }
    }

    pub(crate) fn sends_records(&self) -> bool {
        self.sends_records
    }

    pub(crate) fn is_discreet(&self) -> bool {
        self.is_discreet
    }
}

impl Default for Watchdog {
    fn default() -> Self {
        Self {
            interval: Self::DEFAULT_INTERVAL,
            on_stall: None,
            on_stall_end: None,
            is_discreet: false,
            sends_records: true,
        }
    }
}

impl fmt::Debug for Watchdog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watchdog")
            .field("interval", &self.interval)
            .field("on_stall", &self.on_stall.is_some())
            .field("on_stall_end", &self.on_stall_end.is_some())
            .field("without_addresses", &self.is_discreet)
            .field("without_log_records", &!self.sends_records)
            .finish()
    }
}

/// Equal with the same settings and the same callbacks, not ones that do the same.
impl PartialEq for Watchdog {
    fn eq(&self, other: &Self) -> bool {
        self.interval == other.interval
            && self.is_discreet == other.is_discreet
            && self.sends_records == other.sends_records
            && is_same(&self.on_stall, &other.on_stall)
            && is_same(&self.on_stall_end, &other.on_stall_end)
    }
}

fn is_same(one: &Option<Arc<Callback>>, other: &Option<Arc<Callback>>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => Arc::ptr_eq(one, other),
        (one, other) => one.is_none() && other.is_none(),
    }
}

/// Why a watchdog cannot have an interval.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum IntervalError {
    /// It is zero.
    Zero,
    /// It is above [`Watchdog::LONGEST_INTERVAL`].
    TooLong(Duration),
}

impl fmt::Display for IntervalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Zero => write!(
                f,
                "the watchdog's interval is 0, so that it would never rest: set some time above 0, such as {:?}",
                Watchdog::DEFAULT_INTERVAL
            ),
            Self::TooLong(interval) => write!(
                f,
                "the watchdog's interval is {interval:?}, in which most stalls come and go unseen: set at most {:?}, better the \
                 {:?} of `Watchdog::default`",
                Watchdog::LONGEST_INTERVAL,
                Watchdog::DEFAULT_INTERVAL
            ),
        }
    }
}

impl Error for IntervalError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_above_zero_and_at_most_an_hour() {
        assert_eq!(
            Watchdog::every(Duration::ZERO).unwrap_err().to_string(),
            "the watchdog's interval is 0, so that it would never rest: set some time above 0, such as 100ms"
        );
        let beyond = Watchdog::LONGEST_INTERVAL + Duration::from_nanos(1);
        assert_eq!(
            Watchdog::every(beyond).unwrap_err().to_string(),
            "the watchdog's interval is 3600.000000001s, in which most stalls come and go unseen: set at most 3600s, better the \
             100ms of `Watchdog::default`"
        );
        for interval in [Duration::from_nanos(1), Watchdog::LONGEST_INTERVAL] {
            assert_eq!(Watchdog::every(interval).unwrap().interval(), interval);
        }
        assert_eq!(Watchdog::default().interval(), Watchdog::DEFAULT_INTERVAL);
    }

    #[test]
    fn watchdogs_are_equal_with_one_callback_and_one_interval() {
        let called = Watchdog::default().on_stall(|_| {});
        assert_eq!(called, called.clone());
        assert_ne!(called, Watchdog::default());
        assert_ne!(called, Watchdog::default().on_stall(|_| {}));
        assert_eq!(Watchdog::default(), Watchdog::every(Watchdog::DEFAULT_INTERVAL).unwrap());
        assert_ne!(Watchdog::default(), Watchdog::every(Watchdog::LONGEST_INTERVAL).unwrap());
    }
}
