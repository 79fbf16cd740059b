//! What a thread is doing, in words. Made by `Thread::activity` once a look has found something
//! suspicious; plain data from then on.

use std::fmt;

use crate::proc::{stat, status};
use crate::{Call, Look, LookError, RunState, Thread, ThreadId, WaitsOn, waits};

/// What a thread is doing: its [`Look`], and what the system says of it.
///
/// As text it is one phrase, such as `recvfrom on a TCP socket from 127.0.0.1:40312 to
/// 127.0.0.1:5432`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Activity {
    /// Id of the thread.
    pub thread: ThreadId,
    /// Name of the thread, of which Linux keeps 15 bytes.
    pub name: Option<String>,
    /// The look that this is about: call and times.
    pub look: Look,
    /// Name of the system call that the look found.
    ///
    /// **Absent when** it found none, or [`CallLine::name`](crate::CallLine::name) has none.
    pub call: Option<&'static str>,
    /// What the call waits on.
    ///
    /// **Absent when** the call does not tell, or the thread has moved on in between. Another
    /// thread that closes the descriptor meanwhile and opens another one under its number goes
    /// unnoticed.
    pub waits_on: Option<WaitsOn>,
    /// What the scheduler does with the thread, read after the look.
    pub state: Option<RunState>,
    /// Function of the kernel that the thread sleeps in (`wchan`), such as `futex_do_wait`.
    ///
    /// **Absent when** it does not sleep, or the kernel does not say.
    pub kernel_function: Option<String>,
    /// How often the thread gave up its CPU to wait.
    pub voluntary_switches: Option<u64>,
    /// How often its CPU was taken from it.
    pub involuntary_switches: Option<u64>,
    /// Whether a thread that was in a call has run since the look: then everything but look, call
    /// and name is of another moment than the look.
    pub has_moved: bool,
}

impl Activity {
    pub(crate) fn of(thread: &Thread, look: &Look) -> Result<Self, LookError> {
        let stat = thread.read("stat").map(|text| stat::parse(&text));
        let switches = thread.read("status").map(|text| status::parse(&text));
        let kernel_function = thread.read("wchan").ok().and_then(|name| kernel_function(&name));
        let name = thread.name();
        let (call, waits_on) = match &look.call {
            Call::Running | Call::Kernel => (None, None),
            Call::In(line) => (line.name(), waits::waits_on(thread.id(), line, line.name())),
        };
        // All of it is the thread's if it is still there, and of this call if it has not run.
        let now = thread.look()?;
        let has_moved = matches!(look.call, Call::In(_)) && !now.has_not_run_since(look);
        Ok(Self {
            thread: thread.id(),
            name,
            look: *look,
            call,
            waits_on: waits_on.filter(|_| !has_moved),
            state: stat?.map(|stat| stat.state),
            kernel_function,
            voluntary_switches: switches.as_ref().ok().copied().flatten().map(|switches| switches.voluntary),
            involuntary_switches: switches.ok().flatten().map(|switches| switches.involuntary),
            has_moved,
        })
    }

    /// The same without paths and addresses of sockets, for places that are read by others than the
    /// operators of the process.
    #[must_use]
    pub fn redacted(self) -> Self {
        Self { waits_on: self.waits_on.map(WaitsOn::redacted), ..self }
    }
}

fn kernel_function(name: &[u8]) -> Option<String> {
    let name = str::from_utf8(name).ok()?.trim();
    (!name.is_empty() && name != "0").then(|| name.to_owned())
}

impl fmt::Display for Activity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let (Some(state @ (RunState::Stopped | RunState::Traced)), false) = (self.state, self.has_moved) {
            write!(f, "{state}, in ")?;
        }
        match (&self.look.call, &self.waits_on, self.call) {
            (Call::Running, ..) => f.write_str("running"),
            (Call::Kernel, ..) => f.write_str("a thread of the kernel"),
            (Call::In(_), Some(waits_on), Some(call)) => waits_on.describe(call, f),
            (Call::In(line), _, None) if line.number == -1 => f.write_str("a page fault"),
            (Call::In(_), None, Some(call)) => f.write_str(call),
            (Call::In(line), _, None) => write!(f, "system call {}", line.number),
        }
    }
}
