//! Prints the stack of a thread that is blocked, whole and folded, with the time that it took.

use std::error::Error;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use worker_metrics_thread_dump::{Stacks, Thread, ThreadId};

fn main() -> Result<(), Box<dyn Error>> {
    let (sender, receiver) = mpsc::channel();
    let handler = thread::spawn(move || {
        let _ = sender.send(ThreadId::current());
        checkout(|| price(3));
    });
    let blocked = Thread::open(receiver.recv()??)?;
    thread::sleep(Duration::from_millis(100));

    let mut stacks = Stacks::new()?;
    let begin = Instant::now();
    let raw = stacks.capture_raw(&blocked)?;
    println!("{} addresses in {:?}", raw.addresses().len(), begin.elapsed());
    let begin = Instant::now();
    stacks.capture_raw(&blocked)?;
    println!("again in {:?}", begin.elapsed());
    let (begin, resident) = (Instant::now(), resident_kib());
    let stack = stacks.name(&raw);
    println!("names in {:?}, {} KiB more", begin.elapsed(), resident_kib().saturating_sub(resident));
    let begin = Instant::now();
    let stack_again = stacks.name(&raw);
    println!("again in {:?}\n\n{stack_again}", begin.elapsed());
    println!("{}", stack.folded());
    handler.join().map_err(|_| "the handler panicked")?;
    Ok(())
}

#[inline(never)]
fn checkout(price: impl Fn() -> u64) {
    println!("price {}", price());
}

fn price(articles: u64) -> u64 {
    thread::sleep(Duration::from_secs(2));
    articles * 7
}

/// Resident memory of this process.
fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok()).unwrap_or(0)
}
