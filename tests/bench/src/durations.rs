//! Durations of polls as a service has them.

use std::f64::consts::TAU;
use std::time::Duration;

use fastrand::Rng;

/// Log-normal around 20 µs, and one in a hundred around 2 ms: most polls are short, and some do too
/// much at once.
///
/// The same in every run for the same `seed`.
pub fn durations(seed: u64) -> impl Iterator<Item = Duration> {
    let mut random = Rng::with_seed(seed);
    std::iter::repeat_with(move || {
        let median_us = if random.u32(0..100) == 0 { 2_000.0 } else { 20.0 };
        Duration::from_secs_f64(median_us * normal(&mut random).exp() / 1e6)
    })
}

/// A value of the standard normal distribution, by Box and Muller.
fn normal(random: &mut Rng) -> f64 {
    // Above 0, as the logarithm wants it.
    let radius = (-2.0 * (1.0 - random.f64()).ln()).sqrt();
    radius * (TAU * random.f64()).cos()
}
