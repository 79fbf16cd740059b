//! A future whose polls are measured.
//!
//! Made by [`TaskMetrics`], polled by Tokio. It must behave as the future within does: the same
//! result, panics and wakes.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::block::Measured;
use super::locations;
use super::shared::Shared;
use super::thread::Current;
use super::waker::TaskWaker;

pin_project! {
    /// A task's future, with its polls and schedulings measured.
    /// [`TaskMetrics::instrument`](super::TaskMetrics::instrument) makes it.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio::task::JoinSet;
    /// use worker_metrics_tokio::TaskMetrics;
    ///
    /// let tasks = TaskMetrics::new();
    /// let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    /// runtime.block_on(async {
    ///     let mut set = JoinSet::new();
    ///     set.spawn(tasks.instrument(async { /* … */ }).scheduled_now());
    ///     set.join_all().await;
    /// });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use = "a future does nothing until it is spawned or awaited"]
    pub struct Instrumented<F> {
        #[pin]
        future: F,
        shared: Arc<Shared>,
        group: Option<usize>,
        location: u64,
        waker: Option<TaskWaker>,
        // Of the task that was spawned and has not been polled yet.
        spawned_at_ns: Option<u64>,
        // Whether it is known to be the whole of a task, which nothing but a wake polls.
        is_task: bool,
        last_poll_ended_at_ns: u64,
    }
}

impl<F> Instrumented<F> {
    #[track_caller]
    pub(super) fn new(future: F, shared: Arc<Shared>, group: Option<usize>) -> Self {
        let location = Location::caller();
        locations::keep(location);
        Self {
            future,
            shared,
            group,
            location: locations::address_of(location),
            waker: None,
            spawned_at_ns: None,
            is_task: false,
            last_poll_ended_at_ns: 0,
        }
    }

    /// Says that the future is spawned now, so that the delay until its first poll is counted.
    ///
    /// [`TaskMetrics::spawn`](super::TaskMetrics::spawn) does it. For whoever spawns by other
    /// means, such as a [`JoinSet`](tokio::task::JoinSet): call it just before.
    pub fn scheduled_now(mut self) -> Self {
        self.spawned_at_ns = Some(self.shared.clock.now_ns());
        self.is_task = true;
        self
    }
}

impl<F: Future> Future for Instrumented<F> {
    type Output = F::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let shared: &Arc<Shared> = this.shared;

        if this.waker.as_ref().is_some_and(|known| !known.wakes_as(cx.waker())) {
            *this.waker = None;
        }
        let waker: &TaskWaker = this.waker.get_or_insert_with(|| TaskWaker::new(cx.waker(), shared.clock));
        // A task that is woken while it is polled is scheduled when the poll has ended.
        let woken_at_ns = waker.take_stamp().map(|at_ns| at_ns.max(*this.last_poll_ended_at_ns));
        // Its wake found the stamp of another, which the last poll had not taken yet: it came while
        // that poll was beginning. A future within another one is polled for other reasons as well.
        let woken_in_last_poll = || this.is_task.then_some(*this.last_poll_ended_at_ns);
        let scheduled_at_ns = woken_at_ns.or_else(|| this.spawned_at_ns.take()).or_else(woken_in_last_poll);

        let poll = shared.measure(*this.group, *this.location, scheduled_at_ns);
        let current = Current::of(shared);
        if let Some(current) = &current {
            current.write(|writer| writer.begin_poll(&poll));
        }
        let _ends = EndOfPoll { shared, current, poll, ended_at_ns: this.last_poll_ended_at_ns };
        this.future.poll(&mut Context::from_waker(waker.waker()))
    }
}

/// Ends the poll when it is dropped, after a panic too.
struct EndOfPoll<'a> {
    shared: &'a Arc<Shared>,
    current: Option<Current>,
    poll: Measured,
    ended_at_ns: &'a mut u64,
}

impl Drop for EndOfPoll<'_> {
    #[inline]
    fn drop(&mut self) {
        let now_ns = self.shared.clock.now_ns();
        *self.ended_at_ns = now_ns;
        if let Some(current) = &self.current {
            current.write(|writer| writer.end_poll(&self.poll, now_ns));
        }
    }
}

impl<F: fmt::Debug> fmt::Debug for Instrumented<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Instrumented").field("future", &self.future).finish_non_exhaustive()
    }
}
