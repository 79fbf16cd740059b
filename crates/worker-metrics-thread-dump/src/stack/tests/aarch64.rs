use super::made_up::{Convention, Function, STACK, address, addresses, cfi, maps, program, stack, walk};
use crate::stack::arch::{Aarch64, Arch, Call, Jumps, Target};
use crate::stack::cut::Cut;
use crate::stack::walk::Walk;

const FP: u8 = 29;
const LR: u8 = 30;
const SP: u8 = 31;
/// The return address is in the link register.
const AAPCS: Convention = Convention { return_address: LR, initial: &[0x0c, SP, 0] };

const LEAF: usize = 0;
const MIDDLE: usize = 1;
const ROOT: usize = 2;

fn code(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

const NOP: u32 = 0xd503_201f;
const RET: u32 = 0xd65f_03c0;
const SVC: u32 = 0xd400_0001;

/// bl, from the word `at` of one function to another.
fn bl(from: usize, at: u64, to: usize) -> u32 {
    let distance = i64::try_from(address(to)).unwrap() - i64::try_from(address(from) + at * 4).unwrap();
    0x9400_0000 | u32::try_from((distance / 4) & 0x3ff_ffff).unwrap()
}

/// stp x29, x30, [sp, #-32]!; svc: frame pointer and link register at the bottom of 4 words.
fn leaf() -> Function {
    Function::new(
        &[&code(&[0xa9be_7bfd, SVC, NOP, RET])],
        &[&cfi::advance(4), &cfi::cfa(SP, 32), &cfi::saved(FP, 4), &cfi::saved(LR, 3)],
    )
}
const IN_LEAF: u64 = 8;

/// Frame by the frame pointer: stp x29, x30, [sp, #-16]!; mov x29, sp; bl leaf.
fn middle() -> Function {
    Function::new(
        &[&code(&[0xa9bf_7bfd, 0x9100_03fd, bl(MIDDLE, 2, LEAF), NOP, RET])],
        &[
            &cfi::advance(4),
            &cfi::cfa(SP, 16),
            &cfi::saved(FP, 2),
            &cfi::saved(LR, 1),
            &cfi::advance(4),
            &cfi::cfa(FP, 16),
        ],
    )
}
const IN_MIDDLE: u64 = 12;

fn root() -> Function {
    Function::new(&[&code(&[bl(ROOT, 0, MIDDLE), NOP])], &[&cfi::undefined(LR)])
}
const IN_ROOT: u64 = 4;

fn expected() -> Vec<u64> {
    vec![address(LEAF) + IN_LEAF, address(MIDDLE) + IN_MIDDLE, address(ROOT) + IN_ROOT]
}

fn walked(functions: &[Function], words: &[u64]) -> Walk {
    let mut memory = program(AAPCS, functions);
    memory.add(STACK, stack(words));
    walk::<Aarch64>(&memory, &maps(), address(LEAF) + IN_LEAF, STACK)
}

/// The leaf's record and two words, the middle one's record.
fn ordinary_stack() -> Vec<u64> {
    vec![STACK + 32, address(MIDDLE) + IN_MIDDLE, 1, 2, 0, address(ROOT) + IN_ROOT, 0, 0]
}

#[test]
fn a_stack_is_walked_by_the_saved_frame_pointer() {
    let walk = walked(&[leaf(), middle(), root()], &ordinary_stack());
    assert_eq!(addresses(&walk), expected());
    assert_eq!(walk.cut, None);
}

#[test]
fn a_link_register_that_is_not_stored_is_not_known() {
    let mut functions = [leaf(), middle(), root()];
    functions[LEAF] = Function::new(&[&code(&[NOP, SVC, NOP, RET])], &[]);
    let walk = walked(&functions, &ordinary_stack());
    assert_eq!(addresses(&walk), expected()[..1]);
    assert_eq!(walk.cut, Some(Cut::UnknownRegister));
}

#[test]
fn a_frame_pointer_that_is_not_known_is_not_guessed() {
    let mut functions = [leaf(), middle(), root()];
    // Stores the link register alone.
    functions[LEAF].table =
        [cfi::advance(4), cfi::cfa(SP, 32), cfi::saved(LR, 3), cfi::undefined(FP)].concat();
    let walk = walked(&functions, &ordinary_stack());
    assert_eq!(addresses(&walk), expected()[..2]);
    assert_eq!(walk.cut, Some(Cut::UnknownRegister));
}

#[test]
fn the_authentication_code_is_taken_off() {
    let mut functions = [leaf(), middle(), root()];
    let mut table = cfi::NEGATE_RA_STATE.to_vec();
    table.extend(&functions[LEAF].table);
    functions[LEAF].table = table;
    let mut words = ordinary_stack();
    words[1] |= 0x3a5b << 48;
    let walk = walked(&functions, &words);
    assert_eq!(addresses(&walk), expected());
    assert_eq!(walk.cut, None);
    // Where the table does not say that it is signed, it is no address.
    let walk = walked(&[leaf(), middle(), root()], &words);
    assert_eq!(addresses(&walk), expected()[..1]);
}

#[test]
fn a_call_leads_to_the_function_below() {
    let mut functions = [leaf(), middle(), root()];
    functions[ROOT].code = code(&[bl(ROOT, 0, LEAF), NOP]);
    let walk = walked(&functions, &ordinary_stack());
    assert_eq!(addresses(&walk), expected()[..2]);
    assert_eq!(walk.cut, Some(Cut::Inconsistent));
    // blr x8
    functions[ROOT].code = code(&[0xd63f_0100, NOP]);
    assert_eq!(addresses(&walked(&functions, &ordinary_stack())), expected());
    functions[ROOT].code = code(&[NOP, NOP]);
    assert_eq!(walked(&functions, &ordinary_stack()).cut, Some(Cut::Inconsistent));
}

#[test]
fn calls_and_jumps_are_decoded() {
    let last = |word: u32| Aarch64::last_call(&code(&[NOP, word]), 0x1000, true);
    assert_eq!(last(0x9400_0003), Some(Call::To(Target::Address(0x1010))));
    assert_eq!(last(0x97ff_ffff), Some(Call::To(Target::Address(0x1000))));
    for (name, word) in [("blr x8", 0xd63f_0100), ("blraaz x8", 0xd63f_091f), ("blrab x8, x9", 0xd73f_0d09)] {
        assert_eq!(last(word), Some(Call::Indirect), "{name}");
    }
    assert_eq!(last(RET), None);
    assert_eq!(Aarch64::last_call(&[0, 0, 0], 0x1000, true), None);

    // b +8; b.eq -4; cbz x0, +12; tbnz w0, #3, -8
    let jumps = Aarch64::jumps(&code(&[0x1400_0002, 0x54ff_ffe0, 0xb400_0060, 0x371f_ffc0]), 0x1000);
    let targets = [0x1008, 0x1000, 0x1014, 0x1004].map(Target::Address).to_vec();
    assert_eq!(jumps, Jumps { targets, others: false });
    for (name, word) in [("br x16", 0xd61f_0200), ("braa x16, x17", 0xd71f_0a11)] {
        assert!(Aarch64::jumps(&code(&[word]), 0x1000).others, "{name}");
    }
    assert_eq!(Aarch64::jumps(&code(&[RET, SVC, NOP, 0x9400_0003]), 0x1000), Jumps::default());
}

#[test]
fn a_stub_jumps_through_its_slot() {
    // adrp x16, 0x12000; ldr x17, [x16, #0x20]; add x16, x16, #0x20; br x17
    let stub = [0xb000_0090, 0xf940_1211, 0x9100_8210, 0xd61f_0220];
    assert_eq!(Aarch64::stub(&code(&stub), 0x1000), Some(0x12020));
    // bti c
    let mut marked = vec![0xd503_245f];
    marked.extend(stub);
    assert_eq!(Aarch64::stub(&code(&marked), 0x1000), Some(0x12020));
    assert_eq!(Aarch64::stub(&code(&[NOP, NOP]), 0x1000), None);
    assert_eq!(Aarch64::stub(&[], 0x1000), None);
}
