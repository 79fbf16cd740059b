//! Captures stacks of this program, which `.ci/stacks` builds in many ways, and prints how many
//! were wrong: `chains SETTLED RACING SEED`.

use std::process::ExitCode;

use stacks::{racing, settled};

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse().expect("a number"));
    let mut next = |default| arguments.next().unwrap_or(default);
    let (captures, races, seed) = (next(1_000), next(3_000), next(1));
    let settled = settled::settled(captures, seed as u64);
    println!("settled: {settled}");
    let racing = racing::racing(races, false, seed as u64);
    println!("racing: {racing}");
    let twins = racing::racing(races, true, seed as u64);
    println!("twins: {twins}");
    let is_right = settled.wrong == 0 && racing.wrong == 0 && twins.wrong == 0;
    // If nothing was whole, nothing was tried.
    let was_tried = settled.complete * 2 > settled.captures && settled.confirmed > 0 && racing.complete > 0;
    if is_right && was_tried { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
