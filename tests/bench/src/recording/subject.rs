//! Something that is recorded again and again, and what it is recorded into.

use std::fmt;

/// What one thread does, as often as it is told.
pub(super) type Run = Box<dyn FnMut(u64)>;

/// One row of a table: each thread that records makes what it records into for itself.
pub(super) struct Subject {
    pub(super) name: String,
    make: Box<dyn Fn(usize) -> Run + Send + Sync>,
    /// What is done between two samples, unmeasured.
    between: Box<dyn Fn() + Send + Sync>,
}

impl Subject {
    /// `make` is told which of the threads calls it, and returns the event.
    pub(super) fn new<E: FnMut() + 'static>(
        name: impl Into<String>,
        make: impl Fn(usize) -> E + Send + Sync + 'static,
    ) -> Self {
        let make = move |thread| -> Run {
            let mut event = make(thread);
            // One loop for each kind of event: none is called through a pointer.
            Box::new(move |times| (0..times).for_each(|_| event()))
        };
        Self { name: name.into(), make: Box::new(make), between: Box::new(|| ()) }
    }

    /// Tidies up between two samples.
    pub(super) fn between(self, tidy: impl Fn() + Send + Sync + 'static) -> Self {
        Self { between: Box::new(tidy), ..self }
    }

    /// What the thread of this number does.
    pub(super) fn run(&self, thread: usize) -> Run {
        (self.make)(thread)
    }

    pub(super) fn tidy(&self) {
        (self.between)();
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subject").field("name", &self.name).finish_non_exhaustive()
    }
}
