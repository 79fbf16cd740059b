//! How late a timer on the runtime is.
//!
//! A task on the observed runtime, the only thing here that runs there, and only on request. It
//! ends when it is dropped.

use std::error::Error;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, sleep_until};
use worker_metrics::histogram::{Histogram, HistogramWriter, Scale};

/// A task that sleeps, and measures by how much it overslept.
#[derive(Debug)]
pub(crate) struct Canary {
    task: AbortHandle,
    delays: Arc<Histogram>,
}

impl Canary {
    pub(crate) fn spawn(handle: &Handle, interval: Duration) -> Result<Self, CanaryError> {
        if interval.is_zero() || interval > TOO_RARE {
            return Err(CanaryError::Interval(interval));
        }
        if !has_timer(handle) {
            return Err(CanaryError::NoTimer);
        }
        let mut writer = HistogramWriter::new(Histogram::new(&Scale::preset()));
        let delays = writer.histogram().clone();
        let task = handle.spawn(async move {
            loop {
                let due = Instant::now() + interval;
                sleep_until(due).await;
                let late = Instant::now().saturating_duration_since(due);
                writer.measure(u64::try_from(late.as_nanos()).unwrap_or(u64::MAX));
            }
        });
        Ok(Self { task: task.abort_handle(), delays })
    }

    pub(crate) fn delays(&self) -> &Histogram {
        &self.delays
    }
}

impl Drop for Canary {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A canary that sings less than once an hour watches nothing.
const TOO_RARE: Duration = Duration::from_secs(3_600);

/// Tokio has no other way to ask than to make a timer, which panics where there is none.
fn has_timer(handle: &Handle) -> bool {
    let _entered = handle.enter();
    catch_unwind(AssertUnwindSafe(|| drop(sleep(Duration::ZERO)))).is_ok()
}

/// Why there is no canary.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CanaryError {
    /// The interval is zero, or above an hour.
    Interval(Duration),
    /// The runtime was built without timers.
    NoTimer,
}

impl fmt::Display for CanaryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interval(interval) => {
                write!(f, "the canary's interval is {interval:?}: set some time above 0, up to an hour, such as 10 ms")
            }
            Self::NoTimer => f.write_str(
                "the runtime has no timers: build it with `enable_time` or `enable_all`, or leave the canary out",
            ),
        }
    }
}

impl Error for CanaryError {}
