//! One data point, as the fields of its message.

use bytes::{BufMut, BytesMut};

use super::Kind;
use crate::otlp::wire;

/// A point of a number.
#[derive(Debug)]
pub(super) struct Point<'a> {
    pub(super) kind: Kind,
    /// Written with the number [`ATTRIBUTES`].
    pub(super) attributes: &'a [u8],
    pub(super) start_ns: u64,
    pub(super) time_ns: u64,
    /// `None` where the series has ended: no recorded value.
    pub(super) bits: Option<u64>,
}

const AS_DOUBLE: u8 = 4;
const AS_INT: u8 = 6;
/// The number of the field that holds an attribute.
pub(super) const ATTRIBUTES: u8 = 7;
const FLAGS: u8 = 8;

impl Point<'_> {
    /// Bytes of the message.
    pub(super) fn len(&self) -> usize {
        let value = match self.bits {
            Some(_) => wire::FIXED64_LEN,
            None => wire::number_len(wire::NO_RECORDED_VALUE),
        };
        self.attributes.len() + wire::fixed64_len(self.start_ns) + wire::fixed64_len(self.time_ns) + value
    }

    /// Writes the fields in the order of their numbers.
    pub(super) fn put(&self, to: &mut BytesMut) {
        wire::put_fixed64(to, wire::START, self.start_ns);
        wire::put_fixed64(to, wire::TIME, self.time_ns);
        let value = if self.kind.is_time() { AS_DOUBLE } else { AS_INT };
        if let Some(bits) = self.bits {
            wire::put_fixed64_always(to, value, bits);
        }
        to.put_slice(self.attributes);
        if self.bits.is_none() {
            wire::put_number(to, FLAGS, wire::NO_RECORDED_VALUE);
        }
    }
}
