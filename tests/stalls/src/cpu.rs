//! Work that is measured by the CPU time it takes, so that a busy machine does not shorten it.

use std::hint::black_box;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// The CPU time of this thread.
pub(crate) fn used() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap();
    Duration::from_secs(seconds) + Duration::from_nanos(u64::try_from(time.tv_nsec).unwrap())
}

/// Computes until this thread has used `length` of a CPU.
pub(crate) fn compute(length: Duration) {
    let until = used() + length;
    while used() < until {
        (0..1_000_u32).for_each(|number| {
            black_box(number);
        });
    }
}
