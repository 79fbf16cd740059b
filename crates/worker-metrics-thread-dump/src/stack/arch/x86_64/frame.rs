//! How far the stack pointer is below the frame pointer, by the code of a function. Says so only
//! where it is the same at each call of the function; a guess here would be a wrong stack.

use super::instruction::{Instruction, Map, ModRm};

const RSP: u8 = 4;

/// What an instruction does to the stack pointer and to the flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    None,
    /// The stack pointer is this much lower.
    Lower(u64),
    /// It is higher, or back at the frame pointer: the end of a function, or pushed arguments that
    /// are taken off.
    Raise,
    /// It becomes what cannot be told.
    Unsure,
    /// A call.
    Call,
    /// It may go on somewhere else.
    Branch,
    /// It does go on somewhere else.
    End,
}

pub(super) fn effect(instruction: &Instruction) -> Effect {
    match instruction.map {
        Map::One => one(instruction),
        Map::Two => match instruction.opcode {
            0x80..=0x8f => Effect::Branch,
            // `ud2`.
            0x0b => Effect::End,
            // Conditional moves, `movzx` and the like, `bswap`, `xadd`, `cmpxchg`.
            0x40..=0x4f | 0xa3..=0xbf | 0xc0..=0xc1 | 0xcc => {
                let writes =
                    |modrm: ModRm| modrm.register == RSP || (modrm.mode == 3 && modrm.operand == RSP);
                // Their 8-bit forms may name `ah`, which is then taken for this register.
                let writes = instruction.modrm.is_some_and(writes);
                if writes { Effect::Unsure } else { Effect::None }
            }
            _ => Effect::None,
        },
        // Bit manipulation with a VEX prefix never has the stack pointer as its target.
        Map::Other => Effect::None,
    }
}

fn one(instruction: &Instruction) -> Effect {
    let bytes = instruction.immediate.unsigned_abs();
    let modrm = instruction.modrm;
    let is_register = modrm.is_some_and(|modrm| modrm.mode == 3 && modrm.operand == RSP);
    let is_target = modrm.is_some_and(|modrm| modrm.register == RSP);
    match (instruction.opcode, modrm.map_or(0, |modrm| modrm.register & 7)) {
        (0x50..=0x57 | 0x68 | 0x6a, _) | (0xff, 6) => Effect::Lower(8),
        // `pop rsp` first.
        (0x5c, _) if instruction.rex & 1 == 0 => Effect::Unsure,
        (0x8f, _) if is_register => Effect::Unsure,
        (0x58..=0x5f | 0x8f | 0xc9, _) => Effect::Raise,
        (0x9c, _) => Effect::Lower(8),
        (0x9d, _) => Effect::Raise,
        // `enter`.
        (0xc8, _) => Effect::Unsure,
        (0xe8, _) | (0xff, 2 | 3) => Effect::Call,
        (0x70..=0x7f | 0xe0..=0xe3, _) => Effect::Branch,
        (0xc2 | 0xc3 | 0xca | 0xcb | 0xcf | 0xe9 | 0xeb | 0xcc | 0xf4, _) | (0xff, 4 | 5) => Effect::End,
        // `add rsp, n` and `sub rsp, n`.
        (0x81 | 0x83, operation @ (0 | 5)) if is_register => {
            if instruction.rex & 8 == 0 {
                Effect::Unsure
            } else if (operation == 5) == (instruction.immediate > 0) {
                Effect::Lower(bytes)
            } else {
                Effect::Raise
            }
        }
        // `cmp rsp, n`.
        (0x81 | 0x83, 7) => Effect::None,
        (0x80, _) => Effect::None,
        (0x8d, _) if is_target => match modrm {
            // `lea rsp, [rbp - n]` and `lea rsp, [rsp + n]`.
            Some(ModRm { operand: 5, relative: false, sib: None, .. }) if instruction.rex & 8 != 0 => {
                Effect::Raise
            }
            Some(ModRm { operand: RSP, sib: Some(0x24), displacement, .. }) if instruction.rex & 8 != 0 => {
                if displacement < 0 {
                    Effect::Lower(u64::from(displacement.unsigned_abs()))
                } else {
                    Effect::Raise
                }
            }
            _ => Effect::Unsure,
        },
        // `cmp` and `test` only read.
        (0x38..=0x3b | 0x84 | 0x85, _) => Effect::None,
        // Arithmetic and moves: those with an even opcode are of 8 bits, where this number is `ah`.
        (
            0x01 | 0x09 | 0x11 | 0x19 | 0x21 | 0x29 | 0x31 | 0x89 | 0x81 | 0x83 | 0xc1 | 0xc7 | 0xd1 | 0xd3
            | 0xf7,
            _,
        ) if is_register => Effect::Unsure,
        (0x03 | 0x0b | 0x13 | 0x1b | 0x23 | 0x2b | 0x33 | 0x63 | 0x69 | 0x6b | 0x8b, _) if is_target => {
            Effect::Unsure
        }
        (0x87, _) if is_register || is_target => Effect::Unsure,
        (0xff, 0 | 1) if is_register => Effect::Unsure,
        // `xchg rax, rsp` and `mov rsp, n`.
        (0x94 | 0xbc, _) if instruction.rex & 1 == 0 => Effect::Unsure,
        _ => Effect::None,
    }
}

/// Bytes between the frame pointer and the stack pointer at each call of a function, whose code is
/// `code` from where its frame pointer is set. The thread is at `until` or in a call that returns
/// there.
pub(super) fn size(code: &[u8], until: usize) -> Option<u64> {
    let mut size = 0_u64;
    let mut at = 0;
    // Up to the first branch the code runs as it is written.
    let mut straight = true;
    // After the stack pointer was raised only the end of the function may come.
    let mut ending = false;
    while at < code.len() {
        if straight && let Some(probes) = Probes::decode(&code[at..]) {
            size = size.checked_add(probes.bytes)?;
            at += probes.length;
            if at > until {
                return None;
            }
            continue;
        }
        let instruction = Instruction::decode(&code[at..])?;
        at += instruction.length;
        match effect(&instruction) {
            Effect::None => {}
            Effect::Lower(bytes) => {
                if !straight || ending || at > until {
                    return None;
                }
                size = size.checked_add(bytes)?;
            }
            Effect::Raise => ending = true,
            Effect::Unsure => return None,
            Effect::Call | Effect::Branch => {
                if ending {
                    return None;
                }
                straight = false;
            }
            Effect::End => {
                ending = false;
                straight = false;
            }
        }
        // A page fault can interrupt the end of a function, too.
        if ending && at == until {
            return None;
        }
    }
    Some(size)
}

/// A loop that touches each page of a large frame, as LLVM writes it: the frame's end in r11, then
/// the stack pointer is lowered by a page until it is there.
struct Probes {
    bytes: u64,
    length: usize,
}

impl Probes {
    fn decode(code: &[u8]) -> Option<Self> {
        const R11: u8 = 11;
        let mut at = 0;
        let mut next = || {
            let instruction = Instruction::decode(code.get(at..)?)?;
            at += instruction.length;
            Some((instruction, instruction.modrm?))
        };
        let (first, operand) = next()?;
        let bytes = match (first.opcode, first.rex & 8 != 0) {
            // lea r11, [rsp - n]
            (0x8d, true)
                if operand.register == R11 && operand.operand == RSP && operand.sib == Some(0x24) =>
            {
                operand.displacement.checked_neg()?
            }
            // mov r11, rsp; sub r11, n
            (0x89, true) if operand.mode == 3 && operand.operand == R11 && operand.register == RSP => {
                let (second, operand) = next()?;
                let subtracts = second.opcode == 0x81 && second.rex & 8 != 0 && operand.register & 7 == 5;
                if !subtracts || operand.mode != 3 || operand.operand != R11 {
                    return None;
                }
                i32::try_from(second.immediate).ok()?
            }
            _ => return None,
        };
        let bytes = u64::try_from(bytes).ok()?;
        // sub rsp, 4096; mov qword ptr [rsp], 0; cmp rsp, r11; jne back
        const BODY: &[u8] =
            b"\x48\x81\xec\x00\x10\x00\x00\x48\xc7\x04\x24\x00\x00\x00\x00\x4c\x39\xdc\x75\xec";
        let is_loop = code.get(at..)?.starts_with(BODY) && bytes > 0 && bytes % 4096 == 0;
        is_loop.then_some(Self { bytes, length: at + BODY.len() })
    }
}
