//! The calling thread, as the system and the standard library know it.
//!
//! Asked by probes, and by a thread that begins to run a worker; never at a poll.

use std::cell::OnceCell;
use std::sync::{Arc, Weak};
use std::thread::ThreadId;

thread_local! {
    static THIS: OnceCell<This> = const { OnceCell::new() };
}

/// A thread, and a way to see whether it has ended.
#[derive(Clone, Debug)]
pub(crate) struct Thread {
    pub(crate) id: ThreadId,
    /// `gettid` on Linux.
    pub(crate) number: Option<u32>,
    pub(crate) name: Option<Arc<str>>,
    alive: Weak<()>,
}

/// What a thread keeps of itself. It is dropped when the thread ends.
struct This {
    thread: Thread,
    _alive: Arc<()>,
}

impl Thread {
    /// The calling thread. `None` when it is ending.
    ///
    /// **Cost**: one system call and a few allocations, once for each thread.
    pub(crate) fn current() -> Option<Self> {
        THIS.try_with(|this| this.get_or_init(This::new).thread.clone()).ok()
    }

    /// Whether the thread has not ended.
    pub(crate) fn is_alive(&self) -> bool {
        self.alive.strong_count() > 0
    }
}

impl This {
    fn new() -> Self {
        let (this, alive) = (std::thread::current(), Arc::new(()));
        let thread = Thread {
            id: this.id(),
            number: number(),
            name: this.name().map(Arc::from),
            alive: Arc::downgrade(&alive),
        };
        Self { thread, _alive: alive }
    }
}

/// The number of the calling thread in the system, as the core finds it for its batches.
fn number() -> Option<u32> {
    if !cfg!(target_os = "linux") {
        return None;
    }
    // A link of the form `<process>/task/<thread>`.
    std::fs::read_link("/proc/thread-self").ok()?.file_name()?.to_str()?.parse().ok()
}

#[cfg(all(test, not(worker_metrics_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_alive_until_it_has_ended() {
        let here = Thread::current().unwrap();
        let there = std::thread::Builder::new()
            .name("there".to_owned())
            .spawn(|| Thread::current().filter(Thread::is_alive))
            .unwrap()
            .join()
            .unwrap()
            .unwrap();
        assert!(here.is_alive() && !there.is_alive());
        assert_ne!(here.id, there.id);
        assert_eq!(there.name.as_deref(), Some("there"));
        assert_eq!(Thread::current().unwrap().number, here.number);
        if cfg!(target_os = "linux") {
            assert_ne!(here.number.unwrap(), there.number.unwrap());
        }
    }
}
