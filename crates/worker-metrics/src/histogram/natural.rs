//! Natural numbers of any size, as much of them as the ends of exponential buckets need.
//!
//! Called while an exponential scale is built. Never called while a value is recorded.

use std::cmp::Ordering;

/// A natural number: 64-bit limbs, the least significant first, the last one never 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Natural {
    limbs: Vec<u64>,
}

impl From<u64> for Natural {
    fn from(value: u64) -> Self {
        Self::normalized(vec![value])
    }
}

impl Natural {
    fn normalized(mut limbs: Vec<u64>) -> Self {
        while limbs.last() == Some(&0) {
            limbs.pop();
        }
        Self { limbs }
    }

    /// This number raised to the power of `2^times`.
    pub(super) fn squared(self, times: u32) -> Self {
        (0..times).fold(self, |number, _| number.square())
    }

    fn square(&self) -> Self {
        let mut product = vec![0; 2 * self.limbs.len()];
        for (shift, &left) in self.limbs.iter().enumerate() {
            let mut carry = 0;
            for (limb, &right) in product[shift..].iter_mut().zip(&self.limbs) {
                (*limb, carry) =
                    halves(u128::from(left) * u128::from(right) + u128::from(*limb) + u128::from(carry));
            }
            product[shift + self.limbs.len()] = carry;
        }
        Self::normalized(product)
    }

    /// This number times `2^bits`.
    pub(super) fn shifted(&self, bits: u32) -> Self {
        let mut limbs = vec![0; (bits / u64::BITS) as usize];
        let mut carry = 0;
        for &limb in &self.limbs {
            let (low, high) = halves(u128::from(limb) << (bits % u64::BITS));
            limbs.push(low | carry);
            carry = high;
        }
        limbs.push(carry);
        Self::normalized(limbs)
    }
}

impl PartialOrd for Natural {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Natural {
    fn cmp(&self, other: &Self) -> Ordering {
        let most_significant_first = || self.limbs.iter().rev().cmp(other.limbs.iter().rev());
        self.limbs.len().cmp(&other.limbs.len()).then_with(most_significant_first)
    }
}

/// The low and the high half.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the first cast is there to cut, the second cuts nothing"
)]
fn halves(value: u128) -> (u64, u64) {
    (value as u64, (value >> 64) as u64)
}

#[cfg(test)]
mod tests {
    use num_bigint::BigUint;
    use proptest::prelude::*;

    use super::*;

    fn big(number: &Natural) -> BigUint {
        number.limbs.iter().rev().fold(BigUint::ZERO, |sum, &limb| (sum << 64) + limb)
    }

    proptest! {
        #[test]
        fn squares_shifts_and_order_are_those_of_num_bigint(
            left: u64, right: u64, times in 0..=6u32, bits in 0..300u32,
        ) {
            let (small, large) = (Natural::from(left).squared(times), Natural::from(right).shifted(bits));
            prop_assert_eq!(big(&small), BigUint::from(left).pow(1 << times));
            prop_assert_eq!(big(&large), BigUint::from(right) << bits);
            prop_assert_eq!(small.cmp(&large), big(&small).cmp(&big(&large)));
        }
    }

    #[test]
    fn zero_has_no_limbs_whatever_is_done_to_it() {
        let zero = Natural::from(0);
        assert_eq!(zero.shifted(200), zero);
        assert_eq!(zero.clone().squared(6), zero);
        assert!(zero < Natural::from(1));
    }
}
