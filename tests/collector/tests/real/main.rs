//! What becomes of the metrics in a real collector and a real Prometheus, with the configurations
//! of `deploy/`.
//!
//! `.ci/peers` builds both. Where they are not, each test says so and holds nothing.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod blocked;
mod collector;
mod delta;
mod directory;
mod ends;
mod names;
mod night;
mod peers;
mod process;
mod prometheus;
mod quickstart;
mod resources;
mod restarts;
mod service;
mod tls;
mod values;
mod wait;
