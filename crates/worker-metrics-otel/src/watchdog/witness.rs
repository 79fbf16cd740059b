//! What there is to see of a stalled worker's thread at the moment at which its stall is proved.
//!
//! Seen on the thread that looks, named on the one that reports.

use std::sync::Arc;

use worker_metrics::StallCause;
use worker_metrics_thread_dump::{Activity, Cut, Look, NoStack, RawStack, Stack, Stacks, Thread};

use crate::stall::{self, Doing, Doubt};

/// What looks at stalled threads, and keeps what it needs for that.
#[derive(Debug)]
pub(crate) struct Witness {
    /// `None` where stacks cannot be read.
    stacks: Option<Stacks>,
    /// Whether peers' addresses and paths are left out.
    is_discreet: bool,
}

/// So often at most the stack of a thread is captured that has run meanwhile, or takes long.
const ATTEMPTS: usize = 4;

/// What was seen of a thread, its stack by addresses.
#[derive(Debug, Default)]
pub(crate) struct Sight {
    activity: Option<Activity>,
    stack: Option<RawStack>,
}

/// What was seen, with names.
#[derive(Debug, Default)]
pub(crate) struct Testimony {
    pub(crate) activity: Option<Activity>,
    pub(crate) stack: Option<Arc<Stack>>,
}

impl Witness {
    pub(crate) fn new(is_discreet: bool) -> Self {
        Self { stacks: Stacks::new().ok(), is_discreet }
    }

    /// Looks at a thread that was found as in `look`.
    pub(crate) fn see(&mut self, thread: &Thread, look: &Look) -> Sight {
        let stack = self.stacks.as_mut().and_then(|stacks| stack(stacks, thread));
        let activity = thread.activity(look).ok();
        Sight { activity: activity.map(|it| if self.is_discreet { it.redacted() } else { it }), stack }
    }

    /// Names what was seen.
    ///
    /// **Cost**: reads the debug information of the program, which may take a second on a busy
    /// machine: never on the thread that looks.
    pub(crate) fn name(&mut self, sight: Sight) -> Testimony {
        let Sight { activity, stack } = sight;
        let named = |raw: RawStack| self.stacks.as_mut().map(|stacks| Arc::new(stacks.name(&raw)));
        Testimony { activity, stack: stack.and_then(named) }
    }
}

/// The stack of a thread that is blocked in a system call.
fn stack(stacks: &mut Stacks, thread: &Thread) -> Option<RawStack> {
    let mut best = None;
    for _ in 0..ATTEMPTS {
        match stacks.capture_raw(thread) {
            // Where the machine is busy, the time is over before the walk is. What it has learnt of
            // the program makes the next one quicker.
            Ok(raw) if raw.cut() == Some(Cut::TooDeep) => best = Some(raw),
            Ok(raw) => {
                best = Some(raw);
                break;
            }
            Err(NoStack::Moved) => {}
            Err(_) => break,
        }
    }
    best
}

impl Testimony {
    /// The name of the thread, as the system has it.
    pub(crate) fn thread_name(&self) -> Option<Arc<str>> {
        self.activity.as_ref().and_then(|activity| activity.name.as_deref()).map(Arc::from)
    }

    /// Why the worker is stalled.
    pub(crate) fn cause(&self, doing: Doing) -> StallCause {
        let waits_on = self.activity.as_ref().and_then(|activity| activity.waits_on.as_ref());
        stall::cause(doing, waits_on, self.functions())
    }

    /// Whether the stack shows that it is a stall after all; `None` if it does not say.
    pub(crate) fn settles(&self, doubt: Doubt) -> Option<bool> {
        match doubt {
            // A `block_on` of Tokio is on it.
            Doubt::Driver => Some(
                self.functions()
                    .any(|function| function.contains("tokio::runtime") && function.contains("block_on")),
            ),
            // `block_in_place` hands the worker over before it calls the closure. The compiler may
            // have put it into its caller: then only debug information shows it.
            Doubt::Place if self.functions().any(|function| function.contains("block_in_place")) => {
                Some(false)
            }
            Doubt::Place => {
                let stack = self.stack.as_ref()?;
                let shows_inlined = stack.topmost().all(|frame| frame.line.is_some());
                (stack.complete && shows_inlined).then_some(true)
            }
        }
    }

    fn functions(&self) -> impl Iterator<Item = &str> {
        let frames = self.stack.iter().flat_map(|stack| &stack.frames);
        frames.map(|frame| frame.function.as_deref().unwrap_or_default())
    }
}
