//! What walks have learnt about code, by its address: it is the same for each stack that passes
//! through. Bounded; emptied when it is full and when the modules change.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use super::link::Link;
use super::row::Row;
use super::unwind_table::Scratch;

/// More places than this are not remembered: about 1.5 MB in all. The blocked threads of a service
/// are in some hundred.
const MOST: usize = 4096;

#[derive(Debug, Default)]
pub(super) struct Caches {
    /// The row of a place in a function; none where the module has no table for it.
    pub(super) rows: Bounded<u64, Option<Arc<Row>>>,
    /// By return address and the beginning of the function that returns there.
    pub(super) links: Bounded<(u64, u64), Link>,
    /// By place: how far the stack pointer is below the frame pointer.
    pub(super) frame_sizes: Bounded<u64, Option<u64>>,
    pub(super) scratch: Box<Scratch>,
}

impl Caches {
    pub(super) fn clear(&mut self) {
        self.rows.map.clear();
        self.links.map.clear();
        self.frame_sizes.map.clear();
    }
}

#[derive(Debug)]
pub(super) struct Bounded<K, V> {
    map: HashMap<K, V>,
}

impl<K, V> Default for Bounded<K, V> {
    fn default() -> Self {
        Self { map: HashMap::new() }
    }
}

impl<K: Hash + Eq, V: Clone> Bounded<K, V> {
    pub(super) fn get(&self, key: &K) -> Option<V> {
        self.map.get(key).cloned()
    }

    pub(super) fn keep(&mut self, key: K, value: V) -> V {
        if self.map.len() >= MOST {
            self.map.clear();
        }
        self.map.insert(key, value.clone());
        value
    }
}
