//! The thread that runs a worker, looked at from outside.

use worker_metrics_thread_dump::{Look, LookError, Thread, ThreadId, Unavailable};

/// The thread of one worker; its files are kept open from one look to the next.
#[derive(Debug, Default)]
pub(super) struct WorkerThread {
    id: Option<u32>,
    opened: Option<Opened>,
}

#[derive(Debug)]
enum Opened {
    Thread(Thread),
    Ended,
    Unavailable,
}

/// What a look at the thread has found.
#[derive(Debug)]
pub(super) enum Found {
    Look(Look),
    Ended,
    Unknown,
}

impl WorkerThread {
    /// Looks at the thread with this number. A number that stays the same costs no opening of
    /// files, and nothing is allocated.
    pub(super) fn look(&mut self, id: Option<u32>) -> Found {
        if self.id != id {
            self.id = id;
            self.opened = id.map(|id| Opened::by(ThreadId::from_u32(id)));
        }
        match &self.opened {
            Some(Opened::Thread(thread)) => match thread.look() {
                Ok(look) => Found::Look(look),
                Err(LookError::Ended) => {
                    self.opened = Some(Opened::Ended);
                    Found::Ended
                }
                Err(_) => Found::Unknown,
            },
            Some(Opened::Ended) => Found::Ended,
            Some(Opened::Unavailable) | None => Found::Unknown,
        }
    }

    pub(super) fn thread(&self) -> Option<&Thread> {
        match &self.opened {
            Some(Opened::Thread(thread)) => Some(thread),
            _ => None,
        }
    }
}

impl Opened {
    fn by(id: ThreadId) -> Self {
        match Thread::open(id) {
            Ok(thread) => Self::Thread(thread),
            Err(Unavailable::NoThread { .. }) => Self::Ended,
            Err(_) => Self::Unavailable,
        }
    }
}
