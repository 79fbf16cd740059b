//! The attached sources: what each exports, and snapshots of all.
//!
//! Written by attaching and detaching, read by every way out. Knows neither meters nor OTLP.

mod attached;
mod attributes;
mod number;
mod registry;
mod row;
mod snapshots;

pub(crate) use attached::{Attached, Last};
pub(crate) use attributes::AttributeSet;
pub(crate) use number::Number;
pub(crate) use registry::Registry;
pub(crate) use row::Row;
pub(crate) use snapshots::{Snapshots, follow};
