//! A watchdog with all that it reports.

use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use worker_metrics_otel::{Attachment, Instrumentation, Options, Stall, Watchdog};
use worker_metrics_tokio::TokioRuntime;

use crate::looks::Looks;

/// A watchdog, when it looked, and what it reported.
pub(crate) struct Guard {
    pub(crate) workers: Instrumentation,
    pub(crate) looks: Arc<Looks>,
    reports: Arc<Mutex<Reports>>,
    last: Receiver<()>,
    _looks: Attachment,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Reports {
    /// When each was reported.
    pub(crate) begun: Vec<(Instant, Stall)>,
    pub(crate) ended: Vec<Stall>,
}

impl Guard {
    pub(crate) fn new() -> Self {
        let reports = Arc::new(Mutex::new(Reports::default()));
        let (begun, ended) = (reports.clone(), reports.clone());
        let (is_last, last) = channel();
        let is_last = Mutex::new(is_last);
        let report = move |stall: &Stall| {
            if stall.identity.namespace == Looks::namespace() {
                is_last.lock().unwrap().send(()).unwrap();
                return;
            }
            locked(&begun, |reports| reports.begun.push((Instant::now(), stall.clone())));
        };
        let watchdog = Watchdog::default()
            .on_stall(report)
            .on_stall_end(move |stall| locked(&ended, |reports| reports.ended.push(stall.clone())));
        let workers = Instrumentation::new(Options::default().with_watchdog(watchdog));
        let looks = Looks::new();
        // The first source: it is asked before the others at each look.
        let _looks = workers.attach(looks.clone()).unwrap();
        Self { workers, looks, reports, last, _looks }
    }

    pub(crate) fn attach(&self, runtime: TokioRuntime) -> Attachment {
        self.workers.attach(runtime).unwrap()
    }

    /// All that was reported until now. Called once: it ends with a stall that is none.
    pub(crate) fn reports(&self) -> Reports {
        self.looks.stall();
        self.last.recv_timeout(Looks::PATIENCE).expect("what was proved is reported");
        locked(&self.reports, |reports| reports.clone())
    }

    /// Waits until the threads of all workers are known, without which nothing is proved.
    pub(crate) fn wait_for_threads(&self) {
        loop {
            self.looks.wait_for(2, Instant::now());
            let dump = self.workers.dump();
            let mut workers = dump.sources.iter().skip(1).flat_map(|source| &source.workers);
            if workers.all(|worker| worker.thread_id.is_some()) {
                return;
            }
        }
    }
}

fn locked<T>(reports: &Mutex<Reports>, with: impl FnOnce(&mut Reports) -> T) -> T {
    with(&mut reports.lock().unwrap_or_else(PoisonError::into_inner))
}
