//! What leaves a process, held against what each backend takes.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod check;
mod configurations;
mod documents;
mod load;
mod payloads;
