//! Captures the stacks of threads. The one type here that knows of `/proc`; the walk itself is in
//! `walk`.

use std::fs;

use crate::{Call, Thread, Unavailable};

use super::arch::Native;
use super::caches::Caches;
use super::memory::ProcessMemory;
use super::modules::Modules;
use super::named::{RawStack, Stack};
use super::names::Names;
use super::no_stack::NoStack;
use super::pieces::Pieces;
use super::walk::{RawFrame, Start, Walk, Walker};

/// Captures the stacks of threads of this process that are blocked in a system call, on Linux on
/// x86_64 and aarch64.
///
/// Nothing is stopped, signalled or traced: the thread's registers come from `/proc`, its stack
/// from `/proc/self/mem`, and it is unwound by the tables that the compiler writes for exceptions.
/// The thread has provably not run meanwhile.
///
/// No frame is wrong, and none comes from another moment: what is not sure is left out, and the
/// stack is then not complete. Held by `a_blocked_thread_has_the_stack_that_it_says_itself` and
/// `a_thread_that_runs_meanwhile_has_no_stack` in `tests/stacks`, for programs that are built in 18
/// ways by `.ci/stacks`.
///
/// It owns caches of what it has learnt of the program, which one `Stacks` per process is enough
/// for: it is `Send` and `Sync`, and what captures takes `&mut self`.
///
/// **Cost**: nothing until the first stack. Then the unwind tables of the modules that stacks pass
/// through (0.3 MB of a small program, 5 to 10 % of the code of any), and caches of at most 4 MB.
///
/// ```
/// use std::time::Duration;
/// use worker_metrics_thread_dump::{Stacks, Thread, ThreadId};
///
/// let (sender, receiver) = std::sync::mpsc::channel();
/// let sleeper = std::thread::spawn(move || {
///     let _ = sender.send(ThreadId::current());
///     std::thread::sleep(Duration::from_millis(300));
/// });
/// if let (Ok(Ok(id)), Ok(mut stacks)) = (receiver.recv(), Stacks::new()) {
///     std::thread::sleep(Duration::from_millis(100));
///     match Thread::open(id).map_err(Into::into).and_then(|thread| stacks.capture(&thread)) {
///         Ok(stack) => println!("{}", stack.folded()),
///         Err(why) => println!("no stack: {why}"),
///     }
/// }
/// sleeper.join().unwrap();
/// ```
#[derive(Debug)]
pub struct Stacks {
    memory: ProcessMemory,
    modules: Option<Modules>,
    caches: Caches,
    names: Names,
    pieces: Pieces,
}

impl Stacks {
    /// Opens the memory of this process.
    ///
    /// Do it early: a process that changes its user later may not any more.
    ///
    /// # Errors
    /// On other systems and architectures, without `/proc`, and if the process is not dumpable.
    pub fn new() -> Result<Self, Unavailable> {
        Ok(Self {
            memory: ProcessMemory::open()?,
            modules: None,
            caches: Caches::default(),
            names: Names::default(),
            pieces: Pieces::default(),
        })
    }

    /// Captures the stack of a thread, with its names.
    ///
    /// **Cost**: that of [`capture_raw`](Self::capture_raw) and of [`name`](Self::name).
    ///
    /// # Errors
    /// If the thread is not blocked in a system call, has run meanwhile, has ended, or cannot be
    /// read.
    pub fn capture(&mut self, thread: &Thread) -> Result<Stack, NoStack> {
        let raw = self.capture_raw(thread)?;
        Ok(self.name(&raw))
    }

    /// Captures the stack of a thread, by its addresses.
    ///
    /// **Cost**: 0.5 ms the first time, for the modules; then 10 to 60 µs for 8 to 100 frames where
    /// others have been before, 0.1 to 0.4 ms where none has (2026-11-25, example `stack`).
    /// Allocates.
    ///
    /// # Errors
    /// If the thread is not blocked in a system call, has run meanwhile, has ended, or cannot be
    /// read.
    pub fn capture_raw(&mut self, thread: &Thread) -> Result<RawStack, NoStack> {
        let before = thread.look()?;
        let Call::In(call) = before.call else { return Err(NoStack::Running) };
        let start = Start { stack_pointer: call.stack_pointer, program_counter: call.program_counter };
        let mut walk = self.walk(start)?;
        // Code that was not loaded when the modules were read, or other code in the place of one.
        let is_old = walk.left_modules
            || walk.frames.chunk_by(same_module).any(|frames| {
                let module = frames[0].module.as_ref();
                module.is_some_and(|module| !module.is_unchanged(&self.memory))
            });
        if is_old && self.forget_changed_modules()? {
            walk = self.walk(start)?;
        }
        // The call is read before the times: if nothing has changed since, then the thread was in
        // this call from its first reading on.
        let after = thread.look()?;
        if !after.has_not_run_since(&before) {
            return Err(NoStack::Moved);
        }
        Ok(RawStack { frames: walk.frames, cut: walk.cut })
    }

    /// Names the addresses of a stack.
    ///
    /// **Cost**: an address is looked up once, and remembered. If there is a new one, the debug
    /// information of its module is read, and given back afterwards: 20 to 40 ms and 4 MB for a
    /// small program (2026-11-25, example `stack`), more for a large one. Do it outside of locks.
    ///
    /// Functions of the C library have their exported names at best: its debug information, where
    /// that is installed, would cost 250 ms and 24 MB.
    ///
    /// The program's file is mapped meanwhile: who writes into it in place, instead of replacing
    /// it, may crash the process.
    #[must_use]
    pub fn name(&mut self, raw: &RawStack) -> Stack {
        let frames = self.names.name(&raw.frames);
        Stack { frames, complete: raw.cut.is_none(), cut: raw.cut }
    }

    fn walk(&mut self, start: Start) -> Result<Walk, NoStack> {
        if self.modules.is_none() {
            self.modules = Some(Modules::load(&self.memory, &maps()?));
        }
        let Some(modules) = &self.modules else { return Err(NoStack::Moved) };
        self.pieces.clear();
        let mut walker =
            Walker { memory: &self.memory, modules, caches: &mut self.caches, stack: &mut self.pieces };
        Ok(walker.walk::<Native>(start))
    }

    /// Reads the modules again if others are loaded, and says whether.
    fn forget_changed_modules(&mut self) -> Result<bool, NoStack> {
        let maps = maps()?;
        if self.modules.as_ref().is_some_and(|modules| modules.are_those_of(&maps, &self.memory)) {
            return Ok(false);
        }
        self.caches.clear();
        self.names.clear();
        self.modules = Some(Modules::load(&self.memory, &maps));
        Ok(true)
    }
}

fn same_module(one: &RawFrame, next: &RawFrame) -> bool {
    let bias = |frame: &RawFrame| frame.module.as_ref().map(|module| module.bias);
    bias(one) == bias(next)
}

fn maps() -> Result<String, NoStack> {
    const FILE: &str = "/proc/self/maps";
    // A path in it need not be text.
    fs::read(FILE)
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .map_err(|error| NoStack::Unavailable(Unavailable::of(FILE, &error)))
}

const _: () = {
    const fn is_send_and_sync<T: Send + Sync>() {}
    is_send_and_sync::<Stacks>();
};
