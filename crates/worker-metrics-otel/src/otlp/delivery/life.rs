//! The life of one series at one destination: recorded, sent, taken.
//!
//! Pure: it knows times and flags, and neither values nor the wire. Whoever holds the values, of a
//! number or of a histogram, moves them as the outcomes here say. Nothing counts as taken before
//! the receiver has said so.

/// The state of one series.
#[derive(Clone, Copy, Debug)]
pub(super) struct Life {
    /// Time from which points count: the attachment; of deltas, the time of the last point that was
    /// taken.
    start_ns: u64,
    recorded_ns: u64,
    /// Whether a value was recorded that no receiver has taken.
    is_pending: bool,
    /// Whether a point was ever sent: only then can a receiver know the series.
    is_known: bool,
    end: End,
    due: Due,
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
    request: usize,
    due: Due,
    time_ns: u64,
    /// Whether a value was recorded since.
    is_outdated: bool,
}

/// The points that are due.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) value: bool,
    pub(super) end: bool,
}

impl Due {
    pub(super) fn points(self) -> usize {
        usize::from(self.value) + usize::from(self.end)
    }
}

/// Time between the last value and the end: stores that keep milliseconds must not see both at one
/// time.
pub(super) const END_AFTER_NS: u64 = 1_000_000;

impl Life {
    /// A series that begins with the attachment of its source.
    pub(super) fn new(start_ns: u64) -> Self {
        let (recorded_ns, due) = (start_ns, Due::default());
        Self { start_ns, recorded_ns, is_pending: false, is_known: false, end: End::No, due, sent: None }
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

    /// Whether a value was recorded that no receiver has taken.
    pub(super) fn is_pending(&self) -> bool {
        self.is_pending
    }

    /// Settles which points are due. Whatever was sent before and has no outcome has failed.
    ///
    /// `has_changed` says whether there is anything to tell: a delta of nothing is not sent.
    /// `has_ended` says that nothing more is recorded.
    pub(super) fn decide(&mut self, has_changed: bool, has_ended: bool) -> Due {
        self.sent = None;
        if has_ended && self.end == End::No {
            self.end = End::Ended;
        }
        let value = self.is_pending && has_changed;
        self.due = Due { value, end: self.end == End::Ended && (value || self.is_known) };
        self.due
    }

    /// The points that are due.
    pub(super) fn due(&self) -> Due {
        self.due
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
    pub(super) fn sent(&mut self, request: usize) {
        self.is_known = true;
        self.sent = Some(Sent { request, due: self.due, time_ns: self.recorded_ns, is_outdated: false });
    }

    /// Notes what became of a request, if points of this series travel in it: what was not taken is
    /// due again. `is_delta` says whether the next point counts from one that was taken. Returns
    /// whether a value was taken.
    pub(super) fn settle(&mut self, request: usize, is_taken: bool, is_delta: bool) -> bool {
        let Some(sent) = self.sent.take_if(|sent| sent.request == request).filter(|_| is_taken) else {
            return false;
        };
        if sent.due.value {
            self.is_pending = sent.is_outdated;
            if is_delta {
                self.start_ns = sent.time_ns;
            }
            // What was recorded meanwhile, by a clock that was set back meanwhile.
            if self.is_pending {
                self.begin_before(self.recorded_ns);
            }
        }
        if sent.due.end {
            self.end = End::Taken;
        }
        if self.end == End::Taken || self.end == End::Superseded && !self.is_pending {
            self.due = Due::default();
        }
        sent.due.value
    }

    /// Whether there is nothing left to send, now or later.
    pub(super) fn is_through(&self) -> bool {
        let has_ended = match self.end {
            End::No => false,
            End::Ended => !self.is_known,
            End::Superseded | End::Taken => true,
        };
        has_ended && self.due == Due::default() && self.sent.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: Due = Due { value: false, end: false };
    const VALUE: Due = Due { value: true, end: false };
    const VALUE_AND_END: Due = Due { value: true, end: true };

    /// A series that has sent one value, which was taken.
    fn known(is_delta: bool) -> Life {
        let mut life = Life::new(100);
        life.record(200);
        assert_eq!(life.decide(true, false), VALUE);
        life.sent(0);
        assert!(life.settle(0, true, is_delta) && !life.is_through());
        life
    }

    #[test]
    fn what_was_not_taken_is_due_again() {
        let mut life = Life::new(100);
        life.record(200);
        for is_settled in [true, false, true] {
            assert_eq!(life.decide(true, false), VALUE);
            life.sent(0);
            assert!(!is_settled || !life.settle(0, false, true));
        }
        life.decide(true, false);
        life.sent(1);
        assert!(!life.settle(0, true, true) && life.settle(1, true, true));
        assert_eq!(life.decide(true, false), NOTHING);
    }

    #[test]
    fn a_delta_counts_from_the_last_value_that_was_taken_and_a_total_from_the_attachment() {
        for (is_delta, start_ns) in [(true, 200), (false, 100)] {
            let mut life = known(is_delta);
            life.record(300);
            assert_eq!(life.interval_ns(), (start_ns, 300));
        }
    }

    #[test]
    fn what_is_recorded_while_a_request_travels_is_due_after_it() {
        let mut life = Life::new(100);
        life.record(200);
        life.decide(true, false);
        life.sent(0);
        life.record(300);
        assert!(life.settle(0, true, true) && !life.is_through());
        assert_eq!(life.decide(true, true), VALUE_AND_END);
        assert_eq!(life.interval_ns(), (200, 300));
    }

    #[test]
    fn the_last_value_and_the_end_are_due_together_and_then_nothing() {
        let mut life = known(true);
        life.record(300);
        assert_eq!(life.decide(true, true), VALUE_AND_END);
        assert!(life.end_ns() == 300 + END_AFTER_NS);
        life.sent(0);
        assert!(!life.is_through());
        assert!(life.settle(0, true, true) && life.is_through());
        assert_eq!(life.decide(false, true), NOTHING);
        assert!(life.is_through());
    }

    #[test]
    fn a_series_that_no_receiver_can_know_has_no_end() {
        let mut life = Life::new(100);
        life.record(200);
        assert_eq!(life.decide(false, true), NOTHING);
        assert!(life.is_through());
        let mut known = known(true);
        assert_eq!(known.decide(false, true), Due { value: false, end: true });
        assert!(!known.is_through());
    }

    #[test]
    fn a_clock_that_is_set_back_moves_the_start_once() {
        let hour_ns = 3_600_000_000_000;
        let mut life = Life::new(hour_ns);
        life.record(50);
        assert_eq!(life.interval_ns(), (49, 50));
        life.record(60);
        assert_eq!(life.interval_ns(), (49, 60));
    }

    #[test]
    fn a_series_that_begins_a_moment_ahead_has_no_point_before() {
        let mut life = Life::new(100);
        life.record(99);
        assert_eq!(life.interval_ns(), (100, 101));
        life.decide(true, false);
        life.sent(0);
        life.settle(0, true, true);
        life.record(99);
        assert_eq!(life.interval_ns(), (101, 102));
        life.record(300);
        assert_eq!(life.interval_ns(), (101, 300));
    }

    #[test]
    fn a_superseded_series_sends_its_last_value_and_no_end() {
        let mut life = known(true);
        life.record(300);
        let mut next = Life::new(100);
        life.supersede_by(&mut next, true);
        next.record(400);
        assert_eq!(next.interval_ns(), (300, 400));
        assert_eq!(life.decide(true, true), VALUE);
        life.sent(0);
        assert!(life.settle(0, true, true) && life.is_through());
    }
}
