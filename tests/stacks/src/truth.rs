//! What a thread says itself about its stack.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use crate::chain;

/// The return addresses of the callers of [`chain::leaf`], innermost first.
pub type Callers = Vec<u64>;

/// What a thread has published, in order.
#[derive(Debug, Default)]
pub struct Log {
    published: Mutex<Vec<Callers>>,
    count: AtomicUsize,
}

impl Log {
    /// Publishes the callers of `leaf`, which calls this.
    #[inline(never)]
    pub fn publish(&self) {
        let callers = callers_of(chain::leaf as *const () as usize);
        self.published.lock().expect("nobody panics").push(callers);
        self.count.fetch_add(1, SeqCst);
    }

    /// How many were published.
    pub fn count(&self) -> usize {
        self.count.load(SeqCst)
    }

    /// All that was published; the log begins anew.
    pub fn take(&self) -> Vec<Callers> {
        let mut published = self.published.lock().expect("nobody panics");
        self.count.store(0, SeqCst);
        std::mem::take(&mut published)
    }
}

fn callers_of(leaf: usize) -> Callers {
    let mut callers = Vec::with_capacity(128);
    let mut is_above = false;
    backtrace::trace(|frame| {
        // libgcc ends with a frame at 0.
        if is_above && !frame.ip().is_null() {
            callers.push(frame.ip() as u64);
        }
        is_above |= frame.symbol_address() as usize == leaf;
        true
    });
    assert!(is_above, "the thread's own backtrace passes through the leaf");
    callers
}

/// Whether an address is in `chain::leaf`, as far as that can be told without symbols.
#[must_use]
pub fn is_in_leaf(address: u64) -> bool {
    let leaf = chain::leaf as *const () as usize as u64;
    (leaf + 1..leaf + 1024).contains(&address)
}

/// How a captured stack compares with the callers that were published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// It is whole, and has the leaf and just these callers.
    Whole,
    /// It is cut, and what it has agrees.
    Cut,
    /// It does not come from the leaf.
    Outside,
    /// It differs.
    Wrong,
}

/// Compares.
#[must_use]
pub fn compare(addresses: &[u64], is_complete: bool, callers: &[u64]) -> Comparison {
    // Small functions beside the leaf may look like it.
    let leaves = (0..addresses.len()).filter(|index| is_in_leaf(addresses[*index]));
    let compared = leaves.map(|leaf| match &addresses[leaf + 1..] {
        found if is_complete && found == callers => Comparison::Whole,
        found if !is_complete && callers.starts_with(found) => Comparison::Cut,
        _ => Comparison::Wrong,
    });
    compared.min_by_key(|comparison| *comparison == Comparison::Wrong).unwrap_or(if is_complete {
        Comparison::Outside
    } else {
        Comparison::Cut
    })
}

/// Where two stacks begin to differ, from the root on, to be read by a person.
#[must_use]
pub fn difference(captured: &[u64], expected: &[u64]) -> String {
    let same =
        captured.iter().rev().zip(expected.iter().rev()).take_while(|(one, other)| one == other).count();
    let around = |addresses: &[u64]| {
        let end = addresses.len() - same;
        let range = end.saturating_sub(4)..(end + 2).min(addresses.len());
        addresses[range].iter().map(|address| format!(" {address:x}")).collect::<String>()
    };
    let (some, other) = (captured.len(), expected.len());
    format!(
        "{same} of {some} equal, {other} expected; captured …{}; expected …{}",
        around(captured),
        around(expected)
    )
}
