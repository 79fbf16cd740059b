//! `/proc/self/task/TID/syscall`: the system call that a thread is blocked in. Read by every look.

use super::{decimal, hexadecimal};
use crate::{Call, CallLine};

/// What the file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    Of(Call),
    /// The thread has given its stack back: it has ended, and its parent has not taken note yet.
    Ended,
}

/// Longest line that there is: a number of 20 digits, 6 arguments, 2 addresses.
pub(crate) const LONGEST: usize = 20 + 8 * " 0x0123456789abcdef".len() + 1;

/// `running`, `NUMBER 6 × ARGUMENT SP PC`, or outside of a system call `-1 SP PC`.
pub(crate) fn parse(text: &[u8]) -> Option<Line> {
    let text = text.strip_suffix(b"\n")?;
    if text == b"running" {
        return Some(Line::Of(Call::Running));
    }
    let mut fields = text.split(|&byte| byte == b' ');
    let number = match fields.next()? {
        b"-1" => -1,
        number => i64::try_from(decimal(number)?).ok()?,
    };
    let mut hex = || hexadecimal(fields.next()?.strip_prefix(b"0x")?);
    let mut arguments = [0; 6];
    if number >= 0 {
        for argument in &mut arguments {
            *argument = hex()?;
        }
    }
    let (stack_pointer, program_counter) = (hex()?, hex()?);
    if fields.next().is_some() {
        return None;
    }
    if stack_pointer == 0 && program_counter == 0 {
        // The kernel's own threads have no place in the program, and the call of who started them.
        return Some(if number == -1 { Line::Ended } else { Line::Of(Call::Kernel) });
    }
    Some(Line::Of(Call::In(CallLine { number, arguments, stack_pointer, program_counter })))
}

#[cfg(test)]
mod tests {
    use super::*;

    // Recorded on Linux 6.18, x86_64.
    const SLEEP: &[u8] = b"230 0x0 0x0 0x7ffdbbaf2230 0x7ffdbbaf2230 0x0 0x0 0x7ffdbbaf21e8 0x7f73fd9c42ad\n";

    #[test]
    fn a_call_has_its_number_its_arguments_and_two_addresses() {
        let expected = CallLine {
            number: 230,
            arguments: [0, 0, 0x7ffd_bbaf_2230, 0x7ffd_bbaf_2230, 0, 0],
            stack_pointer: 0x7ffd_bbaf_21e8,
            program_counter: 0x7f73_fd9c_42ad,
        };
        assert_eq!(parse(SLEEP), Some(Line::Of(Call::In(expected))));
    }

    #[test]
    fn a_running_thread_is_in_no_call() {
        assert_eq!(parse(b"running\n"), Some(Line::Of(Call::Running)));
    }

    #[test]
    fn a_page_fault_has_no_arguments() {
        let expected = CallLine {
            number: -1,
            arguments: [0; 6],
            stack_pointer: 0x7ffd_0010,
            program_counter: 0x5555_1234,
        };
        assert_eq!(parse(b"-1 0x7ffd0010 0x55551234\n"), Some(Line::Of(Call::In(expected))));
    }

    #[test]
    fn a_thread_without_a_stack_has_ended() {
        assert_eq!(parse(b"-1 0x0 0x0\n"), Some(Line::Ended));
    }

    #[test]
    fn a_thread_of_io_uring_is_not_in_the_call_that_started_it() {
        // Recorded: `iou-sqp`, started by io_uring_setup.
        let line = b"425 0x8 0x7f93becc25b0 0x561f40a72130 0x7f93becfebb0 0x561f40a72be0 0x6 0x0 0x0\n";
        assert_eq!(parse(line), Some(Line::Of(Call::Kernel)));
    }

    #[test]
    fn the_longest_line_fits() {
        let line = format!("{}{}\n", i64::MAX, " 0xffffffffffffffff".repeat(8));
        assert!(line.len() <= LONGEST, "{} > {LONGEST}", line.len());
        assert!(parse(line.as_bytes()).is_some());
    }

    #[test]
    fn a_line_that_is_cut_off_is_no_line() {
        for length in 0..SLEEP.len() {
            assert_eq!(parse(&SLEEP[..length]), None, "{length} bytes");
        }
    }

    #[test]
    fn garbage_is_no_line() {
        for text in [
            &b""[..],
            b"\n",
            b"running",
            b"running \n",
            b"walking\n",
            b"-2 0x1 0x2\n",
            b"-1 0x1\n",
            b"-1 0x1 0x2 0x3\n",
            b"7 0x1 0x2\n",
            b"+7 0x1 0x1 0x1 0x1 0x1 0x1 0x1 0x1\n",
            b"7 1 0x1 0x1 0x1 0x1 0x1 0x1 0x1\n",
            b"7 0x 0x1 0x1 0x1 0x1 0x1 0x1 0x1\n",
            b"7 0x+1 0x1 0x1 0x1 0x1 0x1 0x1 0x1\n",
            b"7  0x1 0x1 0x1 0x1 0x1 0x1 0x1 0x1\n",
            b"7 0x10000000000000000 0x1 0x1 0x1 0x1 0x1 0x1 0x1\n",
            b"99999999999999999999 0x1 0x1 0x1 0x1 0x1 0x1 0x1 0x1\n",
            b"\xff\xfe\n",
        ] {
            assert_eq!(parse(text), None, "{}", String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn no_byte_makes_it_panic() {
        let mut text = SLEEP.to_vec();
        for place in 0..text.len() {
            for byte in 0..=u8::MAX {
                let before = std::mem::replace(&mut text[place], byte);
                let _ = parse(&text);
                text[place] = before;
            }
        }
    }
}
