//! The walk from where a thread is blocked to its root. Pure over [`Memory`]: whatever that holds,
//! a walk ends, and says why it ended.
//!
//! A frame is in the result only if all that leads to it is sure. What is not sure is never
//! guessed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::arch::Arch;
use super::caches::Caches;
use super::cut::Cut;
use super::link::{Link, link};
use super::memory::Memory;
use super::modules::{Module, Modules};
use super::pieces::Pieces;
use super::registers::Registers;
use super::row::{Cfa, Row};
use super::step::{Caller, step};

/// More frames than this are not walked.
pub(super) const MOST_FRAMES: usize = 512;
/// A walk ends after this time: 1000 times what the first one takes, and longer than a busy machine
/// keeps the walker waiting.
const MOST_TIME: Duration = Duration::from_millis(500);

/// Where a thread is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Start {
    pub(super) stack_pointer: u64,
    pub(super) program_counter: u64,
}

/// A frame of a walk.
#[derive(Clone, Debug)]
pub(super) struct RawFrame {
    /// Return address; of the first frame and of what a signal interrupted, the next instruction.
    pub(super) address: u64,
    pub(super) is_return_address: bool,
    pub(super) module: Option<Arc<Module>>,
}

/// What a walk found.
#[derive(Debug)]
pub(super) struct Walk {
    pub(super) frames: Vec<RawFrame>,
    /// Nothing if the last frame is the root.
    pub(super) cut: Option<Cut>,
    /// A program counter in no module was met: the modules may be out of date.
    pub(super) left_modules: bool,
}

/// What a walk works with.
#[derive(Debug)]
pub(super) struct Walker<'w, M> {
    pub(super) memory: &'w M,
    pub(super) modules: &'w Modules,
    pub(super) caches: &'w mut Caches,
    pub(super) stack: &'w mut Pieces,
}

impl<M: Memory> Walker<'_, M> {
    /// Walks the stack of a thread that is blocked at `start`.
    pub(super) fn walk<A: Arch>(&mut self, start: Start) -> Walk {
        let begin = Instant::now();
        let mut registers = Registers::default();
        registers.set(A::STACK_POINTER, Some(start.stack_pointer));
        let module = self.modules.at(start.program_counter).cloned();
        let first = RawFrame { address: start.program_counter, is_return_address: false, module };
        let mut walk = Walk { frames: vec![first], cut: None, left_modules: false };
        let mut lowest = start.stack_pointer;
        // Where the frame pointer was derived and no call proves it; then, where it was derived at
        // all.
        let mut unproven = None;
        let mut derived = None;

        let cut = loop {
            let index = walk.frames.len() - 1;
            let frame = &walk.frames[index];
            let Some(module) = frame.module.clone() else {
                walk.left_modules = true;
                break Cut::NoModule;
            };
            let Some(row) = self.row::<A>(frame, &module, index == 0) else { break Cut::NoUnwindTable };

            let mut has_derived = false;
            if let Cfa::Offset { register, .. } = row.cfa
                && register == A::FRAME_POINTER
                && registers.value(register).is_none()
            {
                let Some(size) = self.frame_size::<A>(&row, frame, &module) else {
                    break Cut::UnknownRegister;
                };
                let pointer = registers.value(A::STACK_POINTER).and_then(|stack| stack.checked_add(size));
                registers.set(register, pointer);
                has_derived = true;
                derived = derived.or(Some(index));
            }

            let step = step::<A>(&row, &registers, self.memory, self.stack);
            let Caller { registers: caller, address, cfa } = match step {
                // A derived register that was wrong would have led elsewhere.
                Ok(None) => return walk,
                Ok(Some(caller)) => caller,
                Err(cut) => break cut,
            };
            let is_computed = matches!(row.cfa, Cfa::Expression(_));
            let grows = if index == 0 { cfa >= lowest } else { cfa > lowest };
            if !row.signal && (cfa % 16 != 0 || !(grows || is_computed)) {
                break Cut::Inconsistent;
            }
            lowest = if row.signal { 0 } else { cfa };

            let code = if row.signal { Some(address) } else { address.checked_sub(1) };
            let Some(module) = code.and_then(|code| self.modules.at(code)).cloned() else {
                walk.left_modules = true;
                break if derived.is_some() { Cut::Inconsistent } else { Cut::NoModule };
            };
            let caller_frame =
                RawFrame { address, is_return_address: !row.signal, module: Some(module.clone()) };
            if !row.signal && !self.is_signal_frame::<A>(&caller_frame, &module) {
                match self.link::<A>(address, &row) {
                    Link::NoCall | Link::Elsewhere => break Cut::Inconsistent,
                    Link::Indirect if has_derived => unproven = unproven.or(Some(index)),
                    Link::Indirect | Link::Leads => {}
                }
            }
            if walk.frames.len() == MOST_FRAMES || begin.elapsed() > MOST_TIME {
                break Cut::TooDeep;
            }
            registers = caller;
            walk.frames.push(caller_frame);
        };

        // What contradicts itself may have gone wrong where the frame pointer was derived.
        let (sure, cut) = match (cut, unproven) {
            (Cut::Inconsistent, _) => (derived, cut),
            (_, Some(_)) => (unproven, Cut::UnknownRegister),
            (_, None) => (None, cut),
        };
        if let Some(sure) = sure {
            walk.frames.truncate(sure + 1);
        }
        walk.cut = Some(cut);
        walk
    }

    fn row<A: Arch>(&mut self, frame: &RawFrame, module: &Module, is_first: bool) -> Option<Arc<Row>> {
        let place = if frame.is_return_address { frame.address.checked_sub(1)? } else { frame.address };
        let found = self.row_at(place, module);
        if found.is_none() && is_first {
            return self.row_at(place.checked_sub(A::BEFORE_SYSTEM_CALL)?, module);
        }
        found
    }

    fn row_at(&mut self, place: u64, module: &Module) -> Option<Arc<Row>> {
        if let Some(row) = self.caches.rows.get(&place) {
            return row;
        }
        let table = module.table(self.memory);
        let row = table.and_then(|table| table.row(&mut self.caches.scratch, place)).map(Arc::new);
        self.caches.rows.keep(place, row)
    }

    fn is_signal_frame<A: Arch>(&mut self, frame: &RawFrame, module: &Module) -> bool {
        self.row::<A>(frame, module, false).is_some_and(|row| row.signal)
    }

    fn link<A: Arch>(&mut self, address: u64, callee: &Row) -> Link {
        let key = (address, callee.function.start);
        if let Some(link) = self.caches.links.get(&key) {
            return link;
        }
        let link = link::<A>(self.memory, self.modules, address, &callee.function);
        self.caches.links.keep(key, link)
    }

    fn frame_size<A: Arch>(&mut self, row: &Row, frame: &RawFrame, module: &Module) -> Option<u64> {
        if let Some(size) = self.caches.frame_sizes.get(&frame.address) {
            return size;
        }
        let size = self.read_frame_size::<A>(row, frame, module);
        self.caches.frame_sizes.keep(frame.address, size)
    }

    fn read_frame_size<A: Arch>(&mut self, row: &Row, frame: &RawFrame, module: &Module) -> Option<u64> {
        /// The most code of a function that is read.
        const MOST: u64 = 256 << 10;
        let function = &row.function;
        let table = module.table(self.memory)?;
        let set = table.frame_pointer_set(&mut self.caches.scratch, function.start, A::FRAME_POINTER)?;
        if set <= function.start || set > frame.address || function.end - function.start > MOST {
            return None;
        }
        let length = usize::try_from(function.end - function.start).ok()?;
        let code = self.memory.bytes(function.start, length);
        let at = usize::try_from(set - function.start).ok()?;
        let until = usize::try_from(frame.address - set).ok()?;
        A::frame_size(code.get(..at)?, code.get(at..)?, until).filter(|_| code.len() == length)
    }
}
