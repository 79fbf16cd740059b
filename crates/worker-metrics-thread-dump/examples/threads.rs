//! What every thread of a process is doing: some that wait, each for something else, and one that
//! computes.
//!
//! ```sh
//! cargo run -p worker-metrics-thread-dump --example threads
//! ```

use std::error::Error;
use std::io::Read;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use worker_metrics_thread_dump::{Thread, coverage, threads};

fn main() -> Result<(), Box<dyn Error>> {
    let coverage = coverage();
    println!("{coverage}\n");
    if coverage.looks.is_err() {
        return Ok(());
    }

    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let mut stream = TcpStream::connect(listener.local_addr()?)?;
    let (mut reader, _writer) = std::io::pipe()?;
    start("sleeper", || thread::sleep(Duration::from_secs(3600)))?;
    start("parked", thread::park)?;
    start("reader", move || drop(stream.read(&mut [0])))?;
    start("pipe", move || drop(reader.read(&mut [0])))?;
    start("computer", || {
        loop {
            std::hint::spin_loop();
        }
    })?;
    // Time for each to get where it is going to.
    thread::sleep(Duration::from_millis(100));

    for id in threads()? {
        let thread = Thread::open(id)?;
        let look = thread.look()?;
        let activity = thread.activity(&look)?;
        println!(
            "{id} {:<16} {activity}, CPU {:?}, kernel function {}",
            activity.name.as_deref().unwrap_or("?"),
            look.cpu_time,
            activity.kernel_function.as_deref().unwrap_or("none"),
        );
    }
    Ok(())
}

fn start(name: &str, work: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    thread::Builder::new().name(name.to_owned()).spawn(work).map(drop)
}
