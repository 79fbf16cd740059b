//! What a look and an activity cost, at a thread that is parked and at one that waits for a socket.
//!
//! ```sh
//! cargo run --release -p worker-metrics-thread-dump --example cost -- 0
//! ```
//!
//! The argument is the number of connections that the process has besides.

use std::error::Error;
use std::hint::black_box;
use std::io::Read;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use worker_metrics_thread_dump::Thread;

fn main() -> Result<(), Box<dyn Error>> {
    let connections = std::env::args().nth(1).map_or(Ok(0), |count| count.parse())?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    let mut stream = TcpStream::connect(address)?;
    let mut others = Vec::new();
    for _ in 0..connections {
        others.push((TcpStream::connect(address)?, listener.accept()?));
    }
    let parked = start(std::thread::park)?;
    let reads = start(move || drop(stream.read(&mut [0])))?;
    std::thread::sleep(Duration::from_millis(100));

    report("a look at a parked thread", 100_000, || {
        let _ = black_box(parked.look());
    });
    report("opening a thread", 10_000, || drop(black_box(Thread::open(parked.id()))));
    let look = parked.look()?;
    report("the activity of a parked thread", 10_000, || drop(black_box(parked.activity(&look))));
    let look = reads.look()?;
    let case = format!("the activity of a thread that reads from one of {} sockets", 2 * connections + 2);
    report(&case, 2_000, || drop(black_box(reads.activity(&look))));
    let computes = start(|| {
        loop {
            std::hint::spin_loop();
        }
    })?;
    report("a look at a thread that computes", 100_000, || {
        let _ = black_box(computes.look());
    });
    Ok(())
}

fn start(work: impl FnOnce() + Send + 'static) -> Result<Thread, Box<dyn Error>> {
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || {
        let _ = send.send(Thread::current());
        work();
    });
    Ok(receive.recv()??)
}

fn report(what: &str, count: usize, mut work: impl FnMut()) {
    let mut times: Vec<_> = (0..count)
        .map(|_| {
            let begin = Instant::now();
            work();
            begin.elapsed()
        })
        .collect();
    times.sort_unstable();
    let at = |thousandths: usize| times[(count - 1) * thousandths / 1000];
    println!(
        "{what}: median {:?}, 99 % {:?}, 99.9 % {:?}, longest {:?}",
        at(500),
        at(990),
        at(999),
        at(1000)
    );
}
