//! The encoding of protobuf fields.
//!
//! Every field number that OTLP metrics use is below 16, so that a key is one byte.
//!
//! **Source**: <https://protobuf.dev/programming-guides/encoding/>.

use bytes::{BufMut, BytesMut};

const VARINT: u8 = 0;
const FIXED64: u8 = 1;
const DELIMITED: u8 = 2;

/// Length of a field of 8 bytes.
pub(crate) const FIXED64_LEN: usize = 9;

fn key(number: u8, wire_type: u8) -> u8 {
    debug_assert!(number < 16, "the key of a field is one byte");
    number << 3 | wire_type
}

/// Length of a varint.
pub(crate) fn varint_len(value: u64) -> usize {
    (value | 1).ilog2() as usize / 7 + 1
}

pub(crate) fn put_varint(to: &mut impl BufMut, mut value: u64) {
    while value >= 0x80 {
        to.put_u8(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    to.put_u8(value.to_le_bytes()[0]);
}

/// Length of a field that holds `len` bytes.
pub(crate) fn delimited_len(len: usize) -> usize {
    1 + varint_len(len as u64) + len
}

/// Writes the key and the length that precede the `len` bytes of a field.
pub(crate) fn put_delimited(to: &mut impl BufMut, number: u8, len: usize) {
    to.put_u8(key(number, DELIMITED));
    put_varint(to, len as u64);
}

/// Writes a field whose length is known once `put` has written it. An `expected` length that is as
/// many digits long spares it from being moved.
pub(crate) fn put_nested(to: &mut BytesMut, number: u8, expected: usize, put: impl FnOnce(&mut BytesMut)) {
    let start = to.len();
    put_delimited(to, number, expected);
    let from = to.len();
    put(to);
    let len = to.len() - from;
    let gap = set_gap(to, start, from, delimited_len(len) - len);
    put_delimited(&mut &mut *gap, number, len);
}

/// Makes the gap from `start` to `end` so many bytes wide.
pub(crate) fn set_gap(to: &mut BytesMut, start: usize, end: usize, width: usize) -> &mut [u8] {
    let (len, is_at) = (to.len(), start + width);
    if is_at > end {
        to.put_bytes(0, is_at - end);
    }
    if is_at != end {
        to.copy_within(end..len, is_at);
        to.truncate(len + is_at - end);
    }
    &mut to[start..is_at]
}

/// Writes a varint field; nothing if the number is 0.
pub(crate) fn put_number(to: &mut impl BufMut, number: u8, value: u64) {
    if value != 0 {
        to.put_u8(key(number, VARINT));
        put_varint(to, value);
    }
}

/// The varint of a `sint32`.
pub(crate) fn zigzag(value: i32) -> u64 {
    u64::from(((value << 1) ^ (value >> 31)).cast_unsigned())
}

/// Writes a field of 8 bytes; nothing if the number is 0.
pub(crate) fn put_fixed64(to: &mut impl BufMut, number: u8, value: u64) {
    if value != 0 {
        put_fixed64_always(to, number, value);
    }
}

/// Writes a field of 8 bytes, also if the number is 0: for optional fields, 0 differs from absent.
pub(crate) fn put_fixed64_always(to: &mut impl BufMut, number: u8, value: u64) {
    to.put_u8(key(number, FIXED64));
    to.put_u64_le(value);
}

/// Writes a packed field of 8-byte numbers; nothing if there are none.
pub(crate) fn put_fixed64s(to: &mut BytesMut, number: u8, values: &[u64]) {
    if values.is_empty() {
        return;
    }
    put_delimited(to, number, 8 * values.len());
    if cfg!(target_endian = "little") {
        to.put_slice(bytemuck::cast_slice(values));
    } else {
        values.iter().for_each(|&value| to.put_u64_le(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_as_long_as_they_are_said_to_be_and_read_back() {
        let edges = (0..64).flat_map(|bit| [(1_u64 << bit) - 1, 1 << bit, (1 << bit) + 1]).chain([u64::MAX]);
        for value in edges {
            let mut bytes = Vec::new();
            put_varint(&mut bytes, value);
            assert_eq!(bytes.len(), varint_len(value), "{value}");
            let read = usize::try_from(value).map(prost::length_delimiter_len);
            assert_eq!(read, Ok(bytes.len()), "{value}");
            assert_eq!(prost::decode_length_delimiter(&*bytes).ok(), usize::try_from(value).ok());
        }
    }

    #[test]
    fn small_numbers_of_either_sign_are_small() {
        assert_eq!([0, -1, 1, -2, 2].map(zigzag), [0, 1, 2, 3, 4]);
        assert_eq!((zigzag(i32::MAX), zigzag(i32::MIN)), (u64::from(u32::MAX) - 1, u64::from(u32::MAX)));
    }
}
