use worker_metrics::histogram::{Histogram, HistogramSnapshot, LocalHistogram, Scale, ScaleMismatch};

fn snapshot_of(scale: &Scale, values_ns: &[u64]) -> HistogramSnapshot {
    let (mut local, shared) = (LocalHistogram::new(scale), Histogram::new(scale));
    values_ns.iter().for_each(|&value_ns| local.measure(value_ns));
    local.submit(&shared);
    shared.snapshot()
}

#[test]
fn the_count_is_the_sum_of_the_buckets() {
    for scale in super::scales() {
        let values = super::values_at_the_edges(&scale);
        let snapshot = snapshot_of(&scale, &values);
        assert_eq!(snapshot.count(), values.len() as u64);
        assert_eq!(snapshot.count(), snapshot.buckets.iter().sum::<u64>());
        assert_eq!(snapshot.buckets.len(), scale.buckets());
    }
}

#[test]
fn the_default_holds_nothing() {
    let nothing = HistogramSnapshot::default();
    assert_eq!((nothing.count(), nothing.sum_ns, &nothing.scale, nothing.buckets.len()), (0, None, &None, 0));
}

#[test]
fn a_snapshot_keeps_its_buffer() {
    let scale = Scale::preset();
    let shared = Histogram::new(&scale);
    let mut snapshot = shared.snapshot();
    let buffer = (snapshot.buckets.as_ptr(), snapshot.buckets.capacity());
    shared.snapshot_into(&mut snapshot);
    snapshot.clear();
    assert_eq!(snapshot, HistogramSnapshot::default());
    snapshot.merge(&shared.snapshot()).expect("nothing has any scale");
    snapshot.fill(&scale, [0; 23], None);
    shared.snapshot_into(&mut snapshot);
    assert_eq!((snapshot.buckets.as_ptr(), snapshot.buckets.capacity()), buffer);
    assert_eq!(snapshot, shared.snapshot());
}

#[test]
fn a_snapshot_of_another_scale_is_replaced_whole() {
    let mut snapshot = snapshot_of(&Scale::log().build().expect("valid"), &[1, 2, 3]);
    let other = Histogram::new(&Scale::preset());
    other.snapshot_into(&mut snapshot);
    assert_eq!(snapshot, other.snapshot());
}

#[test]
fn merging_workers_is_measuring_with_one() {
    for scale in super::scales() {
        let values: Vec<_> =
            super::values_at_the_edges(&scale).iter().map(|value_ns| value_ns >> 16).collect();
        let (first, second) = values.split_at(values.len() / 3);
        let mut merged = HistogramSnapshot::default();
        for worker in [first, second] {
            merged.merge(&snapshot_of(&scale, worker)).expect("one scale");
        }
        assert_eq!(merged, snapshot_of(&scale, &values));
    }
}

#[test]
fn a_sum_unknown_of_one_worker_is_unknown_of_all() {
    let scale = Scale::preset();
    let known = snapshot_of(&scale, &[1_000_000]);
    let unknown = HistogramSnapshot::new(&scale, known.buckets.clone(), None);
    for (mut into, from) in [(known.clone(), unknown.clone()), (unknown, known)] {
        into.merge(&from).expect("one scale");
        assert_eq!((into.count(), into.sum_ns), (2, None));
    }
}

#[test]
fn nothing_adds_nothing_and_takes_over_what_is_added() {
    let known = snapshot_of(&Scale::preset(), &[1_000_000]);
    let (mut into, mut nothing) = (known.clone(), HistogramSnapshot::default());
    into.merge(&nothing).expect("nothing fits everything");
    nothing.merge(&known).expect("nothing fits everything");
    assert_eq!((&into, &nothing), (&known, &known));
}

#[test]
fn another_scale_is_not_added() {
    let mut into = snapshot_of(&Scale::preset(), &[1_000_000]);
    let before = into.clone();
    let other = snapshot_of(&Scale::linear(Scale::PRESET_MIN, 23).expect("valid"), &[1_000_000]);
    let mismatch = into.merge(&other).expect_err("the scales differ");
    assert_eq!(mismatch, ScaleMismatch { buckets: 23, other_buckets: 23 });
    assert!(mismatch.to_string().ends_with("on another scale: give both the same Scale"), "{mismatch}");
    let shorter = HistogramSnapshot::new(&Scale::preset(), [1; 22], before.sum_ns);
    assert_eq!(into.merge(&shorter), Err(ScaleMismatch { buckets: 23, other_buckets: 22 }));
    assert_eq!(into, before);
}

#[test]
fn totals_stay_at_the_largest_number() {
    let scale = Scale::preset();
    let full = HistogramSnapshot::new(&scale, [u64::MAX; 23], Some(u64::MAX));
    let mut into = full.clone();
    into.merge(&full).expect("one scale");
    assert_eq!((into.count(), &into), (u64::MAX, &full));
}
