//! Whether the call before a return address leads to the function below it: the check of each step.
//! It reads machine code and the slots that calls go through, never the stack.

use std::ops::Range;

use super::arch::{Arch, Call, Target};
use super::memory::Memory;
use super::modules::Modules;

/// What the call before a return address has to do with the function that returns there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Link {
    /// There is no call: it is no return address.
    NoCall,
    /// The call leads to another function.
    Elsewhere,
    /// The call goes by a register, or to a function that goes on by one: to this function or
    /// another.
    Indirect,
    /// The call leads to this function.
    Leads,
}

/// The most code of one function that is read.
const MOST_CODE: u64 = 256 << 10;
/// How many jumps from function to function are followed.
const MOST_DEPTH: u32 = 4;
/// How many functions are looked through for one call.
const MOST_FUNCTIONS: u32 = 48;

/// Judges the call before `return_address`, for a function at `callee`.
///
/// **Cost**: reads the code of the caller, and of what it calls if that is not the callee itself: 5
/// to 100 µs. Keep the answer.
pub(super) fn link<A: Arch>(
    memory: &impl Memory,
    modules: &Modules,
    return_address: u64,
    callee: &Range<u64>,
) -> Link {
    let Some(last) = return_address.checked_sub(1) else { return Link::NoCall };
    let function = modules
        .function(memory, last)
        .filter(|function| return_address - function.start <= MOST_CODE)
        .map(|function| function.start);
    // No instruction of any architecture is longer than 16 bytes.
    let start = function.unwrap_or(return_address.saturating_sub(16));
    let Some(code) = code(memory, &(start..return_address)) else { return Link::NoCall };
    match A::last_call(&code, start, function.is_some()) {
        None => Link::NoCall,
        Some(Call::To(target)) => {
            let mut search = Search { memory, modules, callee, functions: 0 };
            search.leads::<A>(target, 0)
        }
        Some(Call::Indirect) => {
            let mut search = Search { memory, modules, callee, functions: 0 };
            // By far most of what the code takes is data.
            let takes = |target| search.resolve(target).is_some_and(|address| callee.contains(&address));
            let taken = function.is_some() && A::taken(&code, start).into_iter().any(takes);
            if taken { Link::Leads } else { Link::Indirect }
        }
    }
}

fn code(memory: &impl Memory, range: &Range<u64>) -> Option<Vec<u8>> {
    let length = usize::try_from(range.end.checked_sub(range.start)?).ok()?;
    let code = memory.bytes(range.start, length);
    (code.len() == length).then_some(code)
}

struct Search<'s, M> {
    memory: &'s M,
    modules: &'s Modules,
    callee: &'s Range<u64>,
    functions: u32,
}

impl<M: Memory> Search<'_, M> {
    fn resolve(&mut self, target: Target) -> Option<u64> {
        match target {
            Target::Address(address) => Some(address),
            Target::Slot(slot) => self.memory.word(slot),
        }
    }

    fn leads<A: Arch>(&mut self, target: Target, depth: u32) -> Link {
        let Some(mut address) = self.resolve(target) else { return Link::Indirect };
        if let Some(slot) = A::stub(&self.memory.bytes(address, 16), address) {
            let Some(behind) = self.memory.word(slot) else { return Link::Indirect };
            address = behind;
        }
        if self.callee.contains(&address) {
            return Link::Leads;
        }
        if depth == MOST_DEPTH || self.functions == MOST_FUNCTIONS {
            return Link::Indirect;
        }
        self.functions += 1;
        let Some(function) = self.modules.function(self.memory, address) else { return Link::Indirect };
        if function.end - function.start > MOST_CODE {
            return Link::Indirect;
        }
        let Some(code) = code(self.memory, &function) else { return Link::Indirect };
        let jumps = A::jumps(&code, function.start);
        let is_outside = |target: &&Target| !matches!(target, Target::Address(to) if function.contains(to));
        let mut outside: Vec<_> = jumps.targets.iter().filter(is_outside).copied().collect();
        outside.dedup();
        let mut best = if jumps.others { Link::Indirect } else { Link::Elsewhere };
        // Near ones first: a jump to the callee is the usual case.
        for target in &outside {
            if self.resolve(*target).is_some_and(|address| self.callee.contains(&address)) {
                return Link::Leads;
            }
        }
        for target in outside {
            match self.leads::<A>(target, depth + 1) {
                Link::Leads => return Link::Leads,
                Link::Indirect => best = Link::Indirect,
                Link::Elsewhere | Link::NoCall => {}
            }
        }
        best
    }
}
