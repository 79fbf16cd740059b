//! Whether a current-thread runtime still exists.
//!
//! A task that waits for ever, spawned when the source is first looked at. It keeps nothing alive
//! and ends with its source.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use tokio::runtime::Handle;
use tokio::task::AbortHandle;

use crate::probes::{OwnTask, Probes};

/// A task that is dropped when its runtime is, and not before.
#[derive(Debug)]
pub(crate) struct Sentinel {
    task: AbortHandle,
    is_gone: Arc<AtomicBool>,
}

/// Says that the task is dropped.
struct Gone(Arc<AtomicBool>);

impl Sentinel {
    pub(crate) fn spawn(handle: &Handle, probes: &Probes) -> Self {
        let is_gone = Arc::new(AtomicBool::new(false));
        let (own, gone) = (OwnTask::new(probes), Gone(is_gone.clone()));
        let task = handle.spawn(async move {
            let _gone = gone;
            own.answer();
            std::future::pending::<()>().await;
        });
        Self { task: task.abort_handle(), is_gone }
    }

    /// Whether the runtime is gone: the task was dropped, or was never taken.
    pub(crate) fn is_gone(&self) -> bool {
        self.is_gone.load(Relaxed)
    }
}

impl Drop for Sentinel {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Drop for Gone {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

#[cfg(all(test, not(worker_metrics_loom)))]
mod tests {
    use tokio::runtime::Builder;

    use super::*;

    #[test]
    fn it_is_gone_when_its_runtime_is() {
        let runtime = Builder::new_current_thread().build().unwrap();
        let (handle, probes) = (runtime.handle().clone(), Probes::new(1));
        let never_polled = Sentinel::spawn(&handle, &probes);
        assert!(!never_polled.is_gone());
        runtime.block_on(tokio::task::yield_now());
        let polled = Sentinel::spawn(&handle, &probes);
        assert!(!never_polled.is_gone() && !polled.is_gone());
        drop(runtime);
        assert!(never_polled.is_gone() && polled.is_gone());
        assert!(Sentinel::spawn(&handle, &probes).is_gone(), "a runtime that is gone takes no task");
        assert_eq!((probes.alive(), probes.spawned()), (0, 3));
    }
}
