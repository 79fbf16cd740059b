//! `/proc/self/task/TID/status`: how often a thread was switched. Read by an activity, and by every
//! look where the kernel has no count in `schedstat`.

use super::decimal;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Switches {
    pub(crate) voluntary: u64,
    pub(crate) involuntary: u64,
}

/// Room for the file on a machine of 8192 processors, whose masks fill most of it.
pub(crate) const LONGEST: usize = 8192;

/// The two lines at the end. A file that is cut off lacks one, or its end of line.
pub(crate) fn parse(text: &[u8]) -> Option<Switches> {
    let text = text.strip_suffix(b"\n")?;
    let find = |name: &[u8]| {
        let mut lines = text.rsplit(|&byte| byte == b'\n');
        decimal(lines.find_map(|line| line.strip_prefix(name))?.trim_ascii())
    };
    Some(Switches {
        voluntary: find(b"voluntary_ctxt_switches:")?,
        involuntary: find(b"nonvoluntary_ctxt_switches:")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &[u8] = b"Name:\tvoluntary_ctxt_switches:\nState:\tS (sleeping)\nSigQ:\t0/15553\n\
        Cpus_allowed_list:\t0-1\nvoluntary_ctxt_switches:\t150\nnonvoluntary_ctxt_switches:\t545\n";

    #[test]
    fn both_kinds_of_switches_are_found() {
        assert_eq!(parse(TEXT), Some(Switches { voluntary: 150, involuntary: 545 }));
    }

    #[test]
    fn a_text_that_is_cut_off_is_none() {
        for length in 0..TEXT.len() {
            assert_eq!(parse(&TEXT[..length]), None, "{length} bytes");
        }
    }
}
