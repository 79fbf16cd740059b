//! `/proc/self/task/TID/stat`: the state of a thread, and its times in ticks. Read by an activity,
//! and by every look where the kernel has no times in `schedstat`.

use std::time::Duration;

use super::decimal;
use crate::RunState;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stat {
    pub(crate) state: RunState,
    /// In steps of a tick.
    pub(crate) cpu_time: Duration,
}

/// More than a line ever has: 52 numbers of at most 20 digits, and a name.
pub(crate) const LONGEST: usize = 52 * 21 + 64;

/// `USER_HZ`, the unit of the times in this file: 100 on every architecture that Rust has.
const TICK: Duration = Duration::from_millis(10);

/// `TID (NAME) STATE …`; the name may hold anything, so that only the last parenthesis ends it.
pub(crate) fn parse(text: &[u8]) -> Option<Stat> {
    let end = text.iter().rposition(|&byte| byte == b')')?;
    let mut fields = text[end + 1..].strip_prefix(b" ")?.strip_suffix(b"\n")?.split(|&byte| byte == b' ');
    let &[letter] = fields.next()? else { return None };
    // The 14th and the 15th of the file: the state is the 3rd.
    let user = decimal(fields.nth(10)?)?;
    let system = decimal(fields.next()?)?;
    let ticks = u32::try_from(user.checked_add(system)?).ok()?;
    Some(Stat { state: RunState::from_letter(letter), cpu_time: TICK.checked_mul(ticks)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &[u8] = b"1234 (tokio-rt-worker) S 1 1 0 0 -1 4194368 10 0 0 0 321 45 0 0 20 0 3 0 100 1 2\n";

    #[test]
    fn a_line_has_the_state_and_the_ticks() {
        let expected = Stat { state: RunState::Sleeping, cpu_time: Duration::from_millis(3660) };
        assert_eq!(parse(LINE), Some(expected));
    }

    #[test]
    fn a_name_may_hold_parentheses_and_spaces() {
        let line = b"1 (a) R (b) c)) D 1 1 0 0 -1 0 0 0 0 0 1 0 0\n";
        assert_eq!(parse(line).map(|stat| stat.state), Some(RunState::DiskSleep));
    }

    #[test]
    fn a_line_that_is_cut_off_is_no_line() {
        for length in 0..LINE.len() {
            assert_eq!(parse(&LINE[..length]), None, "{length} bytes");
        }
    }

    #[test]
    fn a_letter_that_is_new_is_kept() {
        let line = b"1 (a) ? 1 1 0 0 -1 0 0 0 0 0 1 0 0\n";
        assert_eq!(parse(line).map(|stat| stat.state), Some(RunState::Other('?')));
    }
}
