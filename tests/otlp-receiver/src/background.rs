//! A thread with a runtime of its own.
//! Started by the receiver, the relay and the proxy; ends when it is dropped.
//! Never waits for a peer in order to stop: what is under way then is cut off.

use std::{
    io,
    sync::mpsc,
    thread::{self, JoinHandle},
};

use tokio::sync::oneshot;

use crate::ReceiverError;

/// A server on its own thread and runtime. Dropping it stops the server and joins the thread.
#[derive(Debug)]
pub(crate) struct Background {
    /// The server stops when this is dropped.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Background {
    /// Starts the future that `serve` makes within the runtime; returns when it is made.
    pub(crate) fn start<F: Future<Output = ()>>(
        name: &str,
        serve: impl FnOnce() -> io::Result<F> + Send + 'static,
    ) -> Result<Self, ReceiverError> {
        let (stop, stopped) = oneshot::channel::<()>();
        let (started, outcome) = mpsc::channel();
        let thread = thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build();
                let begun = runtime.and_then(|runtime| {
                    let entered = runtime.enter();
                    let server = serve()?;
                    drop(entered);
                    Ok((runtime, server))
                });
                // Nobody listens only if the starter is gone.
                match begun {
                    Ok((runtime, server)) => {
                        _ = started.send(Ok(()));
                        runtime.block_on(async {
                            tokio::select! {
                                _ = stopped => {}
                                () = server => {}
                            }
                        });
                    }
                    Err(error) => _ = started.send(Err(error)),
                }
            })
            .map_err(ReceiverError::Thread)?;
        // The thread ends without a word only by a panic.
        outcome
            .recv()
            .unwrap_or_else(|_| Err(io::Error::other("the thread ended")))
            .map_err(ReceiverError::Runtime)?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // The thread has nothing to report, and a panic on it must not become one here.
            _ = thread.join();
        }
    }
}
