//! Warnings of what a user would otherwise miss, one each.
//!
//! Run about once a second by the watchdog, and at each export by a push. Pure: it is given the
//! status and the time.

use std::time::{Duration, Instant};

use opentelemetry::otel_warn;

use crate::status::{MeterStatus, OtlpStatus, Status};

/// Which warnings were given.
#[derive(Debug, Default)]
pub(crate) struct SelfCheck {
    without_source_since: Option<Instant>,
    warned: Vec<Warning>,
}

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Warning {
    /// There is a way out, and no source.
    NoSource,
    /// A meter has never called back.
    MeterNeverCollects,
    /// A meter does not call back any more.
    MeterStopped,
    /// An exporter was never called.
    ExporterNeverCalled,
    /// A replay falls behind.
    ReplayFallsBehind,
    /// Last values were lost.
    SeriesLost,
}

/// Time without any source after which that is reported.
const WITHOUT_SOURCE: Duration = Duration::from_secs(10);

/// The interval of a reader that is not known: that of the SDK.
const USUAL_INTERVAL: Duration = Duration::from_secs(60);

/// Values that are still to be replayed above which a replay falls behind.
const LARGE_BACKLOG: u64 = 10_000;

impl SelfCheck {
    /// Logs what is wrong and was not logged before.
    pub(crate) fn check(&mut self, status: &Status, now: Instant) {
        for warning in self.new_warnings(status, now) {
            otel_warn!(
                name: "WorkerMetrics.SelfCheck",
                status = status.to_string(),
                message = warning.message()
            );
        }
    }

    /// What is wrong and was not reported before. What is well again is reported anew the next
    /// time.
    fn new_warnings(&mut self, status: &Status, now: Instant) -> Vec<Warning> {
        let found = self.find(status, now);
        let new = found.iter().copied().filter(|warning| !self.warned.contains(warning)).collect();
        self.warned = found;
        new
    }

    fn find(&mut self, status: &Status, now: Instant) -> Vec<Warning> {
        let has_way_out = !status.meters.is_empty() || !status.exports.is_empty();
        let since = &mut self.without_source_since;
        *since = (status.sources == 0 && has_way_out).then(|| since.unwrap_or(now));
        let without_source = since.is_some_and(|at| now.saturating_duration_since(at) >= WITHOUT_SOURCE);
        let meters = || status.meters.iter().filter(|meter| meter.has_instruments);
        let falls_behind = |meter: &MeterStatus| meter.replay_backlog > LARGE_BACKLOG;
        let found = [
            (without_source, Warning::NoSource),
            (meters().any(never_collects), Warning::MeterNeverCollects),
            (meters().any(has_stopped), Warning::MeterStopped),
            (meters().any(falls_behind), Warning::ReplayFallsBehind),
            (status.exports.iter().any(was_never_called), Warning::ExporterNeverCalled),
            (status.exports.iter().any(|export| export.lost_series > 0), Warning::SeriesLost),
        ];
        found.into_iter().filter_map(|(is_wrong, warning)| is_wrong.then_some(warning)).collect()
    }
}

fn never_collects(meter: &MeterStatus) -> bool {
    meter.collections == 0 && meter.age > 2 * USUAL_INTERVAL
}

fn has_stopped(meter: &MeterStatus) -> bool {
    let interval = meter.longest_pause.unwrap_or(USUAL_INTERVAL).max(USUAL_INTERVAL);
    meter.last_collection.is_some_and(|last| last > 2 * interval)
}

fn was_never_called(export: &OtlpStatus) -> bool {
    export.interval.is_none() && export.taken + export.failed == 0 && export.age > 2 * USUAL_INTERVAL
}

impl Warning {
    fn message(self) -> &'static str {
        match self {
            Self::NoSource => {
                "No source of worker metrics is attached: keep the Attachment that Instrumentation::attach returns."
            }
            Self::MeterNeverCollects => {
                "A meter that worker metrics are registered with has never collected them: was it taken from the global provider \
                 before that was set, or has its provider no reader?"
            }
            Self::MeterStopped => {
                "Worker metrics were not collected for two intervals: was the meter provider shut down?"
            }
            Self::ExporterNeverCalled => {
                "The exporter of worker metrics was never called: give it to a meter provider, and register the provider with \
                 Instrumentation::register. The SDK calls no exporter that has nothing to export."
            }
            Self::ReplayFallsBehind => {
                "The replay of histograms falls behind: raise the limit of Options::with_replay_limit, or leave it out."
            }
            Self::SeriesLost => {
                "The last values of sources that were detached are lost: nobody has taken them for long."
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn meter(age: Duration, collections: u64, last_collection: Option<Duration>) -> MeterStatus {
        MeterStatus {
            age,
            has_instruments: true,
            collections,
            last_collection,
            longest_pause: None,
            replay_backlog: 0,
        }
    }

    fn exporter(age: Duration) -> OtlpStatus {
        OtlpStatus {
            destination: String::new(),
            interval: None,
            age,
            taken: 0,
            failed: 0,
            last_taken: None,
            last_error: None,
            lost_series: 0,
        }
    }

    fn warnings(status: &Status) -> Vec<Warning> {
        SelfCheck::default().new_warnings(status, Instant::now())
    }

    #[test]
    fn a_way_out_without_a_source_is_reported_once_after_ten_seconds() {
        let status = Status { meters: vec![meter(SECOND, 1, Some(SECOND))], ..Status::default() };
        let (mut check, start) = (SelfCheck::default(), Instant::now());
        assert_eq!(check.new_warnings(&status, start), []);
        assert_eq!(check.new_warnings(&status, start + 9 * SECOND), []);
        assert_eq!(check.new_warnings(&status, start + 10 * SECOND), [Warning::NoSource]);
        assert_eq!(check.new_warnings(&status, start + 99 * SECOND), []);
        assert_eq!(check.new_warnings(&Status::default(), start + 100 * SECOND), []);
    }

    #[test]
    fn a_meter_that_does_not_call_back_is_reported_after_two_intervals() {
        let of = |meter| Status { sources: 1, meters: vec![meter], ..Status::default() };
        assert_eq!(warnings(&of(meter(119 * SECOND, 0, None))), []);
        assert_eq!(warnings(&of(meter(121 * SECOND, 0, None))), [Warning::MeterNeverCollects]);
        assert_eq!(warnings(&of(meter(999 * SECOND, 5, Some(119 * SECOND)))), []);
        assert_eq!(warnings(&of(meter(999 * SECOND, 5, Some(121 * SECOND)))), [Warning::MeterStopped]);
    }

    #[test]
    fn an_exporter_that_is_not_called_a_backlog_and_a_loss_are_reported() {
        let of = |export| Status { sources: 1, exports: vec![export], ..Status::default() };
        assert_eq!(warnings(&of(exporter(SECOND))), []);
        assert_eq!(warnings(&of(exporter(121 * SECOND))), [Warning::ExporterNeverCalled]);
        assert_eq!(warnings(&of(OtlpStatus { lost_series: 1, ..exporter(SECOND) })), [Warning::SeriesLost]);
        let behind = MeterStatus { replay_backlog: LARGE_BACKLOG + 1, ..meter(SECOND, 1, Some(SECOND)) };
        let status = Status { sources: 1, meters: vec![behind], ..Status::default() };
        assert_eq!(warnings(&status), [Warning::ReplayFallsBehind]);
    }
}
