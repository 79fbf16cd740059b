use super::made_up::{
    CODE, Convention, Function, MadeUp, STACK, address, addresses, cfi, maps, program, slot, stack, walk,
};
use crate::stack::arch::X86_64;
use crate::stack::cut::Cut;
use crate::stack::modules::Modules;
use crate::stack::walk::{MOST_FRAMES, Walk};

const RBP: u8 = 6;
const RSP: u8 = 7;
const RIP: u8 = 16;
/// The return address is right below the CFA.
const SYSV: Convention = Convention { return_address: RIP, initial: &[0x0c, RSP, 8, 0x80 | RIP, 1] };

/// The numbers of the functions of the program.
const LEAF: usize = 0;
const MIDDLE: usize = 1;
const ROOT: usize = 2;

/// A call from the function `from`, `at` bytes after its beginning, to the function `to`.
fn call(from: usize, at: u64, to: usize) -> Vec<u8> {
    let next = address(from) + at + 5;
    let mut code = vec![0xe8];
    code.extend(
        (i64::try_from(address(to)).unwrap() - i64::try_from(next).unwrap()).to_le_bytes()[..4].iter(),
    );
    code
}

/// Blocks with 3 words of its own: sub rsp, 24; syscall; add rsp, 24; ret
fn leaf() -> Function {
    let code: [&[u8]; 4] = [b"\x48\x83\xec\x18", b"\x0f\x05", b"\x48\x83\xc4\x18", b"\xc3"];
    Function::new(&code, &[&cfi::advance(4), &cfi::cfa(RSP, 32)])
}
const IN_LEAF: u64 = 6;

/// Calls the leaf with one word of its own: push rax; call; pop rax; ret
fn middle() -> Function {
    let call = call(MIDDLE, 1, LEAF);
    Function::new(&[b"\x50", &call, b"\x58\xc3"], &[&cfi::advance(1), &cfi::cfa(RSP, 16)])
}
const IN_MIDDLE: u64 = 6;

/// Calls the middle one, and has no caller.
fn root() -> Function {
    let call = call(ROOT, 0, MIDDLE);
    Function::new(&[&call, b"\x0f\x0b"], &[&cfi::undefined(RIP)])
}
const IN_ROOT: u64 = 5;

fn functions() -> Vec<Function> {
    vec![leaf(), middle(), root()]
}

/// The leaf's 3 words, the middle one's.
fn ordinary_stack() -> Vec<u64> {
    vec![1, 2, 3, address(MIDDLE) + IN_MIDDLE, 4, address(ROOT) + IN_ROOT, 0, 0]
}

fn walk_from_leaf(memory: &MadeUp) -> Walk {
    walk::<X86_64>(memory, &maps(), address(LEAF) + IN_LEAF, STACK)
}

fn walked(functions: &[Function], words: &[u64]) -> Walk {
    let mut memory = program(SYSV, functions);
    memory.add(STACK, stack(words));
    walk_from_leaf(&memory)
}

fn expected() -> Vec<u64> {
    vec![address(LEAF) + IN_LEAF, address(MIDDLE) + IN_MIDDLE, address(ROOT) + IN_ROOT]
}

#[test]
fn a_stack_is_walked_to_its_root() {
    let walk = walked(&functions(), &ordinary_stack());
    assert_eq!(addresses(&walk), expected());
    assert_eq!(walk.cut, None);
    let module = walk.frames[0].module.clone().expect("a module");
    assert_eq!(&*module.path, "/app");
    assert_eq!(module.build_id.as_deref(), Some("0102333435363738393031323334353637383930"));
}

#[test]
fn a_call_that_leads_elsewhere_ends_the_stack() {
    let mut functions = functions();
    functions[ROOT] = Function::new(&[&call(ROOT, 0, LEAF), b"\x0f\x0b"], &[&cfi::undefined(RIP)]);
    let walk = walked(&functions, &ordinary_stack());
    assert_eq!(addresses(&walk), expected()[..2]);
    assert_eq!(walk.cut, Some(Cut::Inconsistent));
}

#[test]
fn a_return_address_without_a_call_ends_the_stack() {
    let mut words = ordinary_stack();
    words[5] += 1;
    let walk = walked(&functions(), &words);
    assert_eq!(addresses(&walk), expected()[..2]);
    assert_eq!(walk.cut, Some(Cut::Inconsistent));
}

#[test]
fn zero_is_no_root() {
    let mut words = ordinary_stack();
    words[5] = 0;
    let walk = walked(&functions(), &words);
    assert_eq!(addresses(&walk), expected()[..2]);
    assert_eq!(walk.cut, Some(Cut::NoModule));
}

#[test]
fn a_stack_that_ends_is_cut() {
    let walk = walked(&functions(), &ordinary_stack()[..5]);
    assert_eq!(addresses(&walk), expected()[..2]);
    assert_eq!(walk.cut, Some(Cut::Unreadable));
}

#[test]
fn a_function_without_a_table_is_the_last() {
    let mut functions = functions();
    functions.truncate(2);
    let mut memory = program(SYSV, &functions);
    memory.write(address(ROOT), &call(ROOT, 0, MIDDLE));
    memory.add(STACK, stack(&ordinary_stack()));
    let walk = walk_from_leaf(&memory);
    assert_eq!(addresses(&walk), expected());
    assert_eq!(walk.cut, Some(Cut::NoUnwindTable));
}

#[test]
fn a_call_may_lead_by_a_stub_and_by_a_jump() {
    const JUMPS: usize = 3;
    const STUB: usize = 4;
    let mut functions = functions();
    let jump = |from: usize, to: usize| {
        let distance = i64::try_from(address(to)).unwrap() - i64::try_from(address(from) + 5).unwrap();
        [&[0xe9][..], &distance.to_le_bytes()[..4]].concat()
    };
    // The root calls a stub, whose slot has a function that jumps to the middle one.
    functions[ROOT] = Function::new(&[&call(ROOT, 0, STUB), b"\x0f\x0b"], &[&cfi::undefined(RIP)]);
    functions.push(Function::new(&[&jump(JUMPS, MIDDLE)], &[]));
    let distance = i64::try_from(slot()).unwrap() - i64::try_from(address(STUB) + 6).unwrap();
    functions.push(Function::new(&[b"\xff\x25", &distance.to_le_bytes()[..4]], &[]));
    let mut memory = program(SYSV, &functions);
    memory.write(slot(), &address(JUMPS).to_le_bytes());
    memory.add(STACK, stack(&ordinary_stack()));
    let walk = walk_from_leaf(&memory);
    assert_eq!(addresses(&walk), expected());
    assert_eq!(walk.cut, None);

    memory.write(slot(), &address(LEAF).to_le_bytes());
    assert_eq!(walk_from_leaf(&memory).cut, Some(Cut::Inconsistent));
}

/// push rbp; mov rbp, rsp; the prologue; call leaf; leave; ret
fn framed(prologue: &[u8], call: &[u8]) -> Function {
    let code = [b"\x55\x48\x89\xe5", prologue, call, b"\xc9\xc3"];
    let table = [cfi::advance(1), cfi::cfa(RSP, 16), cfi::saved(RBP, 2), cfi::advance(3), cfi::cfa(RBP, 16)];
    Function::new(&code, &table.each_ref().map(|bytes| bytes.as_slice()))
}

const SUB_16: &[u8] = b"\x48\x83\xec\x10";

#[test]
fn the_frame_pointer_is_derived_where_that_is_sure() {
    let mut functions = functions();
    functions[MIDDLE] = framed(SUB_16, &call(MIDDLE, 8, LEAF));
    let words = [1, 2, 3, address(MIDDLE) + 13, 4, 5, 6, address(ROOT) + IN_ROOT, 0];
    let expected = [address(LEAF) + IN_LEAF, address(MIDDLE) + 13, address(ROOT) + IN_ROOT];
    let walk = walked(&functions, &words);
    assert_eq!(addresses(&walk), expected);
    assert_eq!(walk.cut, None);
}

#[test]
fn an_unsure_frame_pointer_ends_the_stack() {
    let mut functions = functions();
    // and rsp, -64; sub rsp, 16
    let prologue = [b"\x48\x83\xe4\xc0", SUB_16].concat();
    functions[MIDDLE] = framed(&prologue, &call(MIDDLE, 12, LEAF));
    let words = [1, 2, 3, address(MIDDLE) + 17, 4, 5, 6, address(ROOT) + IN_ROOT, 0];
    let walk = walked(&functions, &words);
    assert_eq!(addresses(&walk), [address(LEAF) + IN_LEAF, address(MIDDLE) + 17]);
    assert_eq!(walk.cut, Some(Cut::UnknownRegister));
}

#[test]
fn what_follows_a_derived_frame_pointer_is_proven_by_the_call_or_the_root() {
    const AGAIN: usize = 3;
    let mut functions = functions();
    functions[MIDDLE] = framed(SUB_16, &call(MIDDLE, 8, LEAF));
    // The caller of the derived frame calls it by a register.
    functions.push(Function::new(&[b"\x50\xff\xd0\x58\xc3"], &[&cfi::advance(1), &cfi::cfa(RSP, 16)]));
    functions[ROOT] = Function::new(&[&call(ROOT, 0, AGAIN), b"\x0f\x0b"], &[&cfi::undefined(RIP)]);
    let words = [1, 2, 3, address(MIDDLE) + 13, 4, 5, 6, address(AGAIN) + 3, 7, address(ROOT) + IN_ROOT, 0];
    let whole = [address(LEAF) + IN_LEAF, address(MIDDLE) + 13, address(AGAIN) + 3, address(ROOT) + IN_ROOT];
    let walk = walked(&functions, &words);
    assert_eq!(addresses(&walk), whole);
    assert_eq!(walk.cut, None);

    // Without the root, nothing says that it was the right register.
    let walk = walked(&functions, &words[..9]);
    assert_eq!(addresses(&walk), whole[..2]);
    assert_eq!(walk.cut, Some(Cut::UnknownRegister));
}

#[test]
fn a_contradiction_takes_back_what_was_derived() {
    const OTHER: usize = 3;
    let mut functions = functions();
    functions[MIDDLE] = framed(SUB_16, &call(MIDDLE, 8, LEAF));
    functions.push(Function::new(
        &[b"\x50", &call(OTHER, 1, MIDDLE), b"\x58\xc3"],
        &[&cfi::advance(1), &cfi::cfa(RSP, 16)],
    ));
    // The root calls the middle one, and not the one between.
    let words = [1, 2, 3, address(MIDDLE) + 13, 4, 5, 6, address(OTHER) + 6, 7, address(ROOT) + IN_ROOT, 0];
    let walk = walked(&functions, &words);
    assert_eq!(addresses(&walk), [address(LEAF) + IN_LEAF, address(MIDDLE) + 13]);
    assert_eq!(walk.cut, Some(Cut::Inconsistent));
}

#[test]
fn an_expression_finds_the_frame() {
    let mut functions = functions();
    // The CFA is stored 8 above the stack pointer, as in GCC's realigned frames: DW_OP_breg7 8,
    // deref
    let table = [cfi::advance(1), cfi::cfa_expression(b"\x77\x08\x06")];
    let code = call(MIDDLE, 1, LEAF);
    functions[MIDDLE] =
        Function::new(&[b"\x50", &code, b"\x58\xc3"], &table.each_ref().map(|bytes| bytes.as_slice()));
    let words =
        [1, 2, 3, address(MIDDLE) + IN_MIDDLE, 9, STACK + 10 * 8, 7, 7, 7, address(ROOT) + IN_ROOT, 0];
    let walk = walked(&functions, &words);
    assert_eq!(addresses(&walk), expected());
    assert_eq!(walk.cut, None);
}

#[test]
fn the_stack_must_be_aligned() {
    let mut functions = functions();
    functions[MIDDLE].table = [cfi::advance(1), cfi::cfa(RSP, 24)].concat();
    let walk = walked(&functions, &ordinary_stack());
    assert_eq!(addresses(&walk), expected()[..2]);
    assert_eq!(walk.cut, Some(Cut::Inconsistent));
}

#[test]
fn a_signal_frame_is_walked_through() {
    const HANDLER: usize = 3;
    const TRAMPOLINE: usize = 4;
    let mut functions = functions();
    functions.push(leaf());
    // The interrupted stack pointer and address are stored above, the CFA is that stack pointer:
    // DW_OP_breg7 16, deref; the address at breg7 24.
    let table = [cfi::cfa_expression(b"\x77\x10\x06"), vec![0x10, RIP, 2, 0x77, 0x18]];
    let mut trampoline =
        Function::new(&[b"\x90\x0f\x05\x90"], &table.each_ref().map(|bytes| bytes.as_slice()));
    trampoline.signal = true;
    functions.push(trampoline);
    let interrupted = 8;
    let mut words =
        vec![1, 2, 3, address(TRAMPOLINE) + 1, 9, 9, STACK + interrupted * 8, address(LEAF) + IN_LEAF];
    words.extend(ordinary_stack());
    let mut memory = program(SYSV, &functions);
    memory.add(STACK, stack(&words));
    let walk = walk::<X86_64>(&memory, &maps(), address(HANDLER) + IN_LEAF, STACK);
    let mut whole = vec![address(HANDLER) + IN_LEAF, address(TRAMPOLINE) + 1];
    whole.extend(expected());
    assert_eq!(addresses(&walk), whole);
    assert_eq!(walk.cut, None);
    assert!(!walk.frames[2].is_return_address && walk.frames[3].is_return_address);
}

#[test]
fn a_system_call_at_the_end_of_a_table_belongs_to_it() {
    let mut functions = functions();
    // As glibc's clone3: the entry ends before the system call.
    functions[LEAF].code.truncate(4);
    let mut memory = program(SYSV, &functions);
    memory.write(address(LEAF) + 4, b"\x0f\x05");
    memory.add(STACK, stack(&ordinary_stack()));
    // The row of its bytes is of before the frame is made, and does not fit.
    let walk = walk_from_leaf(&memory);
    assert_eq!(walk.frames.len(), 1);
    assert_eq!(walk.cut, Some(Cut::Inconsistent));
    functions[LEAF].table = cfi::cfa(RSP, 32);
    let mut memory = program(SYSV, &functions);
    memory.write(address(LEAF) + 4, b"\x0f\x05");
    memory.add(STACK, stack(&ordinary_stack()));
    assert_eq!(addresses(&walk_from_leaf(&memory)), expected());
}

#[test]
fn endless_recursion_is_cut() {
    let mut functions = functions();
    functions[MIDDLE] = Function::new(
        &[b"\x50", &call(MIDDLE, 1, LEAF), &call(MIDDLE, 6, MIDDLE), b"\x58\xc3"],
        &[&cfi::advance(1), &cfi::cfa(RSP, 16)],
    );
    let mut words = vec![1, 2, 3, address(MIDDLE) + 6];
    for _ in 0..MOST_FRAMES * 2 {
        words.extend([9, address(MIDDLE) + 11]);
    }
    let walk = walked(&functions, &words);
    assert_eq!(walk.frames.len(), MOST_FRAMES);
    assert_eq!(walk.cut, Some(Cut::TooDeep));
}

#[test]
fn code_outside_of_modules_has_one_frame() {
    let memory = program(SYSV, &functions());
    let walk = walk::<X86_64>(&memory, &maps(), 0x1234, STACK);
    assert_eq!(addresses(&walk), [0x1234]);
    assert_eq!(walk.cut, Some(Cut::NoModule));
    assert!(walk.left_modules);
}

#[test]
fn a_library_that_is_mapped_as_a_file_is_no_module() {
    let memory = program(SYSV, &functions());
    let readable = maps().replace("r-xp", "r--p");
    assert!(Modules::load(&memory, &readable).at(CODE).is_none());
    let modules = Modules::load(&memory, &maps());
    assert!(modules.at(CODE).is_some());
    assert!(modules.are_those_of(&maps(), &memory));
    assert!(!modules.are_those_of(&readable, &memory));
}

#[test]
fn another_library_at_the_same_place_is_noticed() {
    let mut memory = program(SYSV, &functions());
    let modules = Modules::load(&memory, &maps());
    let module = modules.at(CODE).expect("a module");
    assert!(module.is_unchanged(&memory));
    memory.write(super::made_up::BASE + 0x310, b"another");
    assert!(!module.is_unchanged(&memory));
    assert!(!modules.are_those_of(&maps(), &memory));
}
