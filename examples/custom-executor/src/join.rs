//! The result of a task or job, for whoever waits for it.
//!
//! Filled once by the promise, taken once by the handle. A handle that is dropped leaves the task
//! alone.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll, Waker};

use crate::task::Task;

/// Waits for a task or a job: a future of its result.
///
/// Ready once; polled again after that, it stays pending.
#[derive(Debug)]
pub struct JoinHandle<T> {
    join: Arc<Join<T>>,
    task: Weak<Task>,
}

impl<T> JoinHandle<T> {
    /// `task` is what [`abort`](Self::abort) aborts.
    pub(crate) fn new(join: Arc<Join<T>>, task: Weak<Task>) -> Self {
        Self { join, task }
    }

    /// Drops the task before its next poll; does nothing where it is over, and to a job.
    pub fn abort(&self) {
        if let Some(task) = self.task.upgrade() {
            task.abort();
        }
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.join.poll(context)
    }
}

/// Why there is no result.
#[derive(Debug)]
pub enum JoinError {
    /// The task panicked, with this message if it was text.
    Panicked(Option<String>),
    /// The task was dropped before it was done: aborted, or its executor was shut down.
    Dropped,
}

impl JoinError {
    pub(crate) fn panicked(payload: &(dyn Any + Send)) -> Self {
        let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
        Self::Panicked(text.or_else(|| payload.downcast_ref::<String>().cloned()))
    }
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Panicked(Some(message)) => write!(f, "the task panicked: {message}"),
            Self::Panicked(None) => f.write_str("the task panicked"),
            Self::Dropped => {
                f.write_str("the task was dropped: it was aborted, or its executor was shut down")
            }
        }
    }
}

impl Error for JoinError {}

/// What a promise and its handle share.
#[derive(Debug)]
pub(crate) struct Join<T>(Mutex<Meeting<T>>);

#[derive(Debug)]
struct Meeting<T> {
    result: Option<Result<T, JoinError>>,
    waker: Option<Waker>,
}

impl<T> Join<T> {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Meeting { result: None, waker: None }))
    }

    pub(crate) fn finish(&self, result: Result<T, JoinError>) {
        let mut meeting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        meeting.result = Some(result);
        let waker = meeting.waker.take();
        drop(meeting);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn poll(&self, context: &Context<'_>) -> Poll<Result<T, JoinError>> {
        let mut meeting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(result) = meeting.result.take() {
            return Poll::Ready(result);
        }
        let replaced = meeting.waker.replace(context.waker().clone());
        // Not under the lock: with the last waker of a task goes the task.
        drop(meeting);
        drop(replaced);
        Poll::Pending
    }
}
