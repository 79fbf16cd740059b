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
