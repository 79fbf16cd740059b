use worker_metrics::Clock;

#[test]
fn a_clock_never_goes_backwards() {
    let clock = Clock::new();
    let mut last = clock.now_ns();
    for _ in 0..1_000 {
        let now = clock.now_ns();
        assert!(now >= last);
        last = now;
    }
}

#[test]
fn copies_of_a_clock_share_its_time_line() {
    let clock = Clock::new();
    let copy = clock;
    let before = clock.now_ns();
    let between = copy.now_ns();
    let after = clock.now_ns();
    assert!((before..=after).contains(&between));
}
