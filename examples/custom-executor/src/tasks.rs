//! The tasks that are alive, so that a shutdown finds those that wait.
//!
//! Asked when a task is spawned and when it is dropped. It keeps no task alive: one that nobody can
//! wake any more is dropped.

use std::collections::HashMap;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::task::Task;

/// The live tasks by their id, until the executor shuts down.
#[derive(Debug)]
pub(crate) struct Tasks {
    live: Mutex<Option<HashMap<u64, Weak<Task>>>>,
    next_id: AtomicU64,
}

impl Tasks {
    pub(crate) fn new() -> Self {
        Self { live: Mutex::new(Some(HashMap::new())), next_id: AtomicU64::new(0) }
    }

    pub(crate) fn next_id(&self) -> u64 {
        self.next_id.fetch_add(1, Relaxed)
    }

    /// Whether the task may run: not during or after the shutdown.
    pub(crate) fn insert(&self, task: &Arc<Task>) -> bool {
        let mut live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(live) = live.as_mut() else { return false };
        live.insert(task.id(), Arc::downgrade(task));
        true
    }

    pub(crate) fn remove(&self, id: u64) {
        if let Some(live) = self.live.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            live.remove(&id);
        }
    }

    /// No task may run from now on. Hands out those that are alive.
    pub(crate) fn close(&self) -> Vec<Arc<Task>> {
        let live = self.live.lock().unwrap_or_else(PoisonError::into_inner).take();
        live.into_iter().flatten().filter_map(|(_, task)| task.upgrade()).collect()
    }
}
