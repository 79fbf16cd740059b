//! OTLP requests, written field by field.
//!
//! Called by `delivery`, which knows what each point says. Does no I/O and reads no clock.
//!
//! `Descriptor, points → Requests (Envelope) → Request`

mod descriptor;
mod encoding;
mod envelope;
pub(super) mod fields;
mod requests;

pub(super) use descriptor::{DataKind, Descriptor, encoded_attributes};
pub(super) use encoding::{
    FIXED64_LEN, put_fixed64, put_fixed64_always, put_fixed64s, put_nested, put_number, put_varint, zigzag,
};
pub(super) use envelope::Envelope;
pub(super) use requests::{Limits, MetricWriter, Request, RequestId, Requests};
