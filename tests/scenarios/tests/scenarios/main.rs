//! What users meet, each as a test against a real receiver.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod blocked;
mod causes;
mod ends;
mod environments;
mod events;
mod examples;
mod many;
mod nobody;
mod proxy;
mod service;
mod settings;
mod traps;
mod warnings;
mod ways;
