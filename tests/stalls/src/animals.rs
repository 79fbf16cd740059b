//! The ways to block a worker.
//!
//! Each is a function of its own, so that the stack of a stall names it. The line below
//! `blocks_below` is the one that a stall must be laid to.

use std::fs::File;
use std::hint::black_box;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::channel;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{CWD, FileType, FlockOperation, Mode, flock, mknodat};
use socket2::{Domain, Socket, Type};
use worker_metrics::StallCause;

use crate::cpu;
use crate::stay::Stay;

/// A way to block a worker.
#[derive(Clone, Copy, Debug)]
pub struct Animal {
    /// The name of the function that blocks.
    pub name: &'static str,
    /// Why a worker that runs it is stalled.
    pub cause: StallCause,
    pub(crate) blocks: Blocks,
    pub(crate) run: fn(&Stay),
}

/// How an animal blocks, which decides on what can be proved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Blocks {
    /// In one call.
    InOneCall,
    /// By using a CPU all the time.
    ByComputing,
    /// By waiting for a CPU most of the time.
    WithoutCpu,
    /// In many short calls.
    InPieces,
}

/// All of them.
pub const ANIMALS: [Animal; 19] = [
    animal("sleep", StallCause::Sleeping, sleep),
    animal("mutex", StallCause::Lock, mutex),
    animal("condvar", StallCause::Lock, condvar),
    animal("channel_recv", StallCause::Lock, channel_recv),
    animal("thread_join", StallCause::Waiting, thread_join),
    animal("tcp_connect", StallCause::BlockingIo, tcp_connect),
    animal("tcp_read", StallCause::BlockingIo, tcp_read),
    animal("pipe_read", StallCause::BlockingIo, pipe_read),
    animal("fifo_open", StallCause::BlockingIo, fifo_open),
    animal("file_lock", StallCause::BlockingIo, file_lock),
    animal("child_status", StallCause::Waiting, child_status),
    animal("child_output", StallCause::Waiting, child_output),
    animal("block_on_future", StallCause::Waiting, block_on_future),
    animal("block_on_runtime", StallCause::Waiting, block_on_runtime),
    animal("rayon_install", StallCause::Waiting, rayon_install),
    Animal { blocks: Blocks::ByComputing, ..animal("computation", StallCause::Computing, computation) },
    Animal { blocks: Blocks::ByComputing, ..animal("page_faults", StallCause::Computing, page_faults) },
    Animal { blocks: Blocks::WithoutCpu, ..animal("no_cpu", StallCause::NoCpu, no_cpu) },
    Animal { blocks: Blocks::InPieces, ..animal("short_sleeps", StallCause::Sleeping, short_sleeps) },
];

const fn animal(name: &'static str, cause: StallCause, run: fn(&Stay)) -> Animal {
    Animal { name, cause, blocks: Blocks::InOneCall, run }
}

impl Animal {
    /// Whether it blocks in one call.
    #[must_use]
    pub fn blocks_in_one_call(&self) -> bool {
        self.blocks == Blocks::InOneCall
    }
}

#[inline(never)]
fn sleep(stay: &Stay) {
    stay.blocks_below();
    thread::sleep(stay.length);
    stay.is_over();
}

#[inline(never)]
fn mutex(stay: &Stay) {
    let lock = Arc::new(Mutex::new(()));
    let (locked, is_locked) = channel();
    let (theirs, length) = (lock.clone(), stay.length);
    let holder = thread::spawn(move || {
        let _guard = theirs.lock().unwrap();
        locked.send(()).unwrap();
        thread::sleep(length);
    });
    is_locked.recv().unwrap();
    stay.blocks_below();
    let guard = lock.lock().unwrap();
    stay.is_over();
    drop(guard);
    holder.join().unwrap();
}

#[inline(never)]
fn condvar(stay: &Stay) {
    let shared = Arc::new((Mutex::new(true), Condvar::new()));
    let theirs = shared.clone();
    let notifier = stay.later(move || {
        *theirs.0.lock().unwrap() = false;
        theirs.1.notify_all();
    });
    let guard = shared.0.lock().unwrap();
    stay.blocks_below();
    let guard = shared.1.wait_while(guard, |is_closed| *is_closed).unwrap();
    stay.is_over();
    drop(guard);
    notifier.join().unwrap();
}

#[inline(never)]
fn channel_recv(stay: &Stay) {
    let (send, receive) = channel();
    let sender = stay.later(move || send.send(()).unwrap());
    stay.blocks_below();
    receive.recv().unwrap();
    stay.is_over();
    sender.join().unwrap();
}

#[inline(never)]
fn thread_join(stay: &Stay) {
    let other = stay.later(|| ());
    stay.blocks_below();
    other.join().unwrap();
    stay.is_over();
}

/// Linux lets one connection wait where the backlog is 0, and drops the first packet of the next
/// one, which is sent again after 1, 3 and 7 seconds.
#[inline(never)]
fn tcp_connect(stay: &Stay) {
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    listener.bind(&"127.0.0.1:0".parse::<std::net::SocketAddr>().unwrap().into()).unwrap();
    listener.listen(0).unwrap();
    let address = listener.local_addr().unwrap().as_socket().unwrap();
    let first = TcpStream::connect(address).unwrap();
    let closer = stay.later(move || drop(listener));
    stay.blocks_below();
    let second = TcpStream::connect(address);
    stay.is_over();
    drop((first, second));
    closer.join().unwrap();
}

#[inline(never)]
fn tcp_read(stay: &Stay) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut ours = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (mut theirs, _) = listener.accept().unwrap();
    let peer = stay.later(move || theirs.write_all(b"!").unwrap());
    let mut byte = [0];
    stay.blocks_below();
    ours.read_exact(&mut byte).unwrap();
    stay.is_over();
    peer.join().unwrap();
}

#[inline(never)]
fn pipe_read(stay: &Stay) {
    let (mut ours, mut theirs) = std::io::pipe().unwrap();
    let writer = stay.later(move || theirs.write_all(b"!").unwrap());
    let mut byte = [0];
    stay.blocks_below();
    ours.read_exact(&mut byte).unwrap();
    stay.is_over();
    writer.join().unwrap();
}

#[inline(never)]
fn fifo_open(stay: &Stay) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("fifo");
    mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    let theirs = path.clone();
    let writer = stay.later(move || File::options().write(true).open(theirs).unwrap());
    stay.blocks_below();
    let opened = File::open(&path).unwrap();
    stay.is_over();
    drop(opened);
    writer.join().unwrap();
}

#[inline(never)]
fn file_lock(stay: &Stay) {
    let file = tempfile::NamedTempFile::new().unwrap();
    flock(&file, FlockOperation::LockExclusive).unwrap();
    let again = file.reopen().unwrap();
    let holder = stay.later(move || drop(file));
    stay.blocks_below();
    flock(&again, FlockOperation::LockExclusive).unwrap();
    stay.is_over();
    holder.join().unwrap();
}

fn child(stay: &Stay) -> Command {
    let mut command = Command::new("sleep");
    command.arg(stay.length.as_secs_f64().to_string());
    command
}

#[inline(never)]
fn child_status(stay: &Stay) {
    let mut child = child(stay);
    stay.blocks_below();
    child.status().unwrap();
    stay.is_over();
}

#[inline(never)]
fn child_output(stay: &Stay) {
    let mut child = child(stay);
    stay.blocks_below();
    child.output().unwrap();
    stay.is_over();
}

#[inline(never)]
fn block_on_future(stay: &Stay) {
    let (send, receive) = tokio::sync::oneshot::channel();
    let sender = stay.later(move || send.send(()).unwrap());
    stay.blocks_below();
    futures_executor::block_on(receive).unwrap();
    stay.is_over();
    sender.join().unwrap();
}

/// Tokio refuses its own `block_on` within a task, so that programs wait like this.
#[inline(never)]
fn block_on_runtime(stay: &Stay) {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let other = builder.worker_threads(1).enable_time().build().unwrap();
    let length = stay.length;
    // A timer that was made here would be one of this runtime, which is blocked.
    let task = other.spawn(async move { tokio::time::sleep(length).await });
    stay.blocks_below();
    futures_executor::block_on(task).unwrap();
    stay.is_over();
    other.shutdown_background();
}

#[inline(never)]
fn rayon_install(stay: &Stay) {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    let length = stay.length;
    stay.blocks_below();
    pool.install(|| thread::sleep(length));
    stay.is_over();
}

#[inline(never)]
fn computation(stay: &Stay) {
    stay.blocks_below();
    cpu::compute(stay.length);
    stay.is_over();
}

/// Memory that is given back each time: the kernel finds new pages for it at each turn.
#[inline(never)]
fn page_faults(stay: &Stay) {
    const SIZE: usize = 64 << 20;
    stay.blocks_below();
    let until = cpu::used() + stay.length;
    while cpu::used() < until {
        let mut memory = vec![0_u8; SIZE];
        memory.iter_mut().step_by(4_096).for_each(|byte| *byte = 1);
        drop(black_box(memory));
    }
    stay.is_over();
}

/// Eight threads to a CPU beside.
#[inline(never)]
fn no_cpu(stay: &Stay) {
    let cpus = thread::available_parallelism().map_or(2, usize::from);
    let stop = Arc::new(AtomicBool::new(false));
    let spin = |stop: Arc<AtomicBool>| move || while !stop.load(Relaxed) {};
    let others: Vec<_> = (0..cpus * 8).map(|_| thread::spawn(spin(stop.clone()))).collect();
    stay.blocks_below();
    let start = Instant::now();
    while start.elapsed() < stay.length {
        black_box(start);
    }
    stay.is_over();
    stop.store(true, Relaxed);
    others.into_iter().for_each(|other| other.join().unwrap());
}

#[inline(never)]
fn short_sleeps(stay: &Stay) {
    let start = Instant::now();
    stay.blocks_below();
    while start.elapsed() < stay.length {
        thread::sleep(Duration::from_millis(10));
    }
    stay.is_over();
}
