//! A program in made-up memory: an ELF image with code and an unwind table, and a stack.

use std::fmt::Write as _;

use crate::stack::arch::Arch;
use crate::stack::caches::Caches;
use crate::stack::memory::Memory;
use crate::stack::modules::Modules;
use crate::stack::pieces::Pieces;
use crate::stack::walk::{Start, Walk, Walker};

pub(super) const BASE: u64 = 0x10_0000;
pub(super) const CODE: u64 = BASE + 0x1000;
const CODE_SIZE: usize = 0x3000;
const HEADER: u64 = BASE + 0x4000;
const TABLE: u64 = BASE + 0x5000;
const DATA: u64 = BASE + 0x8000;
pub(super) const END: u64 = BASE + 0x9000;
pub(super) const STACK: u64 = 0x7f00_0000_0000;

/// Memory that consists of regions.
#[derive(Debug, Default)]
pub(super) struct MadeUp {
    regions: Vec<(u64, Vec<u8>)>,
}

impl MadeUp {
    pub(super) fn add(&mut self, address: u64, bytes: Vec<u8>) {
        self.regions.push((address, bytes));
    }

    pub(super) fn write(&mut self, address: u64, bytes: &[u8]) {
        let (start, region) = self
            .regions
            .iter_mut()
            .find(|(start, region)| (*start..*start + region.len() as u64).contains(&address))
            .expect("a region");
        let at = usize::try_from(address - *start).expect("small");
        region[at..at + bytes.len()].copy_from_slice(bytes);
    }
}

impl Memory for MadeUp {
    fn read(&self, address: u64, into: &mut [u8]) -> usize {
        let region = self
            .regions
            .iter()
            .find(|(start, region)| (*start..start.saturating_add(region.len() as u64)).contains(&address));
        let Some((start, region)) = region else { return 0 };
        let at = usize::try_from(address - start).expect("small");
        let count = into.len().min(region.len() - at);
        into[..count].copy_from_slice(&region[at..at + count]);
        count
    }
}

/// A function: its code and the instructions of its unwind table.
#[derive(Clone, Debug)]
pub(super) struct Function {
    pub(super) code: Vec<u8>,
    pub(super) table: Vec<u8>,
    pub(super) signal: bool,
}

impl Function {
    pub(super) fn new(code: &[&[u8]], table: &[&[u8]]) -> Self {
        Self { code: code.concat(), table: table.concat(), signal: false }
    }
}

/// What the instructions of an unwind table are written as.
pub(super) mod cfi {
    pub(in crate::stack::tests) fn cfa(register: u8, offset: u8) -> Vec<u8> {
        assert!(offset < 0x80);
        vec![0x0c, register, offset]
    }

    pub(in crate::stack::tests) fn cfa_expression(code: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0x0f, u8::try_from(code.len()).expect("short")];
        bytes.extend(code);
        bytes
    }

    /// Saved `words` times 8 below the CFA.
    pub(in crate::stack::tests) fn saved(register: u8, words: u8) -> Vec<u8> {
        vec![0x80 | register, words]
    }

    pub(in crate::stack::tests) fn advance(bytes: u8) -> Vec<u8> {
        assert!(bytes < 0x40);
        vec![0x40 | bytes]
    }

    pub(in crate::stack::tests) fn undefined(register: u8) -> Vec<u8> {
        vec![0x07, register]
    }

    pub(in crate::stack::tests) const NEGATE_RA_STATE: &[u8] = &[0x2d];
}

/// The rules that each function begins with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Convention {
    pub(super) return_address: u8,
    pub(super) initial: &'static [u8],
}

/// A program whose functions are at [`CODE`], 256 bytes apart, and where each begins.
pub(super) fn program(convention: Convention, functions: &[Function]) -> MadeUp {
    let mut code = vec![0xcc; CODE_SIZE];
    let mut table = Vec::new();
    let mut index = Vec::new();
    for (number, function) in functions.iter().enumerate() {
        let start = address(number);
        let at = number * 256;
        code[at..at + function.code.len()].copy_from_slice(&function.code);
        let entries = entries(convention, function, start, TABLE + table.len() as u64);
        let entry = TABLE + table.len() as u64 + u64::try_from(entries.0).expect("short");
        index.push((relative(start, HEADER), relative(entry, HEADER)));
        table.extend(entries.1);
    }
    table.extend([0; 4]);

    let mut header = vec![1, 0x1b, 0x03, 0x3b];
    header.extend(relative(TABLE, HEADER + 4).to_le_bytes());
    header.extend(u32::try_from(index.len()).expect("few").to_le_bytes());
    for (function, entry) in index {
        header.extend(function.to_le_bytes());
        header.extend(entry.to_le_bytes());
    }
    let mut memory = MadeUp::default();
    memory.add(BASE, image(header.len()));
    memory.write(CODE, &code);
    memory.write(HEADER, &header);
    memory.write(TABLE, &table);
    memory
}

/// Where a function of the program begins.
pub(super) fn address(number: usize) -> u64 {
    CODE + number as u64 * 256
}

/// Address of a slot for a function's address, which is 0 at first.
pub(super) fn slot() -> u64 {
    DATA
}

fn relative(address: u64, from: u64) -> i32 {
    i32::try_from(i128::from(address) - i128::from(from)).expect("near")
}

/// A CIE and an FDE, and where the FDE begins in them.
fn entries(convention: Convention, function: &Function, start: u64, at: u64) -> (usize, Vec<u8>) {
    let mut common = vec![0, 0, 0, 0, 1];
    common.extend(if function.signal { &b"zRS\0"[..] } else { b"zR\0" });
    // Code factor 1, data factor -8, the encoding of addresses: relative, 4 bytes.
    common.extend([1, 0x78, convention.return_address, 1, 0x1b]);
    common.extend(convention.initial);
    let mut bytes = sized(common);
    let begin = bytes.len();

    let mut entry = u32::try_from(begin + 4).expect("short").to_le_bytes().to_vec();
    entry.extend(relative(start, at + begin as u64 + 8).to_le_bytes());
    entry.extend(u32::try_from(function.code.len()).expect("short").to_le_bytes());
    entry.push(0);
    entry.extend(&function.table);
    bytes.extend(sized(entry));
    (begin, bytes)
}

/// The bytes with their length before them, padded to a multiple of 4.
fn sized(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    let mut sized = u32::try_from(bytes.len()).expect("short").to_le_bytes().to_vec();
    sized.extend(bytes);
    sized
}

fn image(header: usize) -> Vec<u8> {
    let mut image = vec![0; usize::try_from(END - BASE).expect("small")];
    image[..6].copy_from_slice(b"\x7fELF\x02\x01");
    image[32..40].copy_from_slice(&64_u64.to_le_bytes());
    image[54..56].copy_from_slice(&56_u16.to_le_bytes());
    let whole = END - BASE;
    let headers = [
        (1_u32, 4_u32, 0, whole),
        (1, 5, CODE - BASE, CODE_SIZE as u64),
        (0x6474_e550, 4, HEADER - BASE, header as u64),
        (4, 4, 0x300, 36),
    ];
    image[56..58].copy_from_slice(&u16::try_from(headers.len()).expect("few").to_le_bytes());
    for (number, (kind, flags, address, size)) in headers.into_iter().enumerate() {
        let at = 64 + number * 56;
        image[at..at + 4].copy_from_slice(&kind.to_le_bytes());
        image[at + 4..at + 8].copy_from_slice(&flags.to_le_bytes());
        for (field, value) in [(8, address), (16, address), (32, size), (40, size)] {
            image[at + field..at + field + 8].copy_from_slice(&value.to_le_bytes());
        }
    }
    let note: Vec<u8> = [4_u32, 20, 3].iter().flat_map(|field| field.to_le_bytes()).collect();
    image[0x300..0x30c].copy_from_slice(&note);
    image[0x30c..0x310].copy_from_slice(b"GNU\0");
    image[0x310..0x324].copy_from_slice(b"\x01\x02345678901234567890"[..20].as_ref());
    image
}

/// The list of mappings of such a program.
pub(super) fn maps() -> String {
    let mut maps = String::new();
    let (code, header) = (CODE, HEADER);
    let _ = writeln!(maps, "{BASE:x}-{code:x} r--p 00000000 fe:00 1 /app");
    let _ = writeln!(maps, "{code:x}-{header:x} r-xp 00001000 fe:00 1 /app");
    let _ = writeln!(maps, "{header:x}-{END:x} rw-p 00004000 fe:00 1 /app");
    maps
}

/// The words as a stack that begins at [`STACK`].
pub(super) fn stack(words: &[u64]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// Walks a stack, twice: what is remembered changes nothing.
pub(super) fn walk<A: Arch>(memory: &MadeUp, maps: &str, pc: u64, sp: u64) -> Walk {
    let modules = Modules::load(memory, maps);
    let mut caches = Caches::default();
    let mut pieces = Pieces::default();
    let mut again = || {
        pieces.clear();
        let mut walker = Walker { memory, modules: &modules, caches: &mut caches, stack: &mut pieces };
        walker.walk::<A>(Start { stack_pointer: sp, program_counter: pc })
    };
    let first = again();
    let second = again();
    assert_eq!(addresses(&first), addresses(&second));
    assert_eq!(first.cut, second.cut);
    first
}

pub(super) fn addresses(walk: &Walk) -> Vec<u64> {
    walk.frames.iter().map(|frame| frame.address).collect()
}
