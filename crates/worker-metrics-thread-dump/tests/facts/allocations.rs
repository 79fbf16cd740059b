use allocation_counter::measure;

use crate::rig;

#[test]
fn a_look_does_not_allocate() {
    let subject = rig::spawn(std::thread::park);
    let _ = subject.once_asleep();
    let allocations = measure(|| {
        for _ in 0..100 {
            std::hint::black_box(subject.thread.look()).expect("it lives");
        }
    });
    assert_eq!(allocations.count_total, 0);
    let activity = subject.thread.look().expect("it lives");
    let allocations = measure(|| drop(subject.thread.activity(&activity)));
    assert_ne!(allocations.count_total, 0, "nothing is counted: this test tests nothing");

    subject.handle.thread().unpark();
    let id = subject.thread.id();
    subject.handle.join().expect("it does not panic");
    let ended = measure(|| {
        let _ = std::hint::black_box(subject.thread.look());
    });
    assert_eq!(ended.count_total, 0, "of thread {id}, which has ended");
}
