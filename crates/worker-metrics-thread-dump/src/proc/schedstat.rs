//! `/proc/self/task/TID/schedstat`: the times of a thread to the nanosecond. Read by every look,
//! where the kernel counts them.

use std::time::Duration;

use super::decimal;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Schedstat {
    pub(crate) cpu_time: Duration,
    pub(crate) run_delay: Duration,
    pub(crate) time_slices: u64,
}

/// Longest line that there is: three numbers of 20 digits.
pub(crate) const LONGEST: usize = 3 * 21;

pub(crate) fn parse(text: &[u8]) -> Option<Schedstat> {
    let mut fields = text.strip_suffix(b"\n")?.split(|&byte| byte == b' ');
    let mut number = || decimal(fields.next()?);
    let schedstat = Schedstat {
        cpu_time: Duration::from_nanos(number()?),
        run_delay: Duration::from_nanos(number()?),
        time_slices: number()?,
    };
    fields.next().is_none().then_some(schedstat)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_numbers_are_cpu_time_run_delay_and_time_slices() {
        let expected = Schedstat {
            cpu_time: Duration::from_nanos(1_234_567),
            run_delay: Duration::from_nanos(41_032),
            time_slices: 17,
        };
        assert_eq!(parse(b"1234567 41032 17\n"), Some(expected));
    }

    #[test]
    fn the_longest_line_fits() {
        let line = format!("{0} {0} {0}\n", u64::MAX);
        assert!(line.len() <= LONGEST);
        assert!(parse(line.as_bytes()).is_some());
    }

    #[test]
    fn garbage_is_no_line() {
        for text in
            [&b""[..], b"\n", b"1 2 3", b"1 2\n", b"1 2 3 4\n", b"1 -2 3\n", b"1 2 99999999999999999999\n"]
        {
            assert_eq!(parse(text), None, "{}", String::from_utf8_lossy(text));
        }
    }
}
