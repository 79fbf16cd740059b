//! Nothing is lost and nothing counted twice, whatever happens to the exports.

use opentelemetry_sdk::metrics::Temporality;
use proptest::collection::vec;
use proptest::prelude::*;

use super::world::{Event, Fate, SLOTS, World};
use crate::otlp::wire::Limits;

fn fates() -> impl Strategy<Value = Vec<Fate>> {
    let fate = prop_oneof![3 => Just(Fate::Taken), 2 => Just(Fate::Failed), 1 => Just(Fate::Unsettled)];
    vec(fate, 1..4)
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let export = (fates(), proptest::option::weighted(0.2, 0..SLOTS))
        .prop_map(|(fates, meanwhile)| Event::Export { fates, meanwhile });
    let event = prop_oneof![
        4 => (0..SLOTS).prop_map(Event::Attach),
        2 => (0..SLOTS).prop_map(Event::Detach),
        6 => (0..SLOTS, 0_usize..2, 0_usize..16, 1_u64..1 << 30)
            .prop_map(|(slot, worker, bucket, count)| Event::Count { slot, worker, bucket, count }),
        2 => (0..SLOTS, 0_usize..2, 0_u64..100).prop_map(|(slot, worker, to)| Event::Fall { slot, worker, to }),
        1 => (0..SLOTS).prop_map(Event::Panic),
        1 => Just(Event::Rebuild),
        2 => (-100_i64..100).prop_map(Event::Clock),
        6 => export,
    ];
    vec(event, 1..32)
}

fn temporality() -> impl Strategy<Value = Temporality> {
    prop_oneof![Just(Temporality::Cumulative), Just(Temporality::Delta), Just(Temporality::LowMemory)]
}

fn limits() -> impl Strategy<Value = Limits> {
    prop_oneof![
        2 => (1_usize..12).prop_map(|points| Limits { points, ..Limits::default() }),
        1 => (100_usize..2_000).prop_map(|bytes| Limits { bytes, ..Limits::default() }),
        1 => Just(Limits::default()),
    ]
}

fn run(temporality: Temporality, limits: Limits, clock_is_set: bool, events: &[Event]) {
    let mut world = World::new(temporality, limits, clock_is_set);
    events.iter().for_each(|event| world.happen(event));
    world.conclude();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn each_count_arrives_once_in_intervals_without_gap_or_overlap(
        temporality in temporality(),
        limits in limits(),
        events in events(),
    ) {
        run(temporality, limits, false, &events);
    }

    #[test]
    fn each_count_arrives_once_under_a_clock_that_is_set(
        temporality in temporality(),
        limits in limits(),
        events in events(),
    ) {
        run(temporality, limits, true, &events);
    }
}
