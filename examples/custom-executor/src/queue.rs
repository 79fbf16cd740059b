//! The queue that all workers of a pool share.
//!
//! Filled from outside the pool and by overflows, emptied by workers. Its length is published under
//! its lock, so that the metric is right whenever nothing changes; nothing else may be done there.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use worker_metrics::Pool;

/// A first-in-first-out queue that takes nothing more once it is closed.
#[derive(Debug)]
pub(crate) struct Queue<T> {
    items: Mutex<Items<T>>,
    pool: Arc<Pool>,
}

#[derive(Debug)]
struct Items<T> {
    waiting: VecDeque<T>,
    closed: bool,
}

impl<T> Queue<T> {
    pub(crate) fn new(pool: Arc<Pool>) -> Self {
        Self { items: Mutex::new(Items { waiting: VecDeque::new(), closed: false }), pool }
    }

    /// Appends. A closed queue takes nothing: what it was given is dropped.
    pub(crate) fn extend(&self, more: Vec<T>) {
        let mut items = self.lock();
        if !items.closed {
            items.waiting.extend(more);
            self.publish(&items);
        }
    }

    pub(crate) fn push(&self, item: T) {
        let mut items = self.lock();
        if !items.closed {
            items.waiting.push_back(item);
            self.publish(&items);
        }
    }

    pub(crate) fn pop(&self) -> Option<T> {
        let mut items = self.lock();
        let item = items.waiting.pop_front();
        self.publish(&items);
        item
    }

    /// The share of one of `sharers`, at least one item if there is any and no more than `most`.
    pub(crate) fn pop_share(&self, sharers: usize, most: usize) -> Vec<T> {
        let mut items = self.lock();
        let share = items.waiting.len().div_ceil(sharers).min(most);
        let taken = items.waiting.drain(..share).collect();
        self.publish(&items);
        taken
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.lock().waiting.is_empty()
    }

    /// Takes nothing more, and hands out what is left.
    pub(crate) fn close(&self) -> VecDeque<T> {
        let mut items = self.lock();
        items.closed = true;
        let left = std::mem::take(&mut items.waiting);
        self.publish(&items);
        left
    }

    fn publish(&self, items: &Items<T>) {
        self.pool.metrics().set_global_queue_depth(items.waiting.len());
    }

    fn lock(&self) -> MutexGuard<'_, Items<T>> {
        self.items.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
