use std::collections::BTreeSet;
use std::process::Command;

use super::frame::size;
use super::instruction::Instruction;
use super::{Arch, Call, Target, X86_64};

#[test]
fn an_instruction_has_its_length() {
    let cases: [(&str, &[u8]); 20] = [
        ("ret", b"\xc3"),
        ("push r15", b"\x41\x57"),
        ("mov rbp, rsp", b"\x48\x89\xe5"),
        ("sub rsp, 0x1000", b"\x48\x81\xec\x00\x10\x00\x00"),
        ("mov qword ptr [rsp], 0", b"\x48\xc7\x04\x24\x00\x00\x00\x00"),
        ("mov rax, [rip + 1]", b"\x48\x8b\x05\x01\x00\x00\x00"),
        ("lea rsp, [rbp - 0x28]", b"\x48\x8d\x65\xd8"),
        ("mov rax, [rax*8 + 1]", b"\x48\x8b\x04\xc5\x01\x00\x00\x00"),
        ("movabs rax, n", b"\x48\xb8\x01\x02\x03\x04\x05\x06\x07\x08"),
        ("mov ax, 1", b"\x66\xb8\x01\x00"),
        ("test byte ptr [rdi], 1", b"\xf6\x07\x01"),
        ("not rax", b"\x48\xf7\xd0"),
        ("jne", b"\x0f\x85\x01\x02\x03\x04"),
        ("pshufd xmm0, xmm0, 1", b"\x66\x0f\x70\xc0\x01"),
        ("pshufb xmm0, xmm1", b"\x66\x0f\x38\x00\xc1"),
        ("roundsd", b"\x66\x0f\x3a\x0b\xc0\x09"),
        ("vzeroupper", b"\xc5\xf8\x77"),
        ("vpalignr", b"\xc4\xe3\x75\x0f\xc2\x08"),
        ("vmovdqu64 [rdi], zmm16", b"\x62\xe1\xfe\x48\x7f\x07"),
        ("endbr64", b"\xf3\x0f\x1e\xfa"),
    ];
    for (name, code) in cases {
        let mut followed = code.to_vec();
        followed.extend([0x90; 16]);
        let length = Instruction::decode(&followed).map(|instruction| instruction.length);
        assert_eq!(length, Some(code.len()), "{name}");
        assert_eq!(Instruction::decode(&code[..code.len() - 1]), None, "{name}, not whole");
    }
}

#[test]
fn the_call_before_a_return_address_is_found() {
    let direct = b"\x90\xe8\xfa\x0f\x00\x00";
    assert_eq!(X86_64::last_call(direct, 0x1000, true), Some(Call::To(Target::Address(0x2000))));
    let slot = b"\xff\x15\xfa\x0f\x00\x00";
    assert_eq!(X86_64::last_call(slot, 0x1000, true), Some(Call::To(Target::Slot(0x2000))));
    for indirect in [&b"\xff\xd0"[..], b"\x41\xff\xd7", b"\xff\x50\x18", b"\xff\x94\x24\x80\x00\x00\x00"] {
        assert_eq!(X86_64::last_call(indirect, 0x1000, true), Some(Call::Indirect));
        let mut unaligned = b"\x06".to_vec();
        unaligned.extend(indirect);
        assert_eq!(
            X86_64::last_call(&unaligned, 0x1000, true),
            Some(Call::Indirect),
            "not understood before"
        );
    }
    assert_eq!(X86_64::last_call(b"\x48\x89\xe5", 0x1000, true), None);
    assert_eq!(X86_64::last_call(b"", 0x1000, true), None);
    // An immediate that ends like a call.
    assert_eq!(X86_64::last_call(b"\xb8\x00\x00\xff\xd0", 0x1000, true), None);
}

#[test]
fn a_stub_jumps_through_its_slot() {
    assert_eq!(X86_64::stub(b"\xff\x25\xfa\x0f\x00\x00", 0x1000), Some(0x2000));
    assert_eq!(X86_64::stub(b"\xf3\x0f\x1e\xfa\xff\x25\xf6\x0f\x00\x00", 0x1000), Some(0x2000));
    assert_eq!(X86_64::stub(b"\xf3\x0f\x1e\xfa\xf2\xff\x25\xf5\x0f\x00\x00", 0x1000), Some(0x2000));
    assert_eq!(X86_64::stub(b"\xff\xe0\x90\x90\x90\x90", 0x1000), None);
    assert_eq!(X86_64::stub(b"", 0x1000), None);
}

#[test]
fn jumps_are_listed() {
    // je +2; jmp [rip]; jmp rax
    let jumps = X86_64::jumps(b"\x74\x02\xff\x25\x00\x00\x00\x00\xff\xe0", 0x1000);
    assert_eq!(jumps.targets, [Target::Address(0x1004), Target::Slot(0x1008)]);
    assert!(jumps.others);
}

const CALL: &[u8] = b"\xe8\x00\x00\x00\x00";

fn frame_size(parts: &[&[u8]]) -> Option<u64> {
    // Where the last call returns to, unless there is none.
    let whole = parts.concat();
    let until = parts
        .iter()
        .rposition(|part| *part == CALL)
        .map_or(whole.len(), |call| parts[..=call].iter().map(|part| part.len()).sum());
    size(&whole, until)
}

#[test]
fn a_frame_is_as_large_as_its_prologue_says() {
    const RET: &[u8] = b"\xc3";
    let pushes: &[u8] = b"\x41\x57\x41\x56\x53";
    let small: &[u8] = b"\x48\x83\xec\x28";
    let leave: &[u8] = b"\x48\x83\xc4\x28\x5b\x41\x5e\x41\x5f\x5d\xc3";
    assert_eq!(frame_size(&[pushes, small, CALL, leave]), Some(64));
    assert_eq!(frame_size(&[CALL, b"\x5d", RET]), Some(0));
    assert_eq!(frame_size(&[b"\x48\x81\xec\x80\x00\x00\x00", CALL, b"\xc9", RET]), Some(128));
    // GCC's add rsp, -128
    assert_eq!(frame_size(&[b"\x48\x83\xc4\x80", CALL, b"\xc9", RET]), Some(128));
    assert_eq!(frame_size(&[b"\x48\x8d\x64\x24\xe0", CALL, b"\xc9", RET]), Some(32));
    // A move between the pushes.
    assert_eq!(frame_size(&[b"\x53", b"\x48\x89\xfb", small, CALL, leave]), Some(48));
    // Two ways out, the second after the first.
    assert_eq!(frame_size(&[small, b"\x74\x00", CALL, b"\xc9\xc3", CALL, b"\xc9\xc3"]), Some(40));
}

#[test]
fn large_frames_are_probed() {
    let page: &[u8] = b"\x48\x81\xec\x00\x10\x00\x00\x48\xc7\x04\x24\x00\x00\x00\x00";
    let rest: &[u8] = b"\x48\x81\xec\x10\x00\x00\x00";
    assert_eq!(frame_size(&[page, page, rest, CALL, b"\xc9\xc3"]), Some(8192 + 16));
    let back: &[u8] = b"\x4c\x39\xdc\x75\xec";
    let lea: &[u8] = b"\x4c\x8d\x9c\x24\x00\x00\xfe\xff";
    assert_eq!(frame_size(&[b"\x53", lea, page, back, rest, CALL, b"\xc9\xc3"]), Some(8 + 0x20000 + 16));
    let subtract: &[u8] = b"\x49\x89\xe3\x49\x81\xeb\x00\x00\x02\x00";
    assert_eq!(frame_size(&[subtract, page, back, rest, CALL, b"\xc9\xc3"]), Some(0x20000 + 16));
}

#[test]
fn what_is_not_sure_has_no_size() {
    let small: &[u8] = b"\x48\x83\xec\x20";
    let cases: [(&str, &[&[u8]]); 12] = [
        ("realigned", &[b"\x48\x83\xe4\xc0", small, CALL]),
        ("realigned by more", &[b"\x48\x81\xe4\x00\xf0\xff\xff", small, CALL]),
        ("lowered by a register", &[small, b"\x48\x29\xc4", CALL]),
        ("lowered by another form", &[small, b"\x48\x2b\xe0", CALL]),
        ("moved", &[small, b"\x48\x89\xc4", CALL]),
        ("moved back", &[small, b"\x48\x8b\x65\xf0", CALL]),
        ("exchanged", &[small, b"\x48\x94", CALL]),
        ("lowered after a branch", &[b"\x74\x00", small, CALL]),
        ("pushed arguments after a call", &[small, CALL, b"\x6a\x01", CALL]),
        ("arguments taken off before a call", &[small, b"\x6a\x01", CALL, b"\x48\x83\xc4\x08", CALL]),
        ("lowered 32 bits", &[b"\x83\xec\x20", CALL]),
        ("unknown", &[small, CALL, b"\x06"]),
    ];
    for (name, parts) in cases {
        assert_eq!(frame_size(parts), None, "{name}");
    }
    // In the prologue, and in the epilogue.
    let code = [&b"\x53"[..], small, CALL, b"\x48\x83\xc4\x20\x5b\x5d\xc3"].concat();
    assert_eq!(size(&code, 1), None);
    assert_eq!(size(&code, 5 + CALL.len()), Some(40));
    assert_eq!(size(&code, 5 + CALL.len() + 4), None);
}

/// Decodes this program and the C library as `objdump` does, which takes 5 s.
#[test]
#[ignore = "wants objdump"]
fn instructions_are_as_long_as_objdump_says() {
    let files = [std::env::current_exe().expect("a program").display().to_string(), libc()];
    for file in files {
        let dump = Command::new("objdump").args(["-d", "-w", "-z", &file]).output().expect("objdump runs");
        let dump = String::from_utf8_lossy(&dump.stdout).into_owned();
        let (mut seen, mut wrong) = (0, BTreeSet::new());
        for line in dump.lines() {
            let mut columns = line.split('\t');
            let (Some(_), Some(bytes), Some(text)) = (columns.next(), columns.next(), columns.next()) else {
                continue;
            };
            let bytes: Vec<u8> =
                bytes.split_whitespace().filter_map(|byte| u8::from_str_radix(byte, 16).ok()).collect();
            if bytes.is_empty() || text.contains("(bad)") || text.starts_with('.') {
                continue;
            }
            seen += 1;
            if Instruction::decode(&bytes).map(|instruction| instruction.length) != Some(bytes.len()) {
                wrong.insert(format!("{bytes:02x?} {text}"));
            }
        }
        assert!(seen > 10_000, "{file}: {seen} instructions");
        assert!(
            wrong.is_empty(),
            "{file}: {} of {seen}: {:#?}",
            wrong.len(),
            wrong.iter().take(20).collect::<Vec<_>>()
        );
    }
}

fn libc() -> String {
    let maps = std::fs::read_to_string("/proc/self/maps").expect("maps");
    let path =
        maps.lines().filter_map(|line| line.split_whitespace().last()).find(|path| path.contains("libc.so"));
    path.expect("a C library").to_owned()
}
