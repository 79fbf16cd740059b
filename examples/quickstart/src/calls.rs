//! The calls of the watchdog.
//!
//! Made on the watchdog's thread while a worker is stuck, shown by the program. A service would
//! write them to its log.

use std::sync::{Arc, Mutex, PoisonError};

use worker_metrics_otel::Watchdog;

/// The last call, which says the worker, its age, its thread and what it polls.
#[derive(Clone, Debug, Default)]
pub(crate) struct Calls(Arc<Mutex<Option<String>>>);

impl Calls {
    /// A watchdog that calls here.
    pub(crate) fn watchdog(&self) -> Watchdog {
        let last = self.0.clone();
        Watchdog::default().on_stall(move |stall| {
            *last.lock().unwrap_or_else(PoisonError::into_inner) = Some(stall.to_string());
        })
    }

    /// What to show below everything: the last stall, if there was any, with its stack.
    pub(crate) fn line(&self) -> String {
        let last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        last.as_ref().map(|stall| format!("the last stall: {stall}\n")).unwrap_or_default()
    }
}
