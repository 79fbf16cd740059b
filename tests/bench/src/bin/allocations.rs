//! Counts what one export allocates, on all threads, and what it delivers: apart from what takes
//! the time, since counting costs some.
//!
//! Run by the report, for one case: `allocations tokio:both:64:119`.

use std::alloc::System;

use bench::subject::{Case, Counts};
use clap::Parser;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static GLOBAL: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

#[derive(Debug, Parser)]
struct Arguments {
    case: Case,
}

/// Exports until every buffer has its size.
const WARM_UP: usize = 5;
/// Of which the least counts: what another thread allocates meanwhile is not part of an export.
const COUNTED: usize = 5;

fn main() {
    let mut export = Arguments::parse().case.prepare().export;
    for _ in 0..WARM_UP {
        export.export();
    }
    let counts = (0..COUNTED).map(|_| {
        let region = Region::new(GLOBAL);
        export.export();
        let change = region.change();
        let grown = usize::try_from(change.bytes_reallocated).unwrap_or(0);
        (change.allocations + change.reallocations, change.bytes_allocated + grown)
    });
    let (allocations, allocated_bytes) = counts.min().expect("some are counted");
    println!("{}", Counts { allocations, allocated_bytes, delivered: export.delivered() });
}
