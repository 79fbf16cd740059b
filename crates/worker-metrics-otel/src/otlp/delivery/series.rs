//! The life of one series at one destination: recorded, sent, taken.
//!
//! Pure: it knows times and flags, and neither values nor the wire. Whoever holds the values, of a
//! number or of a histogram, moves them as the outcomes here say. Nothing counts as taken before
//! the receiver has said so.

/// The state of one series.
#[derive(Clone, Copy, Debug)]
pub(super) struct Series {
    /// Time from which points count: the attachment; of deltas, the time of the last point that was
    /// taken.
    start_ns: u64,
    recorded_ns: u64,
    /// Whether a value was recorded that no receiver has taken.
    is_pending: bool,
    /// Whether a point was ever sent: only then can a receiver know the series.
    is_known: bool,
    end: End,
    sent: Option<Sent>,
}

/// Whether the series goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// It does.
    No,
    /// Nothing more is recorded: the last value is sent, and the end.
    Ended,
    /// Another series goes on under the same attributes: the last value is sent, and no end.
    Superseded,
    /// The end was taken.
    Taken,
}

/// Points that were sent, and whose outcome is not known yet.
#[derive(Clone, Copy, Debug)]
struct Sent {
    /// Index of the request.
    request: u32,
    due: Due,
    time_ns: u64,
    /// Whether a value was recorded since.
    is_outdated: bool,
}

/// The points that are due.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Due {
    #[default]
    Nothing,
    Value,
    End,
    ValueAndEnd,
}

impl Due {
    pub(super) fn has_value(self) -> bool {
        matches!(self, Self::Value | Self::ValueAndEnd)
    }

    pub(super) fn has_end(self) -> bool {
        matches!(self, Self::End | Self::ValueAndEnd)
    }

    pub(super) fn points(self) -> usize {
        usize::from(self.has_value()) + usize::from(self.has_end())
    }
}

/// What a receiver that has taken the points knows now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Taken {
    /// The value that was sent: of deltas, the next point counts from there.
    pub(super) value: bool,
    /// Everything there will ever be: the series can be forgotten.
    pub(super) everything: bool,
}

/// Time between the last value and the end: stores that keep milliseconds must not see both at one
/// time.
pub(super) const END_AFTER_NS: u64 = 1_000_000;

impl Series {
    /// A series that begins with the attachment of its source.
    pub(super) fn new(start_ns: u64) -> Self {
        Self { start_ns, recorded_ns: start_ns, is_pending: false, is_known: false, end: End::No, sent: None }
    }

    /// Lets `next` go on under the same attributes. Points of `next` count from the last value of
    /// this one if that is still to be sent or was cumulative, and else from where this one's
    /// points do.
    pub(super) fn supersede_by(&mut self, next: &mut Self, counts_from_here: bool) {
        next.start_ns = if counts_from_here { self.recorded_ns } else { self.start_ns };
        next.is_known = self.is_known;
        self.end = End::Superseded;
    }

    /// Notes that a value was recorded.
    ///
    /// A wall clock that was set back moves the start once: points never begin after they end. A
    /// series that begins at the end of another, a moment ahead, has its first points right there.
    pub(super) fn record(&mut self, time_ns: u64) {
        let is_moment_before = time_ns <= self.start_ns && self.start_ns - time_ns <= END_AFTER_NS;
        let time_ns = if is_moment_before { self.start_ns.saturating_add(1) } else { time_ns };
        self.begin_before(time_ns);
        self.recorded_ns = time_ns;
        self.is_pending = true;
        if let Some(sent) = &mut self.sent {
            sent.is_outdated = true;
        }
    }

    fn begin_before(&mut self, time_ns: u64) {
        if time_ns <= self.start_ns {
            self.start_ns = time_ns.saturating_sub(1);
        }
    }

    /// Notes that nothing more is recorded.
    pub(super) fn end(&mut self) {
        if self.end == End::No {
            self.end = End::Ended;
        }
    }

    /// The points that are due. `has_changed` says whether there is anything to tell: a delta of
    /// nothing is not sent.
    pub(super) fn due(&self, has_changed: bool) -> Due {
        let has_value = self.is_pending && has_changed;
        match (has_value, self.end) {
            (true, End::Ended) => Due::ValueAndEnd,
            (true, _) => Due::Value,
            (false, End::Ended) if self.is_known => Due::End,
            (false, _) => Due::Nothing,
        }
    }

    /// Whether the only point due is a value that counts from a start before it.
    pub(super) fn has_value_alone(&self) -> bool {
        self.is_pending && self.end == End::No && self.start_ns > 0 && self.start_ns < self.recorded_ns
    }

    /// Start and time of the value.
    pub(super) fn interval_ns(&self) -> (u64, u64) {
        (self.start_ns, self.recorded_ns)
    }

    /// Time of the end: right after the last value. A source that is attached again begins after
    /// it, however late the end is delivered.
    pub(super) fn end_ns(&self) -> u64 {
        self.recorded_ns.saturating_add(END_AFTER_NS)
    }

    /// Notes that what is due was put into a request.
    pub(super) fn sent(&mut self, request: usize, due: Due) {
        self.is_known = true;
        let request = u32::try_from(request).unwrap_or(u32::MAX);
        self.sent = Some(Sent { request, due, time_ns: self.recorded_ns, is_outdated: false });
    }

    /// Whether points of this series travel in the request, and nobody knows yet what became of
    /// them.
    pub(super) fn is_in(&self, request: usize) -> bool {
        self.sent.is_some_and(|sent| sent.request as usize == request)
    }

    /// Notes that what was sent was not taken, as far as anybody knows: it is due again.
    pub(super) fn failed(&mut self) {
        self.sent = None;
    }

    /// Notes that what was sent was taken. `is_delta` says whether the next point counts from
    /// there.
    pub(super) fn taken(&mut self, is_delta: bool) -> Taken {
        let Some(sent) = self.sent.take() else { return Taken { value: false, everything: false } };
        if sent.due.has_value() {
            self.is_pending = sent.is_outdated;
            if is_delta {
                self.start_ns = sent.time_ns;
            }
            // What was recorded meanwhile, by a clock that was set back meanwhile.
            if self.is_pending {
                self.begin_before(self.recorded_ns);
            }
        }
        if sent.due.has_end() {
            self.end = End::Taken;
        }
        let is_over = match self.end {
            End::No | End::Ended => false,
            End::Superseded => !self.is_pending,
            End::Taken => true,
        };
        Taken { value: sent.due.has_value(), everything: is_over }
    }

    /// Whether there is nothing left to send, now or later, where [`due`](Self::due) is `due`.
    pub(super) fn is_through(&self, due: Due) -> bool {
        let has_ended = match self.end {
            End::No => false,
            End::Ended => !self.is_known,
            End::Superseded | End::Taken => true,
        };
        has_ended && due == Due::Nothing && self.sent.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A series that has sent one value, which was taken.
    fn known(is_delta: bool) -> Series {
        let mut series = Series::new(100);
        series.record(200);
        series.sent(0, series.due(true));
        assert_eq!(series.taken(is_delta), Taken { value: true, everything: false });
        series
    }

    #[test]
    fn what_was_not_taken_is_due_again() {
        let mut series = Series::new(100);
        series.record(200);
        for _ in 0..3 {
            assert_eq!(series.due(true), Due::Value);
            series.sent(0, Due::Value);
            series.failed();
        }
        series.sent(1, Due::Value);
        assert!(series.is_in(1) && !series.is_in(0));
        series.taken(true);
        assert_eq!(series.due(true), Due::Nothing);
    }

    #[test]
    fn a_delta_counts_from_the_last_value_that_was_taken_and_a_total_from_the_attachment() {
        for (is_delta, start_ns) in [(true, 200), (false, 100)] {
            let mut series = known(is_delta);
            series.record(300);
            assert_eq!(series.interval_ns(), (start_ns, 300));
        }
    }

    #[test]
    fn what_is_recorded_while_a_request_travels_is_due_after_it() {
        let mut series = Series::new(100);
        series.record(200);
        series.sent(0, Due::Value);
        series.record(300);
        series.end();
        assert_eq!(series.taken(true), Taken { value: true, everything: false });
        assert_eq!(series.due(true), Due::ValueAndEnd);
        assert_eq!(series.interval_ns(), (200, 300));
    }

    #[test]
    fn the_last_value_and_the_end_are_due_together_and_then_nothing() {
        let mut series = known(true);
        series.record(300);
        series.end();
        assert_eq!(series.due(true), Due::ValueAndEnd);
        assert!(series.end_ns() == 300 + END_AFTER_NS);
        series.sent(0, Due::ValueAndEnd);
        assert_eq!(series.taken(true), Taken { value: true, everything: true });
        assert_eq!(series.due(false), Due::Nothing);
        assert!(series.is_through(Due::Nothing));
    }

    #[test]
    fn a_series_that_no_receiver_can_know_has_no_end() {
        let mut series = Series::new(100);
        series.record(200);
        series.end();
        assert_eq!(series.due(false), Due::Nothing);
        assert!(series.is_through(Due::Nothing));
        let mut known = known(true);
        known.end();
        assert_eq!(known.due(false), Due::End);
        assert!(!known.is_through(Due::End));
    }

    #[test]
    fn a_clock_that_is_set_back_moves_the_start_once() {
        let hour_ns = 3_600_000_000_000;
        let mut series = Series::new(hour_ns);
        series.record(50);
        assert_eq!(series.interval_ns(), (49, 50));
        series.record(60);
        assert_eq!(series.interval_ns(), (49, 60));
    }

    #[test]
    fn a_series_that_begins_a_moment_ahead_has_no_point_before() {
        let mut series = Series::new(100);
        series.record(99);
        assert_eq!(series.interval_ns(), (100, 101));
        series.sent(0, Due::Value);
        series.taken(true);
        series.record(99);
        assert_eq!(series.interval_ns(), (101, 102));
        series.record(300);
        assert_eq!(series.interval_ns(), (101, 300));
    }

    #[test]
    fn a_superseded_series_sends_its_last_value_and_no_end() {
        let mut series = known(true);
        series.record(300);
        let mut next = Series::new(100);
        series.supersede_by(&mut next, true);
        next.record(400);
        assert_eq!(next.interval_ns(), (300, 400));
        assert_eq!(series.due(true), Due::Value);
        series.sent(0, Due::Value);
        assert!(series.taken(true).everything);
    }
}
