//! A stack with runs of runtime frames folded: what a person reads.

use std::fmt;

use super::frame::{Frame, Origin};
use super::named::{Stack, write_end};

/// A stack whose frames of Tokio, the standard library and the system are folded.
///
/// Of the innermost run the frame that the program called stays: `std::thread::sleep`. Its
/// [`Display`](fmt::Display) has a line for each [`Fold`].
#[derive(Clone, Debug)]
pub struct Folded<'s> {
    stack: &'s Stack,
    folds: Vec<Fold<'s>>,
}

/// A frame, or a run of frames that are not the program's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fold<'s> {
    /// A frame by itself.
    Frame(&'s Frame),
    /// At least two frames of a runtime, innermost first.
    Runtime(&'s [Frame]),
}

impl<'s> Folded<'s> {
    pub(super) fn new(stack: &'s Stack) -> Self {
        let mut folds = Vec::new();
        let mut rest = &*stack.frames;
        while let Some(first) = rest.first() {
            let length = rest.iter().take_while(|frame| frame.is_runtime()).count();
            let is_innermost = rest.len() == stack.frames.len();
            if length == 0 {
                folds.push(Fold::Frame(first));
                rest = &rest[1..];
                continue;
            }
            let (run, after) = rest.split_at(length);
            rest = after;
            // What the program has called says what it does. Of a stack that is all runtime, as
            // that of an idle worker, there is no such frame.
            let (run, called) = match run {
                [run @ .., called] if is_innermost && !after.is_empty() => (run, Some(called)),
                run => (run, None),
            };
            match run {
                [] => {}
                [only] => folds.push(Fold::Frame(only)),
                run => folds.push(Fold::Runtime(run)),
            }
            folds.extend(called.map(Fold::Frame));
        }
        Self { stack, folds }
    }

    /// The folds, innermost first.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Fold<'s>> + '_ {
        self.folds.iter().copied()
    }
}

impl fmt::Display for Fold<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Frame(frame) => frame.fmt(f),
            Self::Runtime(frames) => {
                write!(f, "… {} frames of ", frames.len())?;
                let names = [(Origin::Tokio, "tokio"), (Origin::Std, "std"), (Origin::System, "the system")];
                let has = |origin| frames.iter().any(|frame| frame.origin() == origin);
                let mut names =
                    names.iter().filter(|(origin, _)| has(*origin)).map(|(_, name)| name).peekable();
                let mut first = true;
                while let Some(name) = names.next() {
                    let separator = match (first, names.peek()) {
                        (true, _) => "",
                        (false, Some(_)) => ", ",
                        (false, None) => " and ",
                    };
                    write!(f, "{separator}{name}")?;
                    first = false;
                }
                Ok(())
            }
        }
    }
}

impl fmt::Display for Folded<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for fold in &self.folds {
            writeln!(f, "{fold}")?;
        }
        write_end(self.stack, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stack::cut::Cut;

    fn stack(functions: &[&str]) -> Stack {
        let frame = |(index, function): (usize, &&str)| Frame {
            address: 0x1000 + index as u64,
            function: Some((*function).into()),
            file: None,
            line: None,
            module: Some("/srv/app".into()),
            offset: Some(index as u64),
            build_id: None,
            inlined: false,
        };
        let frames = functions.iter().enumerate().map(frame).collect();
        Stack { frames, complete: true, cut: None }
    }

    #[test]
    fn runs_of_a_runtime_are_folded_but_for_what_the_program_called() {
        let blocked = stack(&[
            "__clock_nanosleep",
            "std::sys::sleep",
            "std::thread::sleep",
            "app::price",
            "core::ops::FnOnce::call_once",
            "app::checkout::{async_fn#0}",
            "tokio::runtime::task::poll",
            "std::panic::catch_unwind",
            "tokio::runtime::run",
            "__clone3",
        ]);
        let lines = "\
… 2 frames of std and the system
std::thread::sleep
app::price
core::ops::FnOnce::call_once
async fn app::checkout
… 4 frames of tokio, std and the system
";
        assert_eq!(blocked.folded().to_string(), lines);
        assert_eq!(blocked.folded().iter().len(), 6);

        let cut = Stack { complete: false, cut: Some(Cut::NoUnwindTable), ..blocked };
        let end = "… and callers unknown: the function has no entry in an unwind table\n";
        assert_eq!(cut.folded().to_string(), format!("{lines}{end}"));
        assert!(cut.to_string().ends_with(end));
    }

    #[test]
    fn a_stack_that_is_all_runtime_is_one_line() {
        let idle = stack(&["__epoll_wait", "mio::poll::Poll::poll", "tokio::runtime::park"]);
        assert_eq!(idle.folded().to_string(), "… 3 frames of tokio and the system\n");
        assert_eq!(idle.topmost().count(), 0);
        assert_eq!(stack(&[]).folded().to_string(), "");
    }

    #[test]
    fn a_fingerprint_is_that_of_the_programs_own_frames() {
        let one = stack(&["std::thread::sleep", "app::price", "tokio::poll"]);
        let other = stack(&["std::sync::Mutex::lock", "app::price", "std::poll"]);
        assert_eq!(one.fingerprint(), other.fingerprint());
        assert_ne!(one.fingerprint(), stack(&["std::thread::sleep", "app::cost"]).fingerprint());
        assert_eq!(one.topmost().map(|frame| frame.offset).collect::<Vec<_>>(), [Some(1)]);
    }
}
