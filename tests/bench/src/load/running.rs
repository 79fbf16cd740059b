//! A load that runs.

use std::io;
use std::sync::Arc;

use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

use super::board::{Board, Tally};
use super::latencies::Latencies;

/// Works until it is ended.
#[derive(Debug)]
pub(crate) struct Running<'a> {
    pub(super) runtime: &'a Runtime,
    pub(super) board: Arc<Board>,
    pub(super) tasks: Vec<JoinHandle<Tally>>,
    /// What the tasks talk to, if to anything.
    pub(super) server: Option<JoinHandle<io::Result<()>>>,
    pub(super) pools: usize,
}

impl Running<'_> {
    /// What was done so far.
    pub(crate) fn counted(&self) -> u64 {
        self.board.counted()
    }

    /// Latencies go into this pool from now on, or nowhere.
    pub(crate) fn pool(&self, pool: Option<usize>) {
        self.board.pool(pool);
    }

    /// Ends it: the latencies of each pool.
    pub(crate) fn end(self) -> Vec<Latencies> {
        self.board.end();
        let mut pools = vec![Latencies::new(); self.pools];
        for task in self.tasks {
            self.runtime.block_on(task).expect("it does not panic").add_to(&mut pools);
        }
        if let Some(server) = self.server {
            server.abort();
        }
        pools
    }
}
