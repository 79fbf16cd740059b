//! Whatever memory holds, a walk ends, and says so.

use proptest::collection::vec;
use proptest::prelude::*;

use super::made_up::{CODE, Convention, END, Function, MadeUp, STACK, address, maps, program, walk};
use crate::stack::arch::{Aarch64, Arch, X86_64};
use crate::stack::walk::MOST_FRAMES;

fn ends<A: Arch>(memory: &MadeUp, maps: &str, pc: u64, sp: u64) {
    let walk = walk::<A>(memory, maps, pc, sp);
    assert!((1..=MOST_FRAMES).contains(&walk.frames.len()));
    assert_eq!(walk.frames[0].address, pc);
}

/// A word as stacks have them: an address of code or of the stack, or anything.
fn word() -> impl Strategy<Value = u64> {
    prop_oneof![CODE..CODE + 0x800, (STACK..STACK + 0x800).prop_map(|word| word & !7), any::<u64>(), Just(0)]
}

/// Instructions of an unwind table, as they are written, in any order.
fn table() -> impl Strategy<Value = Vec<u8>> {
    let register = prop_oneof![Just(6_u8), Just(7), Just(16), Just(29), Just(30), Just(31), 0..40_u8];
    let instruction = prop_oneof![
        (register.clone(), 0..0x80_u8).prop_map(|(register, offset)| vec![0x0c, register, offset]),
        (register.clone(), 0..8_u8).prop_map(|(register, words)| vec![0x80 | (register & 0x3f), words]),
        (0..32_u8).prop_map(|bytes| vec![0x40 | bytes]),
        register.clone().prop_map(|register| vec![0x07, register]),
        (register, any::<u8>()).prop_map(|(register, operation)| vec![0x10, register, 2, 0x77, operation]),
        vec(any::<u8>(), 1..12).prop_map(|code| {
            let mut bytes = vec![0x0f, u8::try_from(code.len()).unwrap_or(0)];
            bytes.extend(code);
            bytes
        }),
        Just(vec![0x2d]),
        Just(vec![0x0a]),
        Just(vec![0x0b]),
        vec(any::<u8>(), 1..6),
    ];
    vec(instruction, 0..10).prop_map(|instructions| instructions.concat())
}

/// Code: instructions that matter, and anything.
fn machine_code() -> impl Strategy<Value = Vec<u8>> {
    let instruction = prop_oneof![
        Just(b"\x55\x48\x89\xe5".to_vec()),
        Just(b"\x48\x83\xec\x10".to_vec()),
        Just(b"\xff\xd0".to_vec()),
        Just(b"\xc9\xc3".to_vec()),
        (-0x600..0x600_i32).prop_map(|distance| [&[0xe8][..], &distance.to_le_bytes()].concat()),
        (-0x600..0x600_i32).prop_map(|distance| [&[0xe9][..], &distance.to_le_bytes()].concat()),
        (0..0x100_u32).prop_map(|distance| (0x9400_0000 | distance).to_le_bytes().to_vec()),
        vec(any::<u8>(), 1..8),
    ];
    vec(instruction, 1..20).prop_map(|code| {
        let mut code = code.concat();
        code.truncate(200);
        code
    })
}

fn functions() -> impl Strategy<Value = Vec<Function>> {
    let function = (machine_code(), table(), any::<bool>()).prop_map(|(code, table, signal)| Function {
        code,
        table,
        signal,
    });
    vec(function, 1..8)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_walk_ends_on_any_program_and_stack(
        functions in functions(),
        words in vec(word(), 0..600),
        start in (0..8_usize, 0..64_u64),
        sp in prop_oneof![Just(STACK), STACK..STACK + 64, any::<u64>()],
        mess in vec((0..END - CODE, any::<u8>()), 0..20),
    ) {
        let pc = address(start.0) + start.1;
        for (return_address, initial) in [(16, &[0x0c, 7, 8, 0x90, 1][..]), (30, &[0x0c, 31, 0])] {
            let mut memory = program(Convention { return_address, initial }, &functions);
            memory.add(STACK, super::made_up::stack(&words));
            for (at, byte) in &mess {
                memory.write(CODE + at, &[*byte]);
            }
            ends::<X86_64>(&memory, &maps(), pc, sp);
            ends::<Aarch64>(&memory, &maps(), pc, sp);
        }
    }

    #[test]
    fn modules_of_any_bytes_are_read(
        at in vec((0..0x400_u64, any::<u8>()), 0..60),
        further in vec((0x4000..0x6000_u64, any::<u8>()), 0..60),
        list in "[0-9a-f /rwxp\n-]{0,200}",
    ) {
        let leaf = Function::new(&[b"\x90\x90\xc3"], &[]);
        let convention = Convention { return_address: 16, initial: &[0x0c, 7, 8, 0x90, 1] };
        let mut memory = program(convention, &[leaf.clone(), leaf]);
        memory.add(STACK, vec![0; 64]);
        for (at, byte) in at.iter().chain(&further) {
            memory.write(super::made_up::BASE + at, &[*byte]);
        }
        ends::<X86_64>(&memory, &maps(), CODE, STACK);
        ends::<X86_64>(&memory, &list, CODE, STACK);
        ends::<X86_64>(&memory, &(maps() + &list), u64::MAX, u64::MAX);
    }

    #[test]
    fn any_code_is_decoded(code in vec(any::<u8>(), 0..80), until in 0..80_usize) {
        fn decodes<A: Arch>(code: &[u8], until: usize) {
            for start in [0, CODE, u64::MAX] {
                let _ = A::last_call(code, start, true);
                let _ = A::last_call(code, start, false);
                let _ = A::jumps(code, start);
                let _ = A::stub(code, start);
                let _ = A::taken(code, start);
                let _ = A::frame_size(b"\x48\x89\xe5", code, until);
            }
        }
        decodes::<X86_64>(&code, until);
        decodes::<Aarch64>(&code, until);
    }
}
