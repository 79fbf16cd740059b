//! The part of a stack that one walk reads, in pieces of 4 KiB that are read when they are wanted.
//! A walk sees each piece as it was at its first read.

use super::memory::Memory;

const SIZE: usize = 4096;
/// The most that one walk reads: 2 MiB, the stack of a thread of std by default.
const MOST: usize = 512;
/// What is kept for the next walk, 256 KiB.
const KEPT: usize = 64;

#[derive(Debug, Default)]
pub(super) struct Pieces {
    pieces: Vec<Piece>,
    used: usize,
    last: usize,
}

#[derive(Debug)]
struct Piece {
    address: u64,
    length: usize,
    bytes: Box<[u8]>,
}

impl Pieces {
    /// Forgets what was read.
    pub(super) fn clear(&mut self) {
        self.used = 0;
        self.last = 0;
        self.pieces.truncate(KEPT);
    }

    /// The 8 bytes at `address`, if they can be read.
    pub(super) fn word(&mut self, memory: &impl Memory, address: u64) -> Option<u64> {
        let mut word = [0; 8];
        self.read(memory, address, &mut word)?;
        Some(u64::from_le_bytes(word))
    }

    /// Fills `into` from `address` on, at most 8 bytes.
    pub(super) fn read(&mut self, memory: &impl Memory, address: u64, into: &mut [u8]) -> Option<()> {
        let mut done = 0;
        while done < into.len() {
            let from = address.checked_add(done as u64)?;
            let start = from - from % SIZE as u64;
            let offset = usize::try_from(from % SIZE as u64).ok()?;
            let piece = self.piece(memory, start)?;
            let read = piece.bytes.get(offset..piece.length)?;
            let count = read.len().min(into.len() - done);
            if count == 0 {
                return None;
            }
            into[done..done + count].copy_from_slice(&read[..count]);
            done += count;
        }
        Some(())
    }

    fn piece(&mut self, memory: &impl Memory, start: u64) -> Option<&Piece> {
        let used = &self.pieces[..self.used];
        let found = match used.get(self.last) {
            Some(piece) if piece.address == start => Some(self.last),
            _ => used.iter().rposition(|piece| piece.address == start),
        };
        self.last = match found {
            Some(index) => index,
            None if self.used == MOST => return None,
            None => {
                if self.used == self.pieces.len() {
                    let bytes = vec![0; SIZE].into_boxed_slice();
                    self.pieces.push(Piece { address: 0, length: 0, bytes });
                }
                let piece = &mut self.pieces[self.used];
                piece.address = start;
                piece.length = memory.read(start, &mut piece.bytes);
                self.used += 1;
                self.used - 1
            }
        };
        self.pieces.get(self.last)
    }
}
