//! AArch64. A call puts the return address into x30, which functions that call store beside the
//! frame pointer x29. Never derives a register: what is not known ends the stack.
//!
//! Source: Arm Architecture Reference Manual for A-profile, C4 and C6; the encodings are in the
//! tests.

use super::{Arch, Call, Jumps, Target};

#[derive(Debug)]
pub(in crate::stack) struct Aarch64;

/// Addresses of user space have this many bits, unless a program asks for more with a hint; above
/// them is the authentication code.
const ADDRESS_BITS: u32 = 48;

impl Arch for Aarch64 {
    const STACK_POINTER: u16 = 31;
    const FRAME_POINTER: u16 = 29;
    const LINK_REGISTER: Option<u16> = Some(30);
    const BEFORE_SYSTEM_CALL: u64 = 5;

    fn is_preserved(register: u16) -> bool {
        matches!(register, 19..=29)
    }

    fn without_authentication(address: u64) -> u64 {
        address & ((1 << ADDRESS_BITS) - 1)
    }

    fn last_call(code: &[u8], start: u64, _from_function: bool) -> Option<Call> {
        let word = u32::from_le_bytes(*code.last_chunk::<4>()?);
        let at = start.wrapping_add(code.len() as u64 - 4);
        if word >> 26 == 0b10_0101 {
            return Some(Call::To(Target::Address(at.wrapping_add_signed(branch26(word)))));
        }
        // blr, and blraa and its like with authentication.
        let is_register = word & 0xffff_fc1f == 0xd63f_0000 || word & 0xfeff_f800 == 0xd63f_0800;
        is_register.then_some(Call::Indirect)
    }

    fn jumps(code: &[u8], start: u64) -> Jumps {
        let mut jumps = Jumps::default();
        let (words, _) = code.as_chunks::<4>();
        for (index, word) in words.iter().enumerate() {
            let word = u32::from_le_bytes(*word);
            let at = start.wrapping_add(index as u64 * 4);
            let offset = if word >> 26 == 0b00_0101 {
                branch26(word)
            } else if word >> 24 == 0x54 || word & 0x7e00_0000 == 0x3400_0000 {
                // b.cond, cbz, cbnz
                signed(word >> 5 & 0x7_ffff, 19) * 4
            } else if word & 0x7e00_0000 == 0x3600_0000 {
                // tbz, tbnz
                signed(word >> 5 & 0x3fff, 14) * 4
            } else {
                // br, and braa and its like
                jumps.others |= word & 0xffff_fc1f == 0xd61f_0000 || word & 0xfeff_f800 == 0xd61f_0800;
                continue;
            };
            jumps.targets.push(Target::Address(at.wrapping_add_signed(offset)));
        }
        jumps
    }

    fn stub(code: &[u8], address: u64) -> Option<u64> {
        const BTI_C: u32 = 0xd503_245f;
        let (words, _) = code.as_chunks::<4>();
        let mut words = words.iter().map(|word| u32::from_le_bytes(*word));
        let mut at = address;
        let mut first = words.next()?;
        if first == BTI_C {
            first = words.next()?;
            at = at.wrapping_add(4);
        }
        let load = words.next()?;
        // adrp x16, page; ldr x17, [x16, offset]
        if first & 0x9f00_001f != 0x9000_0010 || load & 0xffc0_03ff != 0xf940_0211 {
            return None;
        }
        let pages = signed((first >> 5 & 0x7_ffff) << 2 | first >> 29 & 3, 21);
        let page = (at & !0xfff).wrapping_add_signed(pages * 4096);
        Some(page.wrapping_add(u64::from(load >> 10 & 0xfff) * 8))
    }

    fn taken(_code: &[u8], _start: u64) -> Vec<Target> {
        Vec::new()
    }

    fn frame_size(_set_after: &[u8], _code: &[u8], _until: usize) -> Option<u64> {
        None
    }
}

fn branch26(word: u32) -> i64 {
    signed(word & 0x3ff_ffff, 26) * 4
}

/// The number of two's complement in the lowest bits.
fn signed(value: u32, bits: u32) -> i64 {
    let unused = 32 - bits;
    i64::from((value << unused).cast_signed() >> unused)
}
