//! The thread that sends, with a small runtime.
//!
//! A connection, and every timer, lives on the runtime on which it is made. That must not be one
//! that is observed: when all its workers are blocked, no export would leave.

use std::future::Future;
use std::io;
use std::thread::{self, Builder};

use tokio::runtime::{self, Handle};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

/// A thread with a small runtime, which ends when this is dropped.
pub(in crate::otlp) struct NetworkThread {
    runtime: Handle,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
    /// The process that has the thread: a child of `fork` has not.
    process: u32,
}

/// Threads for name resolution, and for HTTP clients of the program's, which may block.
const BLOCKING_THREADS: usize = 4;

impl NetworkThread {
    pub(in crate::otlp) fn start() -> io::Result<Self> {
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(BLOCKING_THREADS)
            .build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel();
        let thread = Builder::new().name("worker-metrics-otlp".to_owned()).spawn(move || {
            // An error means that the sender was dropped, which is the same.
            let _ = runtime.block_on(stopped);
            runtime.shutdown_background();
        })?;
        Ok(Self { runtime: handle, stop: Some(stop), thread: Some(thread), process: std::process::id() })
    }

    pub(in crate::otlp) fn runtime(&self) -> &Handle {
        &self.runtime
    }

    /// Whether this process has the thread: a child of `fork` has not.
    pub(in crate::otlp) fn is_here(&self) -> bool {
        self.process == std::process::id()
    }

    /// Runs `work` on the thread. The future that is returned needs no runtime; dropping it ends
    /// the work. `None` if the thread has ended.
    pub(in crate::otlp) async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        if !self.is_here() {
            return None;
        }
        // What nobody waits for any more is not done either: a set aborts its tasks on drop.
        let mut task = JoinSet::new();
        task.spawn_on(work, &self.runtime);
        task.join_next().await?.ok()
    }
}

impl Drop for NetworkThread {
    fn drop(&mut self) {
        drop(self.stop.take());
        let Some(thread) = self.thread.take() else { return };
        if self.is_here() && thread.thread().id() != thread::current().id() {
            // It only has to notice: nothing of it waits for the receiver. A panic of it is no
            // reason for another one.
            let _ = thread.join();
        }
    }
}
