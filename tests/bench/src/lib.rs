//! What is measured: ways to export a runtime or a pool, and what each delivers.
//!
//! Shared by the report (`main.rs`), by the program that counts allocations (`bin/allocations.rs`)
//! and by the tests. Nothing here takes the time.

#![allow(
    clippy::missing_panics_doc,
    reason = "a measurement that cannot be made ends with a panic, wherever that is"
)]

pub mod counted;
pub mod discard;
pub mod durations;
pub mod reader;
pub mod scales;
pub mod subject;
