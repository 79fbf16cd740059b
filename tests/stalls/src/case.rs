//! One animal, on one kind of runtime, with one kind of instrumentation.

use std::fmt;

use crate::animals::{Animal, Blocks};

/// One animal, on one kind of runtime, with one kind of instrumentation.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// How it blocks.
    pub animal: Animal,
    /// Where it does.
    pub place: Place,
    /// What is known of it.
    pub instrumented: Instrumented,
}

/// Where an animal runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a task of a runtime of two workers.
    MultiThread,
    /// In a task of a current-thread runtime that `block_on` drives.
    CurrentThread,
    /// In the future that `block_on` was given, on a current-thread runtime.
    Root,
    /// In a task of a `LocalSet`.
    LocalSet,
}

/// How much the program has done for its tasks to be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instrumented {
    /// Nothing.
    Plain,
    /// It spawns through `TaskMetrics`.
    Tasks,
    /// It has installed the hooks as well.
    Hooked,
}

/// What the rules promise of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Promise {
    /// One stall.
    One,
    /// None.
    None,
    /// One, or none.
    AtMostOne,
}

impl Place {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::MultiThread, Self::CurrentThread, Self::Root, Self::LocalSet];
}

impl Instrumented {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Plain, Self::Tasks, Self::Hooked];

    pub(crate) fn has_tasks(self) -> bool {
        self != Self::Plain
    }
}

impl Case {
    /// Every case of the animals that `which` takes.
    pub fn all(animals: &[Animal]) -> Vec<Self> {
        let places = |animal| Place::ALL.map(|place| (animal, place));
        let cases = animals.iter().copied().flat_map(places).flat_map(|(animal, place)| {
            Instrumented::ALL.map(|instrumented| Self { animal, place, instrumented })
        });
        cases.collect()
    }

    /// What is reported of it. The exact age of a poll proves a stall of any kind; a thread that
    /// has slept in one call proves one; a computation is proved by 5 s of its own time, where it
    /// is known that somebody drives the worker.
    pub(crate) fn promise(&self) -> Promise {
        match self.animal.blocks {
            _ if self.instrumented.has_tasks() => Promise::One,
            Blocks::InOneCall => Promise::One,
            Blocks::ByComputing if self.place == Place::MultiThread => Promise::One,
            Blocks::ByComputing => Promise::None,
            Blocks::WithoutCpu | Blocks::InPieces => Promise::AtMostOne,
        }
    }

    /// How long it has to block for its stall to be sure to be proved by a watchdog in time.
    #[must_use]
    pub fn least_seconds(&self) -> f64 {
        match self.animal.blocks {
            Blocks::ByComputing if !self.instrumented.has_tasks() => 6.5,
            _ => 2.5,
        }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {:?}, {:?}", self.animal.name, self.place, self.instrumented)
    }
}
