//! What an animal is given, and what it says of itself.

use std::panic::Location;
use std::sync::{Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::cpu;

/// For how long an animal blocks, and where and when it really did.
#[derive(Debug)]
pub(crate) struct Stay {
    pub(crate) length: Duration,
    blocked: Mutex<Option<Blocked>>,
}

/// Where and when the worker was blocked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Blocked {
    /// The line above the one that blocks.
    pub(crate) above: &'static Location<'static>,
    pub(crate) from: Instant,
    pub(crate) to: Instant,
    /// The CPU time of the thread in between.
    pub(crate) cpu: Duration,
}

impl Stay {
    pub(crate) fn new(length: Duration) -> Self {
        Self { length, blocked: Mutex::new(None) }
    }

    /// Stands in the line above the one that blocks.
    #[track_caller]
    pub(crate) fn blocks_below(&self) {
        let now = Instant::now();
        let blocked = Blocked { above: Location::caller(), from: now, to: now, cpu: cpu::used() };
        *self.blocked.lock().unwrap_or_else(PoisonError::into_inner) = Some(blocked);
    }

    /// Stands below the line that blocks.
    pub(crate) fn is_over(&self) {
        if let Some(blocked) = &mut *self.blocked.lock().unwrap_or_else(PoisonError::into_inner) {
            blocked.to = Instant::now();
            blocked.cpu = cpu::used() - blocked.cpu;
        }
    }

    pub(crate) fn blocked(&self) -> Option<Blocked> {
        *self.blocked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something when it is time for the animal to get on.
    pub(crate) fn later<T: Send + 'static>(
        &self,
        then: impl FnOnce() -> T + Send + 'static,
    ) -> JoinHandle<T> {
        let length = self.length;
        thread::spawn(move || {
            thread::sleep(length);
            then()
        })
    }
}
