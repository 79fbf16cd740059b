//! When the next pair of slices begins, and which of the two comes first.
//!
//! Exports come by their own clock: the schedule makes room for them, it never triggers one.

use std::time::Duration;

/// How long work is counted at once: neighbours see the same machine.
pub(super) const SLICE: Duration = Duration::from_millis(20);
/// Before each slice, for attaching and detaching; not counted.
pub(super) const GAP: Duration = Duration::from_millis(1);

/// An export begins so long after its slice.
const MARGIN: Duration = Duration::from_millis(5);
/// A pair without an export ends so long before the next one is due: where processors are busy, timers are late.
const ROOM: Duration = Duration::from_millis(15);

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Turn {
    /// A pair of slices after this time.
    Pair { wait: Duration, attached_first: bool, has_export: bool },
    /// Nothing for this time: an export is due too soon to make room for it.
    Pause(Duration),
}

/// Turns the order round with each pair, those with an export apart.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    bare_first: [bool; 2],
}

impl Schedule {
    pub(super) fn next(&mut self, until_due: Duration) -> Turn {
        let slice = GAP + SLICE;
        let has_export = until_due < 2 * slice + ROOM;
        let bare_first = self.bare_first[usize::from(has_export)];
        let (first, second) = (GAP + MARGIN, slice + GAP + MARGIN);
        let (attached_first, before) = match bare_first && (second <= until_due || !has_export) {
            true => (false, second),
            false => (true, first),
        };
        if !has_export {
            self.bare_first[0] ^= true;
            return Turn::Pair { wait: Duration::ZERO, attached_first, has_export };
        }
        match until_due.checked_sub(before) {
            Some(wait) => {
                self.bare_first[1] = attached_first;
                Turn::Pair { wait, attached_first, has_export }
            }
            None => Turn::Pause(until_due + SLICE),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(1);

    fn pair(wait_ms: u64, attached_first: bool, has_export: bool) -> Turn {
        Turn::Pair { wait: Duration::from_millis(wait_ms), attached_first, has_export }
    }

    #[test]
    fn the_order_turns_round_with_each_pair() {
        let mut schedule = Schedule::default();
        let turns = [(); 3].map(|()| schedule.next(LONG));
        assert_eq!(turns, [pair(0, true, false), pair(0, false, false), pair(0, true, false)]);
    }

    #[test]
    fn an_export_falls_into_the_attached_slice_whichever_comes_first() {
        let mut schedule = Schedule::default();
        let soon = Duration::from_millis(40);
        assert_eq!(schedule.next(soon), pair(34, true, true));
        assert_eq!(schedule.next(soon), pair(13, false, true));
        assert_eq!(schedule.next(soon), pair(34, true, true));
    }

    #[test]
    fn a_pair_without_an_export_is_over_before_the_next_one() {
        let mut schedule = Schedule::default();
        assert_eq!(schedule.next(Duration::from_millis(57)), pair(0, true, false));
        assert_eq!(schedule.next(Duration::from_millis(56)), pair(50, true, true));
    }

    #[test]
    fn what_is_due_too_soon_for_one_order_gets_the_other_or_a_pause() {
        let mut schedule = Schedule { bare_first: [false, true] };
        assert_eq!(schedule.next(Duration::from_millis(6)), pair(0, true, true));
        assert_eq!(schedule.next(Duration::from_millis(2)), Turn::Pause(Duration::from_millis(22)));
    }
}
