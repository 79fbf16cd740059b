//! Capturing stacks never hurts: threads come and go, libraries are loaded and unloaded, and what
//! is captured stays sane. `STACKS_CAPTURES` times 20 captures, 100,000 by default.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use worker_metrics_thread_dump::{NoStack, Stacks, Thread, threads};

#[test]
fn threads_come_and_go_and_libraries_are_unloaded() {
    let captures = stacks::captures(5_000) * 20;
    let stop = Arc::new(AtomicBool::new(false));
    let loads = Arc::new(AtomicUsize::new(0));
    let mut helpers: Vec<_> = (0..2)
        .map(|_| {
            let stop = stop.clone();
            thread::spawn(move || {
                while !stop.load(SeqCst) {
                    let some: Vec<_> =
                        (0..4).map(|number| thread::spawn(move || comes_and_goes(number))).collect();
                    some.into_iter().for_each(|one| one.join().expect("it ends"));
                }
            })
        })
        .collect();
    helpers.push({
        let (stop, loads) = (stop.clone(), loads.clone());
        thread::spawn(move || {
            while !stop.load(SeqCst) {
                loads.fetch_add(usize::from(load_and_unload()), SeqCst);
                thread::sleep(Duration::from_millis(1));
            }
        })
    });

    let mut stacks = Stacks::new().expect("memory can be read");
    let (mut captured, mut tried, mut complete) = (0, 0, 0);
    let begin = Instant::now();
    let resident = resident_kib();
    while tried < captures {
        for id in threads().expect("they are listed") {
            // It may have ended already.
            let Ok(thread) = Thread::open(id) else { continue };
            for _ in 0..4 {
                tried += 1;
                match stacks.capture_raw(&thread) {
                    Ok(stack) => {
                        captured += 1;
                        complete += usize::from(stack.is_complete());
                        assert!(stack.addresses().len() > 0);
                    }
                    Err(NoStack::Running | NoStack::Moved | NoStack::Ended) => {}
                    Err(why) => panic!("{why}"),
                }
            }
        }
    }
    stop.store(true, SeqCst);
    helpers.into_iter().for_each(|helper| helper.join().expect("it ends"));
    let grown = resident_kib().saturating_sub(resident);
    let loads = loads.load(SeqCst);
    println!(
        "{tried} captures in {:?}: {captured} stacks, {complete} complete; {loads} loads; {grown} KiB more",
        begin.elapsed()
    );
    assert!(complete > 0 && loads > 0);
    // The caches are bounded, and what threads leave behind is the allocator's.
    assert!(grown < 64 << 10, "{grown} KiB");
}

fn comes_and_goes(number: u64) {
    thread::sleep(Duration::from_micros(number * 200));
}

/// Loads a library that nothing else here uses, and unloads it.
#[allow(unsafe_code, reason = "a library may do anything when it is loaded")]
fn load_and_unload() -> bool {
    ["libresolv.so.2", "libutil.so.1", "libanl.so.1"].into_iter().any(|name| {
        // SAFETY: these belong to the C library, and do nothing when they are loaded.
        let library = unsafe { libloading::Library::new(name) };
        library.is_ok_and(|library| library.close().is_ok())
    })
}

fn resident_kib() -> usize {
    let status = fs::read_to_string("/proc/self/status").expect("it is readable");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("it has a size");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number")
}
