//! The receiver against its real peers: the SDK's exporters, and clients that send messages made by
//! hand.

#![allow(
    clippy::unwrap_used,
    reason = "style.md: unwrap in tests; clippy.toml's exemption misses their helper functions"
)]

mod answer;
mod bad_requests;
mod between;
mod document;
mod fault;
mod history;
mod lifecycle;
mod listen;
mod message;
mod peer;
mod sdk;
mod series;
mod tls;
