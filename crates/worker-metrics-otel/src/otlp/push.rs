//! A push: exports from a thread of its own, without any meter provider.

use std::fmt;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::{Either, select};
use opentelemetry_sdk::Resource;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

use super::client::{Cause, ExportError, later};
use super::pipeline::Pipeline;
use crate::lock::lock;
use crate::status::OtlpStatus;

/// Exports the worker metrics by OTLP, from a thread of its own, until it is shut down or dropped.
///
/// Made by [`Otlp::start`](super::Otlp::start). It needs no meter provider, and works beside any
/// version of `opentelemetry`.
///
/// Dropping it exports what is left, within the [shutdown
/// timeout](super::Otlp::with_shutdown_timeout); so does [`shutdown`](Self::shutdown), which
/// returns what became of that. Detach the sources before: their last values, and the ends of their
/// series, go with that export.
///
/// A child of `fork` that goes on without `exec` has no such thread: every call fails there at
/// once, and a drop does nothing.
///
/// # Examples
///
/// ```no_run
/// use worker_metrics_otel::Instrumentation;
///
/// let workers = Instrumentation::default();
/// let push = workers.otlp().start()?;
/// // … the program …
/// push.shutdown()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "the push ends when this is dropped"]
pub struct Push {
    pipeline: Arc<Pipeline>,
    flushes: mpsc::UnboundedSender<Flush>,
    /// Takes the last export, which cuts off one that is under way; `None` once it is taken.
    end: Mutex<Option<oneshot::Sender<Flush>>>,
    shutdown_timeout: Duration,
}

/// An export on request, and who waits for it.
struct Flush {
    deadline: Instant,
    answer: SyncSender<Result<(), ExportError>>,
}

impl Flush {
    fn answer(&self, result: Result<(), ExportError>) {
        // Whoever does not wait any more needs no answer.
        let _ = self.answer.try_send(result);
    }
}

/// What is checked beside the exports.
pub(crate) type Check = Box<dyn Fn() + Send + Sync>;

/// How much longer than its deadline an export may take, on a machine that is busy.
const GRACE: Duration = Duration::from_millis(100);

impl Push {
    pub(super) fn start(
        pipeline: Pipeline,
        resource: Resource,
        interval: Duration,
        shutdown_timeout: Duration,
        check: Check,
    ) -> Self {
        let pipeline = Arc::new(pipeline);
        pipeline.events.remember(&resource);
        let (flushes, asked_for) = mpsc::unbounded_channel();
        let (end, ended) = oneshot::channel();
        // The pipeline owns the thread, and must not be dropped on it.
        let running = Running { pipeline: Arc::downgrade(&pipeline), resource, interval, check };
        pipeline.network.runtime().spawn(running.run(asked_for, ended));
        Self { pipeline, flushes, end: Mutex::new(Some(end)), shutdown_timeout }
    }

    /// What has become of the exports, after the shutdown too;
    /// [`Instrumentation::status`](crate::Instrumentation::status) shows those that go on.
    pub fn status(&self) -> OtlpStatus {
        self.pipeline.report.status(std::time::Instant::now())
    }

    /// Exports now, within the timeout of an export.
    ///
    /// # Errors
    ///
    /// [`ExportError`] if the export failed: what it carried goes with the next one.
    pub fn force_flush(&self) -> Result<(), ExportError> {
        self.force_flush_with_timeout(self.pipeline.timeout)
    }

    /// Exports now, within `timeout`.
    ///
    /// # Errors
    ///
    /// [`ExportError`] if the export failed, or has not ended in time.
    pub fn force_flush_with_timeout(&self, timeout: Duration) -> Result<(), ExportError> {
        self.wait_for(timeout, |flush| self.flushes.send(flush).is_ok())
    }

    /// Exports what is left, within the [shutdown timeout](super::Otlp::with_shutdown_timeout), and
    /// ends.
    ///
    /// # Errors
    ///
    /// [`ExportError`] if that export failed: what it carried is lost.
    pub fn shutdown(&self) -> Result<(), ExportError> {
        self.shutdown_with_timeout(self.shutdown_timeout)
    }

    /// Exports what is left, within `timeout`, and ends. An export that is under way is cut off.
    ///
    /// # Errors
    ///
    /// [`ExportError`] if that export failed: what it carried is lost. Also if the push is shut
    /// down already.
    pub fn shutdown_with_timeout(&self, timeout: Duration) -> Result<(), ExportError> {
        let Some(end) = lock(&self.end).take() else {
            return Err(self.pipeline.error(Cause::Stopped));
        };
        let result = self.wait_for(timeout, |last| {
            // Nobody receives it in a child of `fork`.
            let _ = end.send(last);
            true
        });
        self.pipeline.close();
        result
    }

    /// Waits for what becomes of an export that is asked for.
    fn wait_for(&self, timeout: Duration, ask: impl FnOnce(Flush) -> bool) -> Result<(), ExportError> {
        let (answer, answered) = sync_channel(1);
        let is_asked_for = ask(Flush { deadline: later(timeout), answer });
        // A child of `fork` has no thread that would answer.
        if !is_asked_for || !self.pipeline.network.is_here() {
            return Err(self.pipeline.error(Cause::Stopped));
        }
        let late = |_| Err(self.pipeline.error(Cause::Timeout(timeout)));
        answered.recv_timeout(timeout.saturating_add(GRACE)).unwrap_or_else(late)
    }
}

impl Drop for Push {
    fn drop(&mut self) {
        // There is nobody to return an error to; it was logged.
        let _ = self.shutdown();
    }
}

impl fmt::Debug for Push {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Push").field("pipeline", &self.pipeline).finish_non_exhaustive()
    }
}

/// What runs on the thread.
struct Running {
    pipeline: std::sync::Weak<Pipeline>,
    resource: Resource,
    interval: Duration,
    check: Check,
}

impl Running {
    async fn run(self, asked_for: mpsc::UnboundedReceiver<Flush>, ended: oneshot::Receiver<Flush>) {
        // An export that is under way ends here.
        let last = match select(std::pin::pin!(self.export_until_the_end(asked_for)), ended).await {
            Either::Right((last, _)) => last.ok(),
            Either::Left(_) => None,
        };
        if let Some(last) = last {
            let exported = self.export(Some(last.deadline)).await;
            let events = self.pipeline.upgrade().map(|pipeline| pipeline.events.clone());
            if let Some(events) = events {
                events.sent(last.deadline).await;
            }
            last.answer(exported);
        }
    }

    /// Exports when it is due and when it is asked for.
    async fn export_until_the_end(&self, mut asked_for: mpsc::UnboundedReceiver<Flush>) {
        let mut due = later(self.interval);
        loop {
            match timeout_at(due, asked_for.recv()).await {
                Ok(Some(flush)) => flush.answer(self.export(Some(flush.deadline)).await),
                // Nobody asks any more: the end comes.
                Ok(None) => std::future::pending().await,
                Err(_) => {
                    // One that was missed is not made up for.
                    let next = due.checked_add(self.interval).unwrap_or_else(|| later(self.interval));
                    due = next.max(Instant::now());
                    (self.check)();
                    // A failure was logged.
                    let _ = self.export(None).await;
                }
            }
        }
    }

    /// One export, until the deadline, and no longer than the timeout of an export.
    async fn export(&self, deadline: Option<Instant>) -> Result<(), ExportError> {
        let sending = {
            let Some(pipeline) = self.pipeline.upgrade() else { return Ok(()) };
            let longest = later(pipeline.timeout);
            let deadline = deadline.map_or(longest, |deadline| deadline.min(longest));
            pipeline.send(None, pipeline.collect(&self.resource), deadline)
        };
        sending.await
    }
}
