//! No captured stack has a wrong frame. `STACKS_CAPTURES` sets how many are captured, 5,000 by
//! default.

use stacks::racing::racing;
use stacks::settled::settled;

#[test]
fn a_blocked_thread_has_the_stack_that_it_says_itself() {
    let captures = stacks::captures(5_000);
    let figures = settled(captures, 1);
    println!("{figures}");
    assert_eq!(figures.wrong, 0, "{figures}");
    assert!(figures.captures >= captures);
    assert!(figures.confirmed * 5 > figures.captures, "a signal confirms one of 4: {figures}");
    // Those that are cut block without the standard library, under a frame that is over-aligned.
    assert!(figures.complete * 10 > figures.captures * 6, "{figures}");
    assert!(figures.cuts.keys().all(|(kind, _)| stacks::block::is_raw(*kind)), "{figures}");
}

#[test]
fn a_thread_that_runs_meanwhile_has_no_stack() {
    for twins in [false, true] {
        let figures = racing(stacks::captures(5_000) * 6, twins, 1);
        println!("{figures}");
        assert_eq!(figures.wrong, 0, "{figures}");
        assert!(figures.complete > 0 && figures.moved > 0, "{figures}");
    }
}
