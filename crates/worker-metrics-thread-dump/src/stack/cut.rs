//! Why a stack is not whole.

use std::fmt;

/// Why the callers of a stack's last frame are not known. The frames that are there are right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Cut {
    /// The function needs a register that the kernel does not report, and its code does not say for
    /// sure what it is.
    UnknownRegister,
    /// The function has no entry in an unwind table, as of assembly.
    NoUnwindTable,
    /// The code belongs to no module, as of a compiler at run time.
    NoModule,
    /// The stack cannot be read there, or more than 2 MiB of it would have to be.
    Unreadable,
    /// What comes next contradicts itself.
    Inconsistent,
    /// There are more than 512 frames, or it took half a second to find this one.
    TooDeep,
    /// The stack was sampled by a profiler, which does not say whether it is whole.
    Sampled,
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownRegister => "a register that is needed is not known",
            Self::NoUnwindTable => "the function has no entry in an unwind table",
            Self::NoModule => "the code belongs to no module",
            Self::Unreadable => "the stack cannot be read there",
            Self::Inconsistent => "what comes next contradicts itself",
            Self::TooDeep => "the stack is too deep",
            Self::Sampled => "the thread was sampled",
        })
    }
}
