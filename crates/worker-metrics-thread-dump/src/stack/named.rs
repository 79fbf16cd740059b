//! The stack of a thread with its names, and what is to be read of it.

use std::fmt;
use std::hash::{Hash, Hasher};

use super::cut::Cut;
use super::folded::Folded;
use super::frame::Frame;
use super::walk::RawFrame;

/// The stack of a thread by its addresses.
///
/// Small and cheap: keep it until it is sure that its names are wanted.
#[derive(Clone, Debug)]
pub struct RawStack {
    pub(super) frames: Vec<RawFrame>,
    pub(super) cut: Option<Cut>,
}

/// The stack of a thread of this process: the functions that it was in, innermost first.
///
/// Each frame is right. If `complete` is false the callers of the last one are not known.
///
/// Its [`Display`](fmt::Display) has a frame in each line.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Stack {
    /// The frames, innermost first; inlined functions have their own.
    pub frames: Vec<Frame>,
    /// Whether the last frame is the first function of the thread.
    pub complete: bool,
    /// Why the callers of the last frame are not known.
    pub cut: Option<Cut>,
}

impl RawStack {
    /// Return addresses, innermost first. The first is the address that the thread goes on at.
    pub fn addresses(&self) -> impl ExactSizeIterator<Item = u64> {
        self.frames.iter().map(|frame| frame.address)
    }

    /// Whether the last address is in the first function of the thread.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.cut.is_none()
    }

    /// Why the callers of the last function are not known.
    #[must_use]
    pub fn cut(&self) -> Option<Cut> {
        self.cut
    }
}

impl Stack {
    /// The stack with runs of frames of Tokio and the standard library folded.
    #[must_use]
    pub fn folded(&self) -> Folded<'_> {
        Folded::new(self)
    }

    /// The frames that are the program's own, innermost first: the first is what called into a
    /// runtime.
    pub fn topmost(&self) -> impl Iterator<Item = &Frame> {
        self.frames.iter().filter(|frame| !frame.is_runtime())
    }

    /// A number for stacks that block at the same place of the program: equal where the innermost 3
    /// frames of the program's own are, whatever runtime frames are between.
    ///
    /// It is the same in each run of the same build, if the program's file does not move.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        const FRAMES: usize = 3;
        let mut hasher = Fnv::new();
        for frame in self.topmost().take(FRAMES) {
            (&frame.module, frame.offset, &frame.function).hash(&mut hasher);
        }
        hasher.finish()
    }
}

impl fmt::Display for Stack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for frame in &self.frames {
            writeln!(f, "{frame}")?;
        }
        write_end(self, f)
    }
}

pub(super) fn write_end(stack: &Stack, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match stack.cut {
        None => Ok(()),
        Some(cut) => writeln!(f, "… and callers unknown: {cut}"),
    }
}

/// The hash FNV-1a: the same in each version of Rust, unlike that of std.
struct Fnv(u64);

impl Fnv {
    fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Fnv {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
