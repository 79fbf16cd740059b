//! The head of an ELF image in memory: where its segments are. Nothing but memory is read, no file.

use std::ops::Range;

use super::memory::Memory;

const HEADER: usize = 64;
const PROGRAM_HEADER: usize = 56;
/// More program headers than this are not read. A program has about 12.
const MOST_PROGRAM_HEADERS: usize = 64;
const PT_LOAD: u32 = 1;
const PT_NOTE: u32 = 4;
const PT_GNU_EH_FRAME: u32 = 0x6474_e550;
const PF_X: u32 = 1;
const NT_GNU_BUILD_ID: u32 = 3;

/// What the program headers of an image say. The addresses are those in memory.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Image {
    /// What is added to an address of the file.
    pub(super) bias: u64,
    pub(super) segments: Vec<Range<u64>>,
    pub(super) code: Vec<Range<u64>>,
    /// `.eh_frame_hdr`.
    pub(super) unwind_header: Option<Range<u64>>,
    pub(super) notes: Vec<Range<u64>>,
    /// Length of the header and the program headers.
    pub(super) head: usize,
}

impl Image {
    /// Reads the image that begins at `address`, if one does.
    pub(super) fn read(memory: &impl Memory, address: u64) -> Option<Self> {
        let header: [u8; HEADER] = memory.bytes(address, HEADER).try_into().ok()?;
        // 64 bits, little-endian.
        if header[..6] != *b"\x7fELF\x02\x01" {
            return None;
        }
        let [size, count] = [54, 56].map(|at| usize::from(u16::from_le_bytes([header[at], header[at + 1]])));
        let at = long(&header, 32)?;
        if size != PROGRAM_HEADER || count > MOST_PROGRAM_HEADERS {
            return None;
        }
        let bytes = memory.bytes(address.checked_add(at)?, size * count);
        let (headers, _) = bytes.as_chunks::<PROGRAM_HEADER>();
        let first = headers.iter().find(|head| kind(head) == PT_LOAD && long(*head, 8) == Some(0))?;
        let bias = address.wrapping_sub(long(first, 16)?);

        let mut image = Self {
            bias,
            segments: Vec::new(),
            code: Vec::new(),
            unwind_header: None,
            notes: Vec::new(),
            head: HEADER.max(usize::try_from(at).ok()?.checked_add(bytes.len())?),
        };
        for head in headers {
            let start = bias.wrapping_add(long(head, 16)?);
            let Some(end) = start.checked_add(long(head, 40)?) else { continue };
            let range = start..end;
            match kind(head) {
                PT_LOAD => {
                    if flags(head) & PF_X != 0 {
                        image.code.push(range.clone());
                    }
                    image.segments.push(range);
                }
                PT_GNU_EH_FRAME => image.unwind_header = Some(range),
                PT_NOTE => image.notes.push(range),
                _ => {}
            }
        }
        Some(image)
    }

    /// The build id, and where it is.
    pub(super) fn build_id(&self, memory: &impl Memory) -> Option<(u64, Vec<u8>)> {
        /// Notes are short; in a core file they are not.
        const MOST: u64 = 4096;
        self.notes.iter().find_map(|range| {
            let length = usize::try_from((range.end - range.start).min(MOST)).ok()?;
            let notes = memory.bytes(range.start, length);
            let mut at = 0_usize;
            while let Some(head) = notes.get(at..).and_then(<[u8]>::first_chunk::<12>) {
                let [name, description, kind] =
                    [0, 4, 8].map(|at| u32::from_le_bytes([0, 1, 2, 3].map(|byte| head[at + byte])));
                let name_at = at + 12;
                let at_description = name_at.checked_add((name as usize).checked_next_multiple_of(4)?)?;
                let end = at_description.checked_add(description as usize)?;
                if kind == NT_GNU_BUILD_ID && notes.get(name_at..name_at + 4) == Some(b"GNU\0") {
                    let id = notes.get(at_description..end)?;
                    return Some((range.start + at_description as u64, id.to_vec()));
                }
                at = end.checked_next_multiple_of(4)?;
            }
            None
        })
    }
}

fn kind(head: &[u8; PROGRAM_HEADER]) -> u32 {
    u32::from_le_bytes([head[0], head[1], head[2], head[3]])
}

fn flags(head: &[u8; PROGRAM_HEADER]) -> u32 {
    u32::from_le_bytes([head[4], head[5], head[6], head[7]])
}

fn long(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..).and_then(<[u8]>::first_chunk::<8>).map(|bytes| u64::from_le_bytes(*bytes))
}
