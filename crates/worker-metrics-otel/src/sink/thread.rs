//! The thread that sends.
//!
//! A gRPC channel, and every timer, lives on the runtime on which it is made. That must not be one that is observed: when all its
//! workers are blocked, no export would leave.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::thread::{self, Builder};

use tokio::runtime::{self, Handle};
use tokio::sync::oneshot;
use tokio::task::{JoinError, JoinHandle};

use super::SendError;

/// A thread with a small runtime, which ends when this is dropped.
pub(super) struct SinkThread {
    runtime: Handle,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl SinkThread {
    pub(super) fn start() -> io::Result<Self> {
        let runtime = runtime::Builder::new_current_thread().enable_all().max_blocking_threads(4).build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel();
        let thread = Builder::new().name("worker-metrics-otlp".to_owned()).spawn(move || {
            // An error means that the sender was dropped, which is the same.
            let _ = runtime.block_on(stopped);
            runtime.shutdown_background();
        })?;
        Ok(Self { runtime: handle, stop: Some(stop), thread: Some(thread) })
    }

    #[cfg(feature = "grpc-tonic")]
    pub(super) fn runtime(&self) -> &Handle {
        &self.runtime
    }

    /// Runs `work` on the thread. The future that is returned needs no runtime.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, SendError> {
        AbortOnDrop(self.runtime.spawn(work)).await.map_err(|_| SendError::Stopped)
    }
}

/// What nobody waits for any more is not done either.
struct AbortOnDrop<T>(JoinHandle<T>);

impl<T> Future for AbortOnDrop<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context)
    }
}

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Drop for SinkThread {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // It only has to notice: nothing of it waits for the receiver. A panic of it is no reason for another one.
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for SinkThread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SinkThread")
    }
}
