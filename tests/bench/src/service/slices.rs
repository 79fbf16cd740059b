//! Slices of a load, attached and bare in turns.

use std::thread::sleep;
use std::time::{Duration, Instant};

use super::found::Found;
use super::observer::{Exports, Observer};
use super::schedule::{GAP, SLICE, Schedule, Turn};
use crate::load::{Latencies, Running};

/// Pools of latencies: bare and attached, in pairs without an export and in pairs with one.
pub(super) const POOLS: usize = 4;

/// What one slice saw.
struct Slice {
    per_second: f64,
    exports: Exports,
}

/// Pairs until so many exports have been seen in an attached slice, at an interval of `interval`.
pub(super) fn measure(
    running: Running<'_>,
    mut observer: Observer,
    interval: Duration,
    exports: usize,
) -> Found {
    let mut ratios = [Vec::new(), Vec::new()];
    let (mut strays, mut answered, mut schedule) = (0, 0, Schedule::new(interval));
    // Some exports may come when no room was made for them.
    let end = Instant::now() + interval * u32::try_from(2 * exports + 4).expect("few exports");
    while ratios[1].len() < exports && Instant::now() < end {
        let (attached_first, has_export) = match schedule.next(observer.until_due()) {
            Turn::Pause(time) => {
                sleep(time);
                continue;
            }
            Turn::Pair { attached_first, has_export } => (attached_first, has_export),
        };
        let mut slice = |attached| slice(&running, &mut observer, attached, has_export);
        let (attached, bare) = match attached_first {
            true => {
                let attached = slice(true);
                (attached, slice(false))
            }
            false => {
                let bare = slice(false);
                (slice(true), bare)
            }
        };
        let ratio = attached.per_second / bare.per_second;
        // Nothing is done in a slice in which other programs had all processors.
        let is_known = bare.per_second > 0.0;
        if is_known && attached.exports.begun == u64::from(has_export) && bare.exports.begun == 0 {
            ratios[usize::from(has_export)].push(ratio);
            answered += usize::from(has_export && attached.exports.answered > 0);
        } else {
            strays += 1;
        }
    }
    assert!(ratios.iter().all(|ratios| !ratios.is_empty()), "exports fell where no room was made for them");
    let (bare_us, attached_us) = latencies_us(&running.end(), &ratios, share_of_a_slice(interval));
    let [without, with] = ratios;
    Found { without, with, strays, answered, bare_us, attached_us }
}

/// How much of the time in use is a slice with an export.
pub(super) fn share_of_a_slice(interval: Duration) -> f64 {
    SLICE.as_secs_f64() / interval.as_secs_f64()
}

/// Quantiles, bare and attached: the pools of both kinds of pairs count as much as they do in use.
fn latencies_us(pools: &[Latencies], ratios: &[Vec<f64>; 2], share: f64) -> (Vec<f64>, Vec<f64>) {
    let weights = [(1.0 - share) / ratios[0].len() as f64, share / ratios[1].len() as f64];
    let of = |attached| {
        let mut mixed = Latencies::new();
        for (has_export, weight) in weights.into_iter().enumerate() {
            mixed.add(&pools[pool(has_export == 1, attached)], weight);
        }
        mixed.quantiles_us()
    };
    (of(false), of(true))
}

fn pool(has_export: bool, attached: bool) -> usize {
    2 * usize::from(has_export) + usize::from(attached)
}

fn slice(running: &Running<'_>, observer: &mut Observer, attached: bool, has_export: bool) -> Slice {
    let exports = observer.exports();
    match attached {
        true => observer.attach(),
        false => observer.detach(),
    }
    sleep(GAP);
    running.pool(Some(pool(has_export, attached)));
    let (before, began) = (running.counted(), Instant::now());
    sleep(SLICE);
    let (after, time) = (running.counted(), began.elapsed());
    running.pool(None);
    let per_second = (after - before) as f64 / time.as_secs_f64();
    Slice { per_second, exports: observer.exports().since(exports) }
}
