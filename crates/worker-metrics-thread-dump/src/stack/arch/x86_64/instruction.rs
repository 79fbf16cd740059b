//! Instructions of x86-64: their length and operands, as far as the walker wants to know. What is
//! not known is no instruction; nothing is executed.
//!
//! Source: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2, appendix A.

/// One instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Instruction {
    pub(super) length: usize,
    /// The bits W, R, X and B; 0 if there is no REX prefix, or if it is a vector instruction.
    pub(super) rex: u8,
    pub(super) map: Map,
    pub(super) opcode: u8,
    pub(super) modrm: Option<ModRm>,
    pub(super) immediate: i64,
}

/// Which table of opcodes the opcode is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Map {
    /// Those of one byte.
    One,
    /// Those after `0f`.
    Two,
    /// The others, and those with a VEX or EVEX prefix.
    Other,
}

/// The operands in registers or memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ModRm {
    pub(super) mode: u8,
    /// With the bit of the REX prefix.
    pub(super) register: u8,
    /// With the bit of the REX prefix: a register if `mode` is 3, else the base.
    pub(super) operand: u8,
    /// The memory is relative to the next instruction.
    pub(super) relative: bool,
    /// Scale, index and base, as in the byte.
    pub(super) sib: Option<u8>,
    pub(super) displacement: i32,
}

/// What follows the opcode.
#[derive(Clone, Copy)]
enum Form {
    Invalid,
    Plain,
    ModRm,
    /// Bytes of the immediate after operands.
    ModRmImmediate(usize),
    Immediate(usize),
    /// 4 bytes, 2 with an operand-size prefix.
    Word,
    /// The same after operands.
    ModRmWord,
    /// `f6` and `f7`, whose first two instructions have an immediate.
    Group3 {
        word: bool,
    },
    /// `b8` to `bf`, which can have 8 bytes.
    Quad,
    /// `a0` to `a3`, which have an address.
    Address,
}

fn one(opcode: u8) -> Form {
    match opcode {
        0x00..=0x3f => match opcode & 7 {
            0..4 => Form::ModRm,
            4 => Form::Immediate(1),
            5 => Form::Word,
            _ => Form::Invalid,
        },
        0x50..=0x5f | 0x6c..=0x6f | 0x90..=0x99 | 0x9b..=0x9f => Form::Plain,
        0xa4..=0xa7 | 0xaa..=0xaf | 0xc3 | 0xc9 | 0xcb | 0xcc | 0xcf | 0xd7 => Form::Plain,
        0xec..=0xef | 0xf1 | 0xf4 | 0xf5 | 0xf8..=0xfd => Form::Plain,
        0x63 | 0x84..=0x8f | 0xd0..=0xd3 | 0xd8..=0xdf | 0xfe | 0xff => Form::ModRm,
        0x6b | 0x80 | 0x83 | 0xc0 | 0xc1 | 0xc6 => Form::ModRmImmediate(1),
        0x69 | 0x81 | 0xc7 => Form::ModRmWord,
        0x68 | 0xa9 => Form::Word,
        0x6a | 0x70..=0x7f | 0xa8 | 0xb0..=0xb7 | 0xcd | 0xe0..=0xe7 | 0xeb => Form::Immediate(1),
        0xc2 | 0xca => Form::Immediate(2),
        0xc8 => Form::Immediate(3),
        // A near call or jump has 4 bytes with an operand-size prefix, too (Intel).
        0xe8 | 0xe9 => Form::Immediate(4),
        0xa0..=0xa3 => Form::Address,
        0xb8..=0xbf => Form::Quad,
        0xf6 => Form::Group3 { word: false },
        0xf7 => Form::Group3 { word: true },
        _ => Form::Invalid,
    }
}

fn two(opcode: u8) -> Form {
    match opcode {
        0x04 | 0x0a | 0x0c | 0x0e | 0x0f | 0x24..=0x27 | 0x36 | 0x38..=0x3f => Form::Invalid,
        0x05..=0x09 | 0x0b | 0x30..=0x37 | 0x77 | 0xa0..=0xa2 | 0xa8..=0xaa | 0xc8..=0xcf => Form::Plain,
        0x80..=0x8f => Form::Immediate(4),
        _ => vector_two(opcode),
    }
}

fn vector_two(opcode: u8) -> Form {
    match opcode {
        0x70..=0x73 | 0xa4 | 0xac | 0xba | 0xc2 | 0xc4..=0xc6 => Form::ModRmImmediate(1),
        0x77 => Form::Plain,
        _ => Form::ModRm,
    }
}

impl Instruction {
    /// The instruction that `code` begins with.
    pub(super) fn decode(code: &[u8]) -> Option<Self> {
        /// No instruction is longer.
        const MOST: usize = 15;
        let mut reader = Reader { code: &code[..code.len().min(MOST)], at: 0 };
        let (mut short, mut address32) = (false, false);
        let mut byte = reader.byte()?;
        loop {
            match byte {
                0x66 => short = true,
                0x67 => address32 = true,
                0x26 | 0x2e | 0x36 | 0x3e | 0x64 | 0x65 | 0xf0 | 0xf2 | 0xf3 => {}
                _ => break,
            }
            byte = reader.byte()?;
        }
        let mut rex = 0;
        if byte & 0xf0 == 0x40 {
            rex = byte & 0x0f;
            byte = reader.byte()?;
        }
        let (map, opcode, form) = match byte {
            0x0f => match reader.byte()? {
                0x38 => (Map::Other, reader.byte()?, Form::ModRm),
                0x3a => (Map::Other, reader.byte()?, Form::ModRmImmediate(1)),
                opcode => (Map::Two, opcode, two(opcode)),
            },
            0xc5 => {
                reader.byte()?;
                let opcode = reader.byte()?;
                (Map::Other, opcode, vector_two(opcode))
            }
            0xc4 | 0x62 => {
                let mask = if byte == 0xc4 { 0x1f } else { 0x07 };
                let table = reader.byte()? & mask;
                reader.byte()?;
                if byte == 0x62 {
                    reader.byte()?;
                }
                let opcode = reader.byte()?;
                let form = match table {
                    1 => vector_two(opcode),
                    2 | 5 | 6 => Form::ModRm,
                    3 => Form::ModRmImmediate(1),
                    _ => Form::Invalid,
                };
                (Map::Other, opcode, form)
            }
            // XOP instructions have a table of 8 or more where `pop` has a register of 0.
            0x8f if reader.peek()? & 0x38 != 0 => return None,
            opcode => (Map::One, opcode, one(opcode)),
        };
        let word = if short && rex & 8 == 0 { 2 } else { 4 };
        let (has_modrm, size) = match form {
            Form::Invalid => return None,
            Form::Plain => (false, 0),
            Form::ModRm => (true, 0),
            Form::ModRmImmediate(size) => (true, size),
            Form::Immediate(size) => (false, size),
            Form::Word => (false, word),
            Form::ModRmWord => (true, word),
            Form::Group3 { word: wide } => {
                let immediate = reader.peek()? & 0x30 == 0;
                (
                    true,
                    if !immediate {
                        0
                    } else if wide {
                        word
                    } else {
                        1
                    },
                )
            }
            Form::Quad => (false, if rex & 8 != 0 { 8 } else { word }),
            Form::Address => (false, if address32 { 4 } else { 8 }),
        };
        let modrm = if has_modrm { Some(reader.modrm(rex)?) } else { None };
        let immediate = reader.signed(size)?;
        Some(Self { length: reader.at, rex, map, opcode, modrm, immediate })
    }
}

struct Reader<'c> {
    code: &'c [u8],
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.code.get(self.at).copied()
    }

    fn byte(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    /// A number of as many as 8 bytes.
    fn signed(&mut self, size: usize) -> Option<i64> {
        let bytes = self.code.get(self.at..self.at + size)?;
        self.at += size;
        let negative = bytes.last().is_some_and(|last| last & 0x80 != 0);
        let mut whole = [if negative { 0xff } else { 0 }; 8];
        whole[..size].copy_from_slice(bytes);
        Some(i64::from_le_bytes(whole))
    }

    fn modrm(&mut self, rex: u8) -> Option<ModRm> {
        let byte = self.byte()?;
        let (mode, low) = (byte >> 6, byte & 7);
        let sib = if mode != 3 && low == 4 { Some(self.byte()?) } else { None };
        let relative = mode == 0 && low == 5;
        let no_base = mode == 0 && sib.is_some_and(|sib| sib & 7 == 5);
        let size = match mode {
            1 => 1,
            2 => 4,
            _ if relative || no_base => 4,
            _ => 0,
        };
        let displacement = i32::try_from(self.signed(size)?).ok()?;
        let register = byte >> 3 & 7 | (rex & 4) << 1;
        let operand = low | (rex & 1) << 3;
        Some(ModRm { mode, register, operand, relative, sib, displacement })
    }
}
