//! The places in the program where tasks are spawned, by their addresses.
//!
//! A poll stores an address, which is a number; a reader gets the location back here. Written when
//! a task is spawned, which must not lock or allocate.

use std::panic::Location;
use std::sync::OnceLock;

/// Those of the whole program: they are constants of it, and few.
static LOCATIONS: Locations<4_096> = Locations::new();

/// So many slots are tried. A location that finds none is not known to readers.
const TRIES: usize = 32;

type At = &'static Location<'static>;

/// A hash table that only grows.
struct Locations<const SLOTS: usize>([OnceLock<At>; SLOTS]);

/// What stands for a location in an atomic.
#[inline]
pub(crate) fn address_of(location: At) -> u64 {
    std::ptr::from_ref(location).addr() as u64
}

/// Keeps a location, for [`at`] to find.
#[inline]
pub(crate) fn keep(location: At) {
    LOCATIONS.keep(location);
}

/// The location of an address.
///
/// **Absent when** it was not kept.
pub(super) fn at(address: u64) -> Option<At> {
    LOCATIONS.at(address)
}

impl<const SLOTS: usize> Locations<SLOTS> {
    const fn new() -> Self {
        Self([const { OnceLock::new() }; SLOTS])
    }

    #[inline]
    fn keep(&self, location: At) {
        for slot in self.slots(address_of(location)) {
            let kept = match slot.get() {
                Some(kept) => kept,
                // Another thread may be the first with another location.
                None => slot.get_or_init(|| location),
            };
            if std::ptr::eq(*kept, location) {
                return;
            }
        }
    }

    fn at(&self, address: u64) -> Option<At> {
        let slots = self.slots(address).map_while(OnceLock::get).copied();
        slots.into_iter().find(|location| address_of(location) == address)
    }

    #[inline]
    fn slots(&self, address: u64) -> impl Iterator<Item = &OnceLock<At>> {
        // Fibonacci hashing: neighbouring addresses are far from each other.
        let hash = (address.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) as usize;
        (0..TRIES.min(SLOTS)).filter_map(move |tries| self.0.get(hash.wrapping_add(tries) % SLOTS))
    }
}

#[cfg(all(test, not(worker_metrics_loom)))]
mod tests {
    use super::*;

    fn five() -> [At; 5] {
        #[track_caller]
        fn here() -> At {
            Location::caller()
        }
        [here(), here(), here(), here(), here()]
    }

    #[test]
    fn a_location_that_was_kept_is_found_by_its_address_and_another_is_not() {
        let locations = Locations::<64>::new();
        let [kept, other, ..] = five();
        locations.keep(kept);
        locations.keep(kept);
        assert!(std::ptr::eq(locations.at(address_of(kept)).unwrap(), kept));
        assert_eq!(locations.at(address_of(other)), None);
        assert_eq!(locations.at(0), None);
        assert_eq!(locations.0.iter().filter(|slot| slot.get().is_some()).count(), 1);
    }

    #[test]
    fn a_table_that_is_full_keeps_what_it_has() {
        let locations = Locations::<4>::new();
        let five = five();
        five.into_iter().for_each(|location| locations.keep(location));
        let found = five.map(|location| locations.at(address_of(location)).is_some());
        assert_eq!(found, [true, true, true, true, false]);
    }

    #[test]
    fn threads_that_keep_the_same_locations_at_once_agree() {
        let locations = Locations::<8>::new();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| five().into_iter().for_each(|location| locations.keep(location)));
            }
        });
        assert!(five().iter().all(|location| locations.at(address_of(location)).is_some()));
    }
}
