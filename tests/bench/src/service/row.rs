//! What is compared with a bare runtime.

use std::time::Duration;

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    /// At which exports are due.
    pub(super) interval: Duration,
    /// Otherwise the runtime is bare in all slices.
    pub(super) is_attached: bool,
    /// Exports that one process sees.
    pub(super) exports: usize,
    /// Processes.
    pub(super) rounds: usize,
}

/// The interval of the row that is promised something, and of the row that shows what is noise.
const PROMISED: Duration = Duration::from_secs(1);

const FULL: [Row; 5] = [
    Row { interval: PROMISED, is_attached: false, exports: 3, rounds: 9 },
    Row { interval: Duration::from_secs(60), is_attached: true, exports: 1, rounds: 1 },
    Row { interval: Duration::from_secs(10), is_attached: true, exports: 1, rounds: 2 },
    Row { interval: PROMISED, is_attached: true, exports: 3, rounds: 9 },
    Row { interval: Duration::from_millis(100), is_attached: true, exports: 15, rounds: 9 },
];

/// Shows that everything runs, in little time.
const SMOKE: [Row; 3] = [
    Row { interval: PROMISED, is_attached: false, exports: 1, rounds: 1 },
    Row { interval: PROMISED, is_attached: true, exports: 1, rounds: 1 },
    Row { interval: Duration::from_millis(100), is_attached: true, exports: 3, rounds: 1 },
];

pub(super) fn rows(rounds: usize) -> &'static [Row] {
    if rounds >= crate::FEWEST_ROUNDS { &FULL } else { &SMOKE }
}

impl Row {
    pub(super) fn title(self) -> String {
        match self.is_attached {
            true => format!("attached, exported every {:?}", self.interval),
            false => "bare against bare".to_owned(),
        }
    }

    pub(super) fn is_promised(self) -> bool {
        self.is_attached && self.interval == PROMISED
    }
}
