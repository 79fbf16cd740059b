//! One step of a walk: the caller's registers from those of a frame and the row of its unwind
//! table.

use super::arch::Arch;
use super::cut::Cut;
use super::memory::Memory;
use super::pieces::Pieces;
use super::registers::Registers;
use super::row::{Cfa, Row, Rule};

/// The caller of a frame.
#[derive(Debug)]
pub(super) struct Caller {
    pub(super) registers: Registers,
    /// The address that the frame returns to.
    pub(super) address: u64,
    /// The canonical frame address of the frame.
    pub(super) cfa: u64,
}

/// The canonical frame address, if what it is computed from is known.
fn cfa(row: &Row, registers: &Registers, memory: &impl Memory, stack: &mut Pieces) -> Option<u64> {
    match &row.cfa {
        Cfa::Offset { register, offset } => Some(registers.value(*register)?.wrapping_add_signed(*offset)),
        Cfa::Expression(expression) => expression.value(memory, stack, registers, None),
    }
}

/// Steps to the caller of the frame that has these registers. There is none if the table says that
/// the return address is undefined: that is the root.
///
/// # Errors
/// If the table wants a register that is not known, or the stack cannot be read there.
pub(super) fn step<A: Arch>(
    row: &Row,
    registers: &Registers,
    memory: &impl Memory,
    stack: &mut Pieces,
) -> Result<Option<Caller>, Cut> {
    if let Some(Rule::Undefined) = row.rule(row.return_address) {
        return Ok(None);
    }
    let cfa = cfa(row, registers, memory, stack).ok_or(Cut::UnknownRegister)?;
    let mut caller = Registers::default();
    for register in 0..32 {
        let rule = row.rule(register);
        // What a signal interrupted has all its registers; a caller has those that a call
        // preserves.
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
            None => return Err(Cut::UnknownRegister),
            known => known,
        },
        None => None,
    };
    let address = address.ok_or(Cut::Unreadable)?;
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
    Ok(Some(Caller { registers: caller, address, cfa }))
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
