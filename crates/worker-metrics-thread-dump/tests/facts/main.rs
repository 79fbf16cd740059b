//! Facts about looks at other threads, on the machine that runs the tests. None of them depends on
//! its speed: each waits until the thread is seen where it is going to, and no longer than
//! `rig::PATIENCE`.
#![cfg(target_os = "linux")]

mod activities;
mod allocations;
mod coverage;
mod descriptors;
mod identity;
mod json;
mod looks;
mod rig;
