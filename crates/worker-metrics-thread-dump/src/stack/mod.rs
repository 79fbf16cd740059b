//! The stack of another thread: who called what, down to the system call that it is blocked in.
//!
//! The way of a capture: `stacks` looks at the thread, `walk` steps from frame to frame by the rows
//! of `unwind_table`, `link` checks each step, `names` names what was found. All but `stacks`,
//! `names` and `ProcessMemory` is pure, and tested on memory that is made up.

mod arch;
mod caches;
mod cut;
mod elf;
mod expression;
mod folded;
mod frame;
mod link;
mod maps;
mod memory;
mod modules;
mod named;
mod names;
mod no_stack;
mod pieces;
mod registers;
mod row;
#[cfg(all(feature = "sampling", target_os = "linux"))]
mod sampling;
mod stacks;
mod step;
mod symbols;
#[cfg(test)]
mod tests;
mod unwind_table;
mod walk;

pub use cut::Cut;
pub use folded::{Fold, Folded};
pub use frame::{Frame, Origin};
pub use named::{RawStack, Stack};
pub use no_stack::NoStack;
#[cfg(all(feature = "sampling", target_os = "linux"))]
pub use sampling::{NoSamples, Sample, SampledThread};
pub use stacks::Stacks;
