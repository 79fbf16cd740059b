//! A stretch of time, and what the process takes of the processors in it.
//!
//! Begun and ended by a workload around what it counts. Other programs lengthen the time of the
//! work, not its processor time.

use std::time::{Duration, Instant};

use super::outcome::Outcome;
use crate::processor::processor_time;

pub(super) struct Stretch {
    began: Instant,
    processor_before: Option<Duration>,
}

impl Stretch {
    pub(super) fn begin() -> Self {
        Self { began: Instant::now(), processor_before: processor_time() }
    }

    /// Ends now.
    pub(super) fn end(self) -> Taken {
        let both = processor_time().zip(self.processor_before);
        // Less than before: a thread has ended, and what it took is not known.
        let processor = both.and_then(|(after, before)| after.checked_sub(before));
        Taken { time: self.began.elapsed(), processor }
    }
}

/// What a stretch took.
pub(super) struct Taken {
    time: Duration,
    processor: Option<Duration>,
}

impl Taken {
    /// By `count` events.
    pub(super) fn by(&self, count: u64, latencies_us: Vec<f64>) -> Outcome {
        Outcome {
            per_second: count as f64 / self.time.as_secs_f64(),
            each_ns: self.processor.map(|processor| processor.as_secs_f64() * 1e9 / count as f64),
            latencies_us,
        }
    }
}
