//! Powers of two cut into equal parts, and the bit arithmetic that finds the part of a value.
//!
//! Called by the log scale, whose buckets the parts are, and by the tables, which start their
//! search there. Never does more than shift and add.

/// All `u64` in parts: each power of two and what lies up to the next is cut into `2^precision`
/// parts of equal width.
///
/// Below `2^(precision + 1)` a part holds one value.
///
/// **Source**: the layout of H2 histograms, <https://iop.systems/blog/h2-histogram/>.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Octaves {
    precision: u32,
}

impl Octaves {
    /// `precision` is at most 62.
    pub(super) const fn new(precision: u32) -> Self {
        Self { precision }
    }

    /// Number of the part that holds `value`.
    #[inline]
    pub(super) const fn index_of(self, value: u64) -> u64 {
        let width_bits = (value | 1).ilog2().saturating_sub(self.precision);
        ((width_bits as u64) << self.precision) + (value >> width_bits)
    }

    /// The least value of part `index`; `None` where that is above `u64::MAX`.
    pub(super) fn first_of(self, index: u64) -> Option<u64> {
        let width_bits = (index >> self.precision).saturating_sub(1);
        let leading = index - (width_bits << self.precision);
        let first = u128::from(leading).checked_shl(u32::try_from(width_bits).ok()?)?;
        u64::try_from(first).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_value_of_a_part_is_in_it_and_the_value_before_is_not() {
        for precision in 0..=10 {
            let octaves = Octaves::new(precision);
            let last = octaves.index_of(u64::MAX);
            for index in 1..=last {
                let first = octaves.first_of(index).expect("a part up to that of u64::MAX has a first value");
                assert_eq!(octaves.index_of(first), index, "precision {precision}, value {first}");
                assert_eq!(
                    octaves.index_of(first - 1),
                    index - 1,
                    "precision {precision}, value {first} - 1"
                );
            }
            assert_eq!((octaves.first_of(0), octaves.first_of(last + 1)), (Some(0), None));
        }
    }
}
