//! Where a thread blocks, and how it is let go.

use std::fmt::Debug;
use std::io::{PipeReader, PipeWriter, Read, Write, pipe};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Barrier, Condvar, Mutex, MutexGuard, OnceLock, RwLock, RwLockWriteGuard};
use std::thread::{self, Thread};
use std::time::Duration;

use crate::raw::{self, Raw};

/// Something to block in.
pub trait Block: Debug + Send + Sync {
    /// Blocks the thread until it is let go, or for some milliseconds.
    fn block(&self);
}

/// Does not block, or for so many microseconds.
#[derive(Debug)]
pub struct Briefly(pub u64);

impl Block for Briefly {
    fn block(&self) {
        if self.0 > 0 {
            thread::sleep(Duration::from_micros(self.0));
        }
    }
}

/// A block, and what keeps the thread in it.
pub struct Held<'h> {
    /// To block in.
    pub block: Arc<dyn Block>,
    release: Box<dyn FnOnce() + 'h>,
}

impl Debug for Held<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.block.fmt(f)
    }
}

impl Held<'_> {
    /// Lets the thread go.
    pub fn release(self) {
        (self.release)();
    }
}

/// How many kinds of blocks there are; the last are [`raw`].
pub const KINDS: usize = STD_KINDS + raw::KINDS;

const STD_KINDS: usize = 14;

const MILLISECONDS: u64 = 5;

/// Whether a block of this kind is a [`raw`] one.
#[must_use]
pub fn is_raw(kind: usize) -> bool {
    kind >= STD_KINDS
}

/// Whether a block of this kind ends by itself.
#[must_use]
pub fn ends_by_itself(kind: usize) -> bool {
    matches!(kind, 0 | 10) || is_raw(kind)
}

/// The block of a kind, for a thread.
#[must_use]
pub fn held(kind: usize, thread: &Thread) -> Held<'static> {
    let (block, release): (Arc<dyn Block>, Box<dyn FnOnce()>) = match kind {
        0 => (Arc::new(Briefly(MILLISECONDS * 1000)), Box::new(|| {})),
        1 => {
            let mutex = Arc::new(Mutex::new(()));
            let held = mutex.clone();
            let (block, guard) = (Arc::new(Locks(mutex)), leaked(held));
            (block, Box::new(move || drop(guard)))
        }
        2 => {
            let gate = Arc::new(Waits::default());
            let opened = gate.clone();
            (gate, Box::new(move || opened.open()))
        }
        3 => {
            let lock: &'static RwLock<()> = Box::leak(Box::new(RwLock::new(())));
            let guard: RwLockWriteGuard<'static, ()> = lock.write().expect("nobody panics");
            (Arc::new(Reads(lock)), Box::new(move || drop(guard)))
        }
        4 | 5 => {
            let (sender, receiver) = channel();
            let limit = (kind == 5).then_some(Duration::from_secs(60));
            (Arc::new(Receives(Mutex::new(receiver), limit)), Box::new(move || send(&sender)))
        }
        6 => {
            let parks = Arc::new(Parks(Mutex::new(false)));
            let (unparks, thread) = (parks.clone(), thread.clone());
            let release = move || {
                *unparks.0.lock().expect("nobody panics") = true;
                thread.unpark();
            };
            (parks, Box::new(release))
        }
        7 => {
            let (sender, receiver) = channel();
            (Arc::new(Joins(Mutex::new(Some(receiver)))), Box::new(move || send(&sender)))
        }
        8 => {
            let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
            let ours = TcpStream::connect(listener.local_addr().expect("its address")).expect("it accepts");
            let (theirs, _) = listener.accept().expect("a connection");
            (Arc::new(Tcp(theirs)), Box::new(move || (&ours).write_all(b"x").expect("it is read")))
        }
        9 => {
            let (reader, writer): (PipeReader, PipeWriter) = pipe().expect("a pipe");
            (Arc::new(Pipe(reader)), Box::new(move || drop(writer)))
        }
        10 => (Arc::new(Child), Box::new(|| {})),
        11 => {
            let barrier = Arc::new(Barrier::new(2));
            let other = barrier.clone();
            let release = move || {
                other.wait();
            };
            (Arc::new(Meets(barrier)), Box::new(release))
        }
        12 => {
            let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
            let address = listener.local_addr().expect("its address");
            let release = move || drop(TcpStream::connect(address).expect("it accepts"));
            (Arc::new(Accepts(listener)), Box::new(release))
        }
        13 => {
            let once = Arc::new(OnceLock::new());
            let (sender, receiver) = channel::<()>();
            let initialising = once.clone();
            let (started, starts) = channel();
            let initialiser = thread::spawn(move || {
                initialising.get_or_init(|| {
                    send(&started);
                    receiver.recv().is_ok()
                });
            });
            starts.recv().expect("it starts");
            let release = move || {
                send(&sender);
                initialiser.join().expect("it ends");
            };
            (Arc::new(Once(once)), Box::new(release))
        }
        raw => (Arc::new(Raw(raw - STD_KINDS)), Box::new(|| {})),
    };
    Held { block, release }
}

fn send(sender: &Sender<()>) {
    // The thread may have gone on by itself.
    let _ = sender.send(());
}

/// The guard of a lock that lives on; a handful of bytes for each.
fn leaked(mutex: Arc<Mutex<()>>) -> MutexGuard<'static, ()> {
    let mutex: &'static Arc<Mutex<()>> = Box::leak(Box::new(mutex));
    mutex.lock().expect("nobody panics")
}

#[derive(Debug)]
struct Locks(Arc<Mutex<()>>);

impl Block for Locks {
    fn block(&self) {
        drop(self.0.lock());
    }
}

#[derive(Debug, Default)]
struct Waits {
    open: Mutex<bool>,
    opened: Condvar,
}

impl Waits {
    fn open(&self) {
        *self.open.lock().expect("nobody panics") = true;
        self.opened.notify_all();
    }
}

impl Block for Waits {
    fn block(&self) {
        let open = self.open.lock().expect("nobody panics");
        drop(self.opened.wait_while(open, |open| !*open));
    }
}

#[derive(Debug)]
struct Reads(&'static RwLock<()>);

impl Block for Reads {
    fn block(&self) {
        drop(self.0.read());
    }
}

#[derive(Debug)]
struct Receives(Mutex<Receiver<()>>, Option<Duration>);

impl Block for Receives {
    fn block(&self) {
        let receiver = self.0.lock().expect("nobody panics");
        let _ = match self.1 {
            None => receiver.recv().is_ok(),
            Some(limit) => receiver.recv_timeout(limit).is_ok(),
        };
    }
}

#[derive(Debug)]
struct Parks(Mutex<bool>);

impl Block for Parks {
    fn block(&self) {
        while !*self.0.lock().expect("nobody panics") {
            thread::park();
        }
    }
}

#[derive(Debug)]
struct Joins(Mutex<Option<Receiver<()>>>);

impl Block for Joins {
    fn block(&self) {
        let receiver = self.0.lock().expect("nobody panics").take().expect("once");
        let joined = thread::spawn(move || receiver.recv().is_ok());
        joined.join().expect("it ends");
    }
}

#[derive(Debug)]
struct Tcp(TcpStream);

impl Block for Tcp {
    fn block(&self) {
        let _ = (&self.0).read(&mut [0]);
    }
}

#[derive(Debug)]
struct Pipe(PipeReader);

impl Block for Pipe {
    fn block(&self) {
        let _ = (&self.0).read(&mut [0]);
    }
}

#[derive(Debug)]
struct Child;

impl Block for Child {
    fn block(&self) {
        let _ = Command::new("sleep").arg("0.02").status();
    }
}

#[derive(Debug)]
struct Meets(Arc<Barrier>);

impl Block for Meets {
    fn block(&self) {
        self.0.wait();
    }
}

#[derive(Debug)]
struct Accepts(TcpListener);

impl Block for Accepts {
    fn block(&self) {
        let _ = self.0.accept();
    }
}

#[derive(Debug)]
struct Once(Arc<OnceLock<bool>>);

impl Block for Once {
    fn block(&self) {
        self.0.get_or_init(|| true);
    }
}
