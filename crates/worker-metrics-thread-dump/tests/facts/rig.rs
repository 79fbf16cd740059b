//! A thread that does one thing, and waiting until it is seen there.

use std::path::PathBuf;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use worker_metrics_thread_dump::{Activity, Call, Look, Thread};

/// Far beyond what any machine needs to start a thread.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A thread, and its handle as a worker of its own would give it away.
pub(crate) struct Subject<T> {
    pub(crate) thread: Thread,
    pub(crate) handle: JoinHandle<T>,
}

pub(crate) fn spawn<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Subject<T> {
    let (send, receive) = mpsc::channel();
    let handle = std::thread::Builder::new()
        .name("subject".to_owned())
        .spawn(move || {
            send.send(Thread::current()).expect("the test waits for it");
            drop(send);
            work()
        })
        .expect("a thread can be started");
    let thread = receive.recv().expect("the thread sends it").expect("Linux lets threads be looked at");
    Subject { thread, handle }
}

impl<T> Subject<T> {
    /// The activity once the thread is blocked in one of these calls, and stays there.
    pub(crate) fn once_in(&self, calls: &[&str]) -> Activity {
        self.once(&format!("in one of {calls:?}"), |thread| {
            let look = thread.look().expect("it lives");
            let Call::In(line) = look.call else { return None };
            if !calls.contains(&line.name()?) {
                return None;
            }
            let activity = thread.activity(&look).expect("it lives");
            (!activity.has_moved).then_some(activity)
        })
    }

    /// Two looks between which the thread has not run.
    pub(crate) fn once_asleep(&self) -> (Look, Look) {
        self.once("asleep", |thread| {
            let [earlier, later] = [thread.look(), thread.look()].map(|look| look.expect("it lives"));
            later.has_not_run_since(&earlier).then_some((earlier, later))
        })
    }

    pub(crate) fn once<F>(&self, what: &str, mut seen: impl FnMut(&Thread) -> Option<F>) -> F {
        let begin = Instant::now();
        loop {
            if let Some(found) = seen(&self.thread) {
                return found;
            }
            let last = self.thread.look();
            assert!(begin.elapsed() < PATIENCE, "after {PATIENCE:?} not seen {what}; last look: {last:?}");
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// A path for a file of this test, without a file.
pub(crate) fn free_path(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
    let _ = std::fs::remove_file(&path);
    path
}
