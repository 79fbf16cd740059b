//! The counters of a worker: one index for each.
//!
//! [`Batch`](crate::Batch) counts by it, [`WorkerMetrics`](crate::WorkerMetrics) publishes by it,
//! and a [`WorkerSnapshot`](crate::WorkerSnapshot) is filled by it. It holds no value.

/// The enum, and the list of its variants, from one list.
macro_rules! counters {
    ($($(#[$doc:meta])* $counter:ident,)+) => {
        /// A counter of a worker: something that only grows.
        ///
        /// A new one is a variant here, an event of [`Batch`](crate::Batch) and a row of the
        /// [`catalogue`](crate::catalogue); everything between the two follows from this list.
        ///
        /// # Examples
        ///
        /// ```
        /// use worker_metrics::{Batch, Counter, WorkerMetrics};
        ///
        /// let mut batch = Batch::new(WorkerMetrics::new());
        /// batch.stole(3);
        /// batch.submit();
        /// assert_eq!(batch.metrics().count(Counter::Steals), 3);
        /// assert_eq!(batch.metrics().count(Counter::StealOperations), 1);
        /// ```
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Counter {
            $($(#[$doc])* $counter,)+
        }

        impl Counter {
            /// Every counter, in the order of its index.
            pub const ALL: &'static [Self] = &[$(Self::$counter,)+];
        }
    };
}

counters! {
    /// Times the worker parked.
    Parks,
    /// Times the worker woke and parked again without polling anything.
    Noops,
    /// Tasks that the worker stole from others.
    Steals,
    /// Times the worker stole, however many tasks each time.
    StealOperations,
    /// Task polls.
    Polls,
    /// Tasks that the worker scheduled onto its own queue.
    LocalSchedules,
    /// Times the worker's own queue overflowed into the global one.
    Overflows,
}

impl Counter {
    /// Number of counters.
    pub(crate) const COUNT: usize = Self::ALL.len();

    /// Index of the counter in every array of counters.
    #[inline]
    pub(crate) const fn index(self) -> usize {
        self as usize
    }
}
