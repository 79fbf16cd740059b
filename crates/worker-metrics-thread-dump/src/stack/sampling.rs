//! The stacks of a thread that computes, by a profiler of signals (`pprof`). The one thing here
//! that interrupts threads: nothing else calls it.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use pprof::{ProfilerGuardBuilder, Symbol};

use super::cut::Cut;
use super::frame::Frame;
use super::named::Stack;

/// A thread that can be sampled.
///
/// The thread makes it itself, when it starts: it is what the profiler calls the thread by, which
/// is not its [`ThreadId`](crate::ThreadId).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SampledThread {
    pthread: u64,
}

/// A stack of a thread that computes, and how often it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sample {
    /// The stack. It is not proven as that of a thread that is blocked is, and never complete; its
    /// frames have names and no modules.
    pub stack: Stack,
    /// How often the thread was there.
    pub count: usize,
}

/// Why there are no samples of a thread.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NoSamples {
    /// The thread used hardly any CPU time while it was sampled.
    Idle,
    /// Another profiler is running in this process: there can be one at a time.
    Busy,
    /// The profiler failed, in its own words.
    Failed(String),
}

/// Samples a second of CPU time.
const FREQUENCY: i32 = 199;

impl SampledThread {
    /// The thread that calls.
    #[must_use]
    #[allow(clippy::unnecessary_cast, reason = "it is a pointer on musl")]
    pub fn current() -> Self {
        Self { pthread: nix::sys::pthread::pthread_self() as u64 }
    }

    /// Samples the thread for some time while it computes. The stacks that were seen most come
    /// first.
    ///
    /// 300 ms are enough to see where a stall is.
    ///
    /// **Cost**: blocks the caller for that time. Meanwhile the signal `SIGPROF` interrupts each
    /// thread of the process that computes, 199 times a second of CPU time; system calls that
    /// cannot be restarted fail with `EINTR`. The first sampling reads all debug information, 0.2 s
    /// and more, and naming the stacks costs as [`Stacks::name`](crate::Stacks::name) does without
    /// what it remembers.
    ///
    /// **Limits**: `pprof` 0.15 unwinds in the signal handler, by the tables of what was loaded at
    /// the first sampling. It is well kept but not free of risk: do not sample a process that
    /// unloads libraries. On aarch64 the innermost function is missing. A frame whose table is
    /// missing may be wrong.
    ///
    /// # Errors
    /// If the thread did not compute, another profiler runs, or the profiler fails.
    pub fn sample(self, time: Duration) -> Result<Vec<Sample>, NoSamples> {
        let failed = |error: pprof::Error| match error {
            pprof::Error::Running => NoSamples::Busy,
            error => NoSamples::Failed(error.to_string()),
        };
        let profiler = ProfilerGuardBuilder::default().frequency(FREQUENCY).build().map_err(failed)?;
        thread::sleep(time);
        let report = profiler.report().build().map_err(failed)?;
        drop(profiler);
        let mut samples: Vec<_> = report
            .data
            .iter()
            .filter(|(frames, _)| frames.thread_id == self.pthread)
            .map(|(frames, count)| Sample {
                stack: stack(&frames.frames),
                count: usize::try_from(*count).unwrap_or(0),
            })
            .collect();
        backtrace::clear_symbol_cache();
        samples.sort_by_key(|sample| std::cmp::Reverse(sample.count));
        if samples.is_empty() { Err(NoSamples::Idle) } else { Ok(samples) }
    }
}

fn stack(frames: &[Vec<Symbol>]) -> Stack {
    let frames = frames.iter().flat_map(|symbols| {
        let last = symbols.len().saturating_sub(1);
        symbols.iter().enumerate().map(move |(index, symbol)| frame(symbol, index < last))
    });
    Stack { frames: frames.collect(), complete: false, cut: Some(Cut::Sampled) }
}

fn frame(symbol: &Symbol, inlined: bool) -> Frame {
    let name = symbol.name.as_deref().map(|name| format!("{:#}", backtrace::SymbolName::new(name)));
    Frame {
        address: symbol.addr.map_or(0, |address| address.addr() as u64),
        function: name.map(Arc::from),
        file: symbol.filename.as_deref().map(|path| path.to_string_lossy().into()),
        line: symbol.lineno,
        module: None,
        offset: None,
        build_id: None,
        inlined,
    }
}

impl fmt::Display for NoSamples {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Idle => f.write_str("the thread did not compute while it was sampled"),
            Self::Busy => f.write_str("another profiler is running in this process"),
            Self::Failed(why) => write!(f, "the profiler failed: {why}"),
        }
    }
}

impl Error for NoSamples {}
