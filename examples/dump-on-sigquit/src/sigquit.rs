//! The part to copy: a thread that prints a dump at each SIGQUIT.
//!
//! No signal of Tokio's: those are delivered by a worker, and the dump is wanted when none is left.

use std::io;
use std::thread::{self, JoinHandle};

use signal_hook::consts::SIGQUIT;
use signal_hook::iterator::{Handle, Signals};
use worker_metrics_otel::Instrumentation;

/// Prints a dump at each SIGQUIT, until it is dropped.
#[derive(Debug)]
pub(crate) struct DumpOnSigquit {
    signals: Handle,
    thread: Option<JoinHandle<()>>,
}

impl DumpOnSigquit {
    pub(crate) fn install(workers: &Instrumentation) -> io::Result<Self> {
        let mut signals = Signals::new([SIGQUIT])?;
        let (handle, workers) = (signals.handle(), workers.clone());
        let thread = thread::Builder::new().name("dump-on-sigquit".to_owned()).spawn(move || {
            for _ in signals.forever() {
                eprintln!("{}\n", workers.dump());
            }
        })?;
        Ok(Self { signals: handle, thread: Some(thread) })
    }
}

impl Drop for DumpOnSigquit {
    fn drop(&mut self) {
        self.signals.close();
        if let Some(thread) = self.thread.take() {
            // It ends with the signals, and has nothing to report.
            let _ = thread.join();
        }
    }
}
