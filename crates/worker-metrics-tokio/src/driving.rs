//! Who runs the workers, and what that says of one that is not parked.
//!
//! What Tokio publishes looks the same for a worker in a long poll and for one that nobody runs.

use crate::stable::Look;

/// Who runs the workers of a runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Driving {
    /// Threads of the runtime's own, from its birth to its shutdown.
    OwnThreads,
    /// One `block_on` for life, and it has begun.
    BlockOn,
    /// One `block_on` for life, which may not have begun.
    BlockOnToCome,
    /// Several calls of `block_on`, with pauses between them.
    Intermittent,
}

/// What is known of the runtime, and of a worker's thread, beyond what the worker publishes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Life {
    /// Whether the runtime has live tasks, this source's own aside.
    pub(crate) has_tasks: bool,
    /// Whether the thread that runs the worker is known, and has not ended.
    pub(crate) thread_lives: bool,
    /// Whether a poll is known to be in progress.
    pub(crate) is_polling: bool,
    /// Whether the worker is known to have polled something, whatever it has published.
    pub(crate) has_begun: bool,
    /// Whether the runtime is known to be gone.
    pub(crate) is_gone: bool,
}

impl Driving {
    /// Whether a poll may be going on in a worker that has published `look`.
    pub(crate) fn is_running(self, look: &Look, life: Life) -> bool {
        !look.is_parked()
            && match self {
                // A shutdown empties the list of tasks at once, and each worker unparks one last
                // time. The one that holds the shutdown up is told by its poll, or by its thread.
                Self::OwnThreads => life.has_tasks || life.is_polling || life.thread_lives,
                // The root future is no task.
                Self::BlockOn => !life.is_gone,
                Self::BlockOnToCome => {
                    !life.is_gone && (!look.is_blank() || life.has_begun || life.is_polling)
                }
                Self::Intermittent => false,
            }
    }

    /// Whether some thread drives a worker that is not parked; `None` where nothing tells.
    pub(crate) fn is_driven(self, is_polling: bool) -> Option<bool> {
        match self {
            Self::OwnThreads => Some(true),
            Self::BlockOn | Self::BlockOnToCome => is_polling.then_some(true),
            Self::Intermittent => Some(false),
        }
    }
}

#[cfg(all(test, not(worker_metrics_loom)))]
mod tests {
    use super::*;

    const AWAKE: Look =
        Look { busy_duration: std::time::Duration::ZERO, park_count: 1, park_unpark_count: 2 };

    #[test]
    fn a_worker_that_has_tasks_or_a_poll_or_a_thread_may_hold_up_a_shutdown() {
        let running = |life| Driving::OwnThreads.is_running(&AWAKE, life);
        assert!(!running(Life::default()), "after the shutdown");
        assert!(running(Life { has_tasks: true, ..Life::default() }));
        assert!(running(Life { is_polling: true, ..Life::default() }));
        assert!(running(Life { thread_lives: true, ..Life::default() }));
    }

    #[test]
    fn a_current_thread_runtime_that_is_gone_runs_no_more() {
        for driving in [Driving::BlockOn, Driving::BlockOnToCome] {
            assert!(driving.is_running(&AWAKE, Life::default()));
            assert!(!driving.is_running(&AWAKE, Life { is_gone: true, ..Life::default() }));
        }
        let blank = |life| Driving::BlockOnToCome.is_running(&Look::default(), life);
        assert!(!blank(Life::default()), "it has not begun");
        assert!(blank(Life { has_begun: true, ..Life::default() }));
        assert!(blank(Life { is_polling: true, ..Life::default() }));
    }

    #[test]
    fn a_parked_worker_never_runs() {
        let all =
            Life { has_tasks: true, thread_lives: true, is_polling: true, has_begun: true, is_gone: false };
        let parked = Look { park_unpark_count: 3, ..AWAKE };
        for driving in [Driving::OwnThreads, Driving::BlockOn, Driving::BlockOnToCome, Driving::Intermittent]
        {
            assert!(!driving.is_running(&parked, all), "{driving:?}");
        }
    }

    #[test]
    fn whether_a_current_thread_runtime_is_driven_is_unknown_but_for_a_poll() {
        assert_eq!(Driving::OwnThreads.is_driven(false), Some(true));
        assert_eq!(Driving::BlockOn.is_driven(false), None);
        assert_eq!(Driving::BlockOnToCome.is_driven(true), Some(true));
        assert_eq!(Driving::Intermittent.is_driven(true), Some(false));
    }
}
