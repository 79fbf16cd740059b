//! A workload as a service has it: TCP, computing, blocking calls, timers, and a mistake now and then.

mod blocking;
mod compute;
mod echo;
mod stall;
mod timers;

use std::io;

use tokio::runtime::Handle;

pub(crate) use stall::BLOCKED;

/// Starts it on the observed runtime, until that is shut down.
pub(crate) fn start(runtime: &Handle) -> io::Result<()> {
    let listener = runtime.block_on(echo::listen())?;
    runtime.spawn(echo::run(listener));
    runtime.spawn(compute::run());
    runtime.spawn(blocking::run());
    runtime.spawn(timers::run());
    runtime.spawn(stall::run());
    Ok(())
}
