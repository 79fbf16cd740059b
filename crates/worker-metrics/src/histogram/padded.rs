//! Words that share no cache line with anything else on the heap.
//!
//! Used by both histograms. Never grows.

use std::fmt;

/// Words left free at either end, 128 bytes.
///
/// The lines of a worker's histogram are written at each poll, and the histograms of several
/// workers are often made one after another, so that the allocator puts them side by side. 128
/// bytes because x86-64 fetches 64-byte lines in pairs and some AArch64 cores have lines of 128:
/// the evidence stands in crossbeam-utils' `cache_padded.rs`,
/// <https://docs.rs/crossbeam-utils/latest/src/crossbeam_utils/cache_padded.rs.html>.
const FREE: usize = 16;

/// A fixed number of words with [`FREE`] unused ones before and after.
pub(super) struct Padded<T> {
    words: Box<[T]>,
}

impl<T: Default> Padded<T> {
    pub(super) fn new(len: usize) -> Self {
        Self { words: std::iter::repeat_with(T::default).take(FREE + len + FREE).collect() }
    }

    #[inline]
    pub(super) fn as_slice(&self) -> &[T] {
        self.words().unwrap_or_default()
    }

    /// [`as_slice`](Self::as_slice); there always is one.
    #[inline]
    pub(super) fn words(&self) -> Option<&[T]> {
        self.words.get(FREE..self.words.len() - FREE)
    }

    /// The word at `index`, which is below the length.
    #[inline]
    pub(super) fn get(&self, index: usize) -> Option<&T> {
        self.words.get(FREE + index)
    }

    /// The word at `index`, which is below the length.
    #[inline]
    pub(super) fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        self.words.get_mut(FREE + index)
    }
}

impl<T: Default + fmt::Debug> fmt::Debug for Padded<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_slice().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_lies_128_bytes_or_more_from_the_ends() {
        for len in [1, 15, 16, 17, 119] {
            let mut padded = Padded::<u64>::new(len);
            let end = (padded.words.len() - FREE) * size_of::<u64>();
            assert_eq!(padded.as_slice().len(), len);
            for index in 0..len {
                *padded.get_mut(index).expect("below the length") += 1;
            }
            assert!(padded.as_slice().iter().all(|&word| word == 1));
            assert!(FREE * size_of::<u64>() >= 128 && padded.words.len() * size_of::<u64>() - end >= 128);
            assert_eq!(padded.words.iter().sum::<u64>(), len as u64, "nothing outside was written");
        }
    }
}
