//! A number data point, written as the fields of its message.

use bytes::{BufMut, BytesMut};

use super::kind::Kind;
use crate::otlp::wire::{self, fields};

/// A `NumberDataPoint`.
#[derive(Debug)]
pub(super) struct Point<'a> {
    pub(super) kind: Kind,
    /// Encoded with the field number of `NumberDataPoint`.
    pub(super) attributes: &'a [u8],
    pub(super) start_ns: u64,
    pub(super) time_ns: u64,
    /// `None` at the end of a series: no recorded value.
    pub(super) bits: Option<u64>,
}

impl Point<'_> {
    /// Length of the message.
    pub(super) fn len(&self) -> usize {
        let value = match self.bits {
            Some(_) => wire::FIXED64_LEN,
            None => wire::number_len(fields::NO_RECORDED_VALUE),
        };
        self.attributes.len() + wire::fixed64_len(self.start_ns) + wire::fixed64_len(self.time_ns) + value
    }

    /// Writes the fields in the order of their numbers.
    pub(super) fn put(&self, to: &mut BytesMut) {
        wire::put_fixed64(to, fields::point::START, self.start_ns);
        wire::put_fixed64(to, fields::point::TIME, self.time_ns);
        let value = if self.kind.is_time() { fields::number::AS_DOUBLE } else { fields::number::AS_INT };
        if let Some(bits) = self.bits {
            wire::put_fixed64_always(to, value, bits);
        }
        to.put_slice(self.attributes);
        if self.bits.is_none() {
            wire::put_number(to, fields::number::FLAGS, fields::NO_RECORDED_VALUE);
        }
    }
}
