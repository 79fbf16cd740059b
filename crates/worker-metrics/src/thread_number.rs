//! The number by which the system knows the calling thread.

/// The number of the calling thread in the system, as `gettid` has it.
///
/// **Absent when** the system is not Linux, or `/proc` is not there. **Cost**: one system call.
pub(crate) fn of_this_thread() -> Option<u32> {
    if !cfg!(target_os = "linux") {
        return None;
    }
    // A link of the form `<process>/task/<thread>`.
    let link = std::fs::read_link("/proc/thread-self").ok()?;
    link.file_name()?.to_str()?.parse().ok()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn each_thread_has_a_number_of_its_own_and_the_system_knows_it() {
        let here = of_this_thread().unwrap();
        let there = std::thread::spawn(of_this_thread).join().unwrap().unwrap();
        assert_ne!(here, there);
        assert!(std::path::Path::new(&format!("/proc/self/task/{here}")).exists());
    }
}
