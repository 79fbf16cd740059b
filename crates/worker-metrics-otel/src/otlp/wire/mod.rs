//! OTLP requests, written field by field.
//!
//! Called by `delivery`, which knows what each point says. Does no I/O and reads no clock.
//!
//! `Descriptor, points → Requests (Envelope) → Request`

mod descriptor;
mod encoding;
mod envelope;
pub(super) mod fields;
mod moment;
mod requests;

pub(super) use descriptor::{DataKind, Descriptor, MetricInfo};
pub(super) use encoding::{
    FIXED64_LEN, attributes, delimited_len, fixed64_len, fixed64s_len, number_len, put_delimited,
    put_fixed64, put_fixed64_always, put_fixed64s, put_number, put_varint, varint_len, zigzag,
};
pub(super) use envelope::Envelope;
pub(super) use moment::{Moment, unix_ns};
pub(super) use requests::{Entry, Limits, Request, RequestId, Requests};
