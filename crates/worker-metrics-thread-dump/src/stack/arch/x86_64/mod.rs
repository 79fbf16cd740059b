//! x86-64. A call pushes the return address, and the walker knows no register but the stack pointer
//! at first.

mod frame;
mod instruction;
#[cfg(test)]
mod tests;

use super::{Arch, Call, Jumps, Target};
use instruction::{Instruction, Map};

#[derive(Debug)]
pub(in crate::stack) struct X86_64;

impl Arch for X86_64 {
    const STACK_POINTER: u16 = 7;
    const FRAME_POINTER: u16 = 6;
    const LINK_REGISTER: Option<u16> = None;
    const BEFORE_SYSTEM_CALL: u64 = 3;

    fn is_preserved(register: u16) -> bool {
        matches!(register, 3 | 6 | 12..=15)
    }

    fn without_authentication(address: u64) -> u64 {
        address
    }

    fn last_call(code: &[u8], start: u64, from_function: bool) -> Option<Call> {
        if from_function && let Some(last) = last_of(code) {
            let (at, instruction) = last?;
            return call(&instruction, start.wrapping_add(at as u64));
        }
        // The function is not known, or was not understood: whatever ends here and is a call.
        [5, 2, 3, 6, 7, 4, 8].into_iter().find_map(|length| {
            let at = code.len().checked_sub(length)?;
            let instruction = Instruction::decode(&code[at..])?;
            (instruction.length == length).then(|| call(&instruction, start.wrapping_add(at as u64)))?
        })
    }

    fn jumps(code: &[u8], start: u64) -> Jumps {
        let mut jumps = Jumps::default();
        let mut at = 0;
        while at < code.len() {
            let Some(instruction) = Instruction::decode(&code[at..]) else {
                jumps.others = true;
                break;
            };
            let next = start.wrapping_add((at + instruction.length) as u64);
            let direct = Target::Address(next.wrapping_add_signed(instruction.immediate));
            match (instruction.map, instruction.opcode) {
                (Map::One, 0x70..=0x7f | 0xe0..=0xe3 | 0xe9 | 0xeb) | (Map::Two, 0x80..=0x8f) => {
                    jumps.targets.push(direct);
                }
                (Map::One, 0xff) if instruction.modrm.is_some_and(|modrm| modrm.register & 7 == 4) => {
                    match slot(&instruction, next) {
                        Some(slot) => jumps.targets.push(Target::Slot(slot)),
                        None => jumps.others = true,
                    }
                }
                _ => {}
            }
            at += instruction.length;
        }
        jumps
    }

    fn stub(code: &[u8], address: u64) -> Option<u64> {
        const ENDBR64: &[u8] = b"\xf3\x0f\x1e\xfa";
        let skipped = if code.starts_with(ENDBR64) { ENDBR64.len() } else { 0 };
        let instruction = Instruction::decode(&code[skipped..])?;
        let is_jump = instruction.map == Map::One
            && instruction.opcode == 0xff
            && instruction.modrm.is_some_and(|modrm| modrm.register & 7 == 4);
        let next = address.wrapping_add((skipped + instruction.length) as u64);
        if is_jump { slot(&instruction, next) } else { None }
    }

    fn taken(code: &[u8], start: u64) -> Vec<Target> {
        let mut taken = Vec::new();
        let mut at = 0;
        while let Some(instruction) = code.get(at..).and_then(Instruction::decode) {
            at += instruction.length;
            let next = start.wrapping_add(at as u64);
            if instruction.map == Map::One
                && instruction.rex & 8 != 0
                && let Some(address) = slot(&instruction, next)
            {
                match instruction.opcode {
                    0x8d => taken.push(Target::Address(address)),
                    0x8b => taken.push(Target::Slot(address)),
                    _ => {}
                }
            }
        }
        taken
    }

    fn frame_size(set_after: &[u8], code: &[u8], until: usize) -> Option<u64> {
        // mov rbp, rsp in both its forms.
        if !set_after.ends_with(b"\x48\x89\xe5") && !set_after.ends_with(b"\x48\x8b\xec") {
            return None;
        }
        frame::size(code, until)
    }
}

/// Where the instruction's memory is, if it is relative to the next instruction.
fn slot(instruction: &Instruction, next: u64) -> Option<u64> {
    let modrm = instruction.modrm.filter(|modrm| modrm.relative)?;
    Some(next.wrapping_add_signed(i64::from(modrm.displacement)))
}

fn call(instruction: &Instruction, at: u64) -> Option<Call> {
    let next = at.wrapping_add(instruction.length as u64);
    match (instruction.map, instruction.opcode) {
        (Map::One, 0xe8) => Some(Call::To(Target::Address(next.wrapping_add_signed(instruction.immediate)))),
        (Map::One, 0xff) if instruction.modrm?.register & 7 == 2 => {
            Some(slot(instruction, next).map_or(Call::Indirect, |slot| Call::To(Target::Slot(slot))))
        }
        _ => None,
    }
}

/// The last of the instructions that `code` consists of, which is none if there are none. Nothing
/// if they do not end where `code` does.
#[allow(clippy::option_option, reason = "no instruction, and code that was not understood, are two things")]
fn last_of(code: &[u8]) -> Option<Option<(usize, Instruction)>> {
    let mut at = 0;
    let mut last = None;
    while at < code.len() {
        let instruction = Instruction::decode(&code[at..])?;
        last = Some((at, instruction));
        at += instruction.length;
    }
    (at == code.len()).then_some(last)
}
