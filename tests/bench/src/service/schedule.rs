//! When the next pair of slices begins, and which of the two comes first.
//!
//! Exports come by their own clock: the schedule makes room for them, it never triggers one.

use std::time::Duration;

/// How long work is counted at once: neighbours see the same machine.
pub(super) const SLICE: Duration = Duration::from_millis(20);
/// Before each slice, for attaching and detaching; not counted.
pub(super) const GAP: Duration = Duration::from_millis(1);

/// An export begins so long after its slice, or up to [`LATE`] earlier.
const MARGIN: Duration = Duration::from_millis(8);
/// Where processors are busy, timers are late.
const LATE: Duration = Duration::from_millis(7);

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Turn {
    Pair {
        attached_first: bool,
        has_export: bool,
    },
    /// Nothing for this time: an export is due.
    Pause(Duration),
}

/// Turns the order round with each pair, those with an export apart.
#[derive(Debug)]
pub(super) struct Schedule {
    bare_first: [bool; 2],
    /// A pair without an export ends so long before the next one is due.
    room: Duration,
}

impl Schedule {
    pub(super) fn new(interval: Duration) -> Self {
        let room = (interval / 20).clamp(Duration::from_millis(15), Duration::from_millis(150));
        Self { bare_first: [false; 2], room }
    }

    pub(super) fn next(&mut self, until_due: Duration) -> Turn {
        let slice = GAP + SLICE;
        let has_export = until_due < 2 * slice + self.room;
        let bare_first = &mut self.bare_first[usize::from(has_export)];
        if has_export {
            let (first, second) = (GAP + MARGIN, slice + GAP + MARGIN);
            // Too late for one order is early enough for the other.
            *bare_first &= until_due >= second - LATE;
            let before = if *bare_first { second } else { first };
            if until_due > before {
                return Turn::Pause(until_due - before);
            }
            if until_due < before - LATE {
                return Turn::Pause(until_due + SLICE);
            }
        }
        let attached_first = !*bare_first;
        *bare_first = attached_first;
        Turn::Pair { attached_first, has_export }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn pair(attached_first: bool, has_export: bool) -> Turn {
        Turn::Pair { attached_first, has_export }
    }

    #[test]
    fn the_order_turns_round_with_each_pair() {
        let mut schedule = Schedule::new(ms(1_000));
        let turns = [(); 3].map(|()| schedule.next(ms(500)));
        assert_eq!(turns, [pair(true, false), pair(false, false), pair(true, false)]);
    }

    #[test]
    fn an_export_falls_into_the_attached_slice_whichever_comes_first() {
        let mut schedule = Schedule::new(ms(100));
        assert_eq!(schedule.next(ms(40)), Turn::Pause(ms(31)));
        assert_eq!(schedule.next(ms(9)), pair(true, true));
        assert_eq!(schedule.next(ms(40)), Turn::Pause(ms(10)));
        assert_eq!(schedule.next(ms(30)), pair(false, true));
    }

    #[test]
    fn a_pair_without_an_export_is_over_before_the_next_one() {
        let mut schedule = Schedule::new(ms(100));
        assert_eq!(schedule.next(ms(57)), pair(true, false));
        assert_eq!(schedule.next(ms(56)), Turn::Pause(ms(47)));
    }

    #[test]
    fn what_is_too_late_for_one_order_gets_the_other_or_a_pause() {
        let mut schedule = Schedule { bare_first: [false, true], room: ms(15) };
        assert_eq!(schedule.next(ms(23)), pair(false, true));
        schedule.bare_first[1] = true;
        assert_eq!(schedule.next(ms(22)), Turn::Pause(ms(13)));
        assert_eq!(schedule.next(ms(2)), pair(true, true));
        assert_eq!(schedule.next(ms(1)), Turn::Pause(ms(21)));
    }
}
