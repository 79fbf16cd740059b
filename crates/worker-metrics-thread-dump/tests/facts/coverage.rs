use worker_metrics_thread_dump::coverage;

#[test]
fn all_of_it_is_there_for_a_process_of_no_privileges_on_linux() {
    let coverage = coverage();
    assert_eq!(coverage.looks, Ok(()));
    assert_eq!(coverage.descriptors, Ok(()));
    assert_eq!(coverage.memory, Ok(()));
    assert_eq!(coverage.stacks.is_ok(), cfg!(feature = "stack"));
    assert_eq!(coverage.is_complete(), coverage.iter().all(|(_, available)| available.is_ok()));
    assert_eq!(coverage.to_string().lines().count(), coverage.iter().count());
}
