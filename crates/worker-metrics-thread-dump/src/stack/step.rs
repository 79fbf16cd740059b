//! One step of a walk: the caller's registers from those of a frame and the row of its unwind table.

use super::arch::Arch;
use super::memory::Memory;
use super::pieces::Pieces;
use super::registers::Registers;
use super::row::{Cfa, Row, Rule};

/// What a step found.
#[derive(Debug)]
pub(super) enum Step {
    /// The function has no caller: the table says that its return address is undefined.
    Root,
    /// The function returns to `address`.
    Caller { registers: Registers, address: u64, cfa: u64 },
    /// The table wants a register that is not known.
    UnknownRegister,
    /// The stack cannot be read there, or the table does not say where the return address is.
    NoReturnAddress,
}

/// The canonical frame address, if what it is computed from is known.
fn cfa(row: &Row, registers: &Registers, memory: &impl Memory, stack: &mut Pieces) -> Option<u64> {
    match &row.cfa {
        Cfa::Offset { register, offset } => Some(registers.value(*register)?.wrapping_add_signed(*offset)),
        Cfa::Expression(expression) => expression.value(memory, stack, registers, None),
    }
}

/// Steps to the caller of the frame that has these registers.
pub(super) fn step<A: Arch>(
    row: &Row,
    registers: &Registers,
    memory: &impl Memory,
    stack: &mut Pieces,
) -> Step {
    if let Some(Rule::Undefined) = row.rule(row.return_address) {
        return Step::Root;
    }
    let Some(cfa) = cfa(row, registers, memory, stack) else { return Step::UnknownRegister };
    let mut caller = Registers::default();
    for register in 0..32 {
        let rule = row.rule(register);
        // What a signal interrupted has all its registers; a caller has those that a call preserves.
        let kept = row.signal || A::is_preserved(register);
        let value = match rule {
            None if kept => registers.value(register),
            None => None,
            Some(rule) => apply(rule, register, cfa, registers, memory, stack),
        };
        caller.set(register, value);
    }
    let address = match row.rule(row.return_address) {
        Some(rule) => apply(rule, row.return_address, cfa, registers, memory, stack),
        // Not stored yet, so still where the call has put it.
        None if A::LINK_REGISTER == Some(row.return_address) => match registers.value(row.return_address) {
            None => return Step::UnknownRegister,
            known => known,
        },
        None => None,
    };
    let Some(address) = address else { return Step::NoReturnAddress };
    let address = if row.signed { A::without_authentication(address) } else { address };
    if !row.signal {
        // The call has overwritten it.
        if let Some(link) = A::LINK_REGISTER {
            caller.set(link, None);
        }
    }
    if row.rule(A::STACK_POINTER).is_none() {
        caller.set(A::STACK_POINTER, Some(cfa));
    }
    Step::Caller { registers: caller, address, cfa }
}

fn apply(
    rule: &Rule,
    register: u16,
    cfa: u64,
    registers: &Registers,
    memory: &impl Memory,
    stack: &mut Pieces,
) -> Option<u64> {
    match rule {
        Rule::Undefined => None,
        Rule::Same => registers.value(register),
        Rule::At(offset) => stack.word(memory, cfa.wrapping_add_signed(*offset)),
        Rule::Is(offset) => Some(cfa.wrapping_add_signed(*offset)),
        Rule::Register(other) => registers.value(*other),
        Rule::AtExpression(expression) => {
            let address = expression.value(memory, stack, registers, Some(cfa))?;
            stack.word(memory, address)
        }
        Rule::IsExpression(expression) => expression.value(memory, stack, registers, Some(cfa)),
    }
}
