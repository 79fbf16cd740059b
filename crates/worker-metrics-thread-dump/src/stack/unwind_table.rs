//! The unwind table of a module, as its `.eh_frame_hdr` and `.eh_frame` are in memory. Read by the
//! walker; whatever the bytes are, a lookup ends and finds a row or none.

use std::ops::Range;

use gimli::{
    AArch64, BaseAddresses, CfaRule, EhFrame, EhFrameOffset, EndianSlice, FrameDescriptionEntry,
    LittleEndian, RegisterRule, UnwindContext, UnwindExpression, UnwindSection, UnwindTableRow, Vendor,
};

use super::memory::Memory;
use super::row::{Cfa, Expression, Row, Rule};

type Bytes<'t> = EndianSlice<'t, LittleEndian>;
type Entry<'t> = FrameDescriptionEntry<Bytes<'t>>;

/// Scratch memory of gimli, about 25 KiB.
pub(super) type Scratch = UnwindContext<usize>;

/// A table larger than this is not read: 64 MiB, ten times that of a large service.
const MOST_BYTES: usize = 64 << 20;
/// An entry larger than this is not read. The largest of Chromium has about 20 KiB.
const MOST_ENTRY: usize = 1 << 20;

#[derive(Debug)]
pub(super) struct UnwindTable {
    /// Address of `.eh_frame_hdr`, which the index is relative to.
    header: u64,
    /// Pairs of the address of a function and that of its entry, 4 bytes each, sorted.
    index: Vec<u8>,
    /// `.eh_frame`.
    entries: Vec<u8>,
    address: u64,
}

impl UnwindTable {
    /// Reads the table whose header (`PT_GNU_EH_FRAME`) is at `header`. What holds `.eh_frame` lies
    /// in one of `segments`.
    pub(super) fn read(memory: &impl Memory, header: &Range<u64>, segments: &[Range<u64>]) -> Option<Self> {
        // What all linkers write: a relative address of .eh_frame, a count, a table of offsets from
        // here. Anything else has no index that can be searched.
        const ENCODINGS: [u8; 4] = [1, 0x1b, 0x03, 0x3b];
        let head: [u8; 12] = memory.bytes(header.start, 12).try_into().ok()?;
        if head[..4] != ENCODINGS {
            return None;
        }
        let [relative, count] = [4, 8].map(|at| u32::from_le_bytes([0, 1, 2, 3].map(|byte| head[at + byte])));
        let address = header.start.wrapping_add(4).wrapping_add_signed(i64::from(relative.cast_signed()));
        let length = usize::try_from(count).ok()?.checked_mul(8)?;
        let room = usize::try_from(header.end.checked_sub(header.start)?.checked_sub(12)?).ok()?;
        if length > room.min(MOST_BYTES) {
            return None;
        }
        let index = memory.bytes(header.start + 12, length);
        if index.len() != length {
            return None;
        }
        let segment = segments.iter().find(|segment| segment.contains(&address))?;
        let most = usize::try_from(segment.end - address).ok()?.min(MOST_BYTES);
        let mut entries = memory.bytes(address, most);
        entries.truncate(end_of_entries(&entries));
        entries.shrink_to_fit();
        Some(Self { header: header.start, index, entries, address })
    }

    /// Addresses of the function that `address` is in.
    pub(super) fn function(&self, address: u64) -> Option<Range<u64>> {
        self.entry(address).map(|entry| function(&entry))
    }

    /// The row for `address`.
    pub(super) fn row(&self, scratch: &mut Scratch, address: u64) -> Option<Row> {
        let entry = self.entry(address)?;
        let section = self.section();
        let bases = self.bases();
        let row = entry.unwind_info_for_address(&section, &bases, scratch, address).ok()?;
        let encoding = entry.cie().encoding();
        let cfa = match row.cfa() {
            CfaRule::RegisterAndOffset { register, offset } => {
                Cfa::Offset { register: register.0, offset: *offset }
            }
            CfaRule::Expression(expression) => Cfa::Expression(owned(expression, &section, encoding)?),
        };
        Some(Row {
            function: function(&entry),
            cfa,
            rules: rules(row, &section, encoding)?,
            return_address: entry.cie().return_address_register().0,
            signal: entry.is_signal_trampoline(),
            signed: is_signed(row),
        })
    }

    /// Where in the function of `address` the CFA is the first time `register` plus 16: right after
    /// the register was made the frame pointer.
    pub(super) fn frame_pointer_set(
        &self,
        scratch: &mut Scratch,
        address: u64,
        register: u16,
    ) -> Option<u64> {
        let entry = self.entry(address)?;
        let section = self.section();
        let bases = self.bases();
        let mut rows = entry.rows(&section, &bases, scratch).ok()?;
        while let Some(row) = rows.next_row().ok()? {
            if *row.cfa() == (CfaRule::RegisterAndOffset { register: gimli::Register(register), offset: 16 })
            {
                return Some(row.start_address());
            }
        }
        None
    }

    fn section(&self) -> EhFrame<Bytes<'_>> {
        let mut section = EhFrame::new(&self.entries, LittleEndian);
        // For the instruction that says that return addresses are signed; x86-64 has none with its
        // number.
        section.set_vendor(Vendor::AArch64);
        section
    }

    fn bases(&self) -> BaseAddresses {
        BaseAddresses::default().set_eh_frame(self.address).set_eh_frame_hdr(self.header)
    }

    fn entry(&self, address: u64) -> Option<Entry<'_>> {
        let wanted = i64::try_from(i128::from(address) - i128::from(self.header)).ok()?;
        let (pairs, _) = self.index.as_chunks::<8>();
        let start = |pair: &[u8; 8]| i64::from(i32::from_le_bytes([pair[0], pair[1], pair[2], pair[3]]));
        let after = pairs.partition_point(|pair| start(pair) <= wanted);
        let pair = pairs.get(after.checked_sub(1)?)?;
        let at = i64::from(i32::from_le_bytes([pair[4], pair[5], pair[6], pair[7]]));
        let offset = self.header.wrapping_add_signed(at).checked_sub(self.address)?;
        let offset = usize::try_from(offset).ok().filter(|offset| *offset < self.entries.len())?;
        let entry = self
            .section()
            .fde_from_offset(&self.bases(), EhFrameOffset(offset), EhFrame::cie_from_offset)
            .ok()?;
        // Its end must not have wrapped around.
        let sane = entry.entry_len() <= MOST_ENTRY && entry.initial_address() < entry.end_address();
        (sane && entry.contains(address)).then_some(entry)
    }
}

fn is_signed(row: &UnwindTableRow<usize>) -> bool {
    let state = row.register(AArch64::RA_SIGN_STATE);
    matches!(state, Some(RegisterRule::Constant(state)) if state & 1 == 1)
}

fn function(entry: &Entry<'_>) -> Range<u64> {
    entry.initial_address()..entry.end_address()
}

/// Where the terminator of `.eh_frame` is, or the first entry that is not whole.
fn end_of_entries(section: &[u8]) -> usize {
    let mut at = 0_usize;
    while let Some(length) = section.get(at..).and_then(<[u8]>::first_chunk::<4>) {
        let length = u32::from_le_bytes(*length);
        // No linker writes the 64-bit form here (`0xffff_ffff`).
        let next = at.saturating_add(4).saturating_add(length as usize);
        if length == 0 || length == u32::MAX || next > section.len() {
            break;
        }
        at = next;
    }
    at
}

fn owned(
    expression: &UnwindExpression<usize>,
    section: &EhFrame<Bytes<'_>>,
    encoding: gimli::Encoding,
) -> Option<Expression> {
    let code = expression.get(section).ok()?.0.slice().into();
    Some(Expression { code, encoding })
}

fn rules(
    row: &UnwindTableRow<usize>,
    section: &EhFrame<Bytes<'_>>,
    encoding: gimli::Encoding,
) -> Option<Vec<(u16, Rule)>> {
    let mut rules = Vec::new();
    for (register, rule) in row.registers() {
        if *register == AArch64::RA_SIGN_STATE {
            continue;
        }
        let rule = match rule {
            RegisterRule::SameValue => Rule::Same,
            RegisterRule::Offset(offset) => Rule::At(*offset),
            RegisterRule::ValOffset(offset) => Rule::Is(*offset),
            RegisterRule::Register(register) => Rule::Register(register.0),
            RegisterRule::Expression(code) => Rule::AtExpression(owned(code, section, encoding)?),
            RegisterRule::ValExpression(code) => Rule::IsExpression(owned(code, section, encoding)?),
            // The return address of a thread's first function is undefined, and must be that by
            // itself: what is not understood is no root.
            RegisterRule::Undefined => Rule::Undefined,
            _ => return None,
        };
        rules.push((register.0, rule));
    }
    Some(rules)
}
