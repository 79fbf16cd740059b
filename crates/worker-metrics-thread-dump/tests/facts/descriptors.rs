use std::fs::File;
use std::io::{self, Read};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::Duration;

use rustix::event::{EventfdFlags, PollFd, PollFlags, epoll, eventfd, poll};
use rustix::fs::{CWD, FileType, FlockOperation, Mode, flock, mknodat};
use worker_metrics_thread_dump::{Protocol, Socket, WaitsOn};

use crate::rig;

fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("the loopback");
    let address = listener.local_addr().expect("it is bound");
    (listener, address)
}

#[test]
fn a_thread_that_reads_from_tcp_waits_for_its_peer() {
    let (listener, address) = listener();
    let mut stream = TcpStream::connect(address).expect("it listens");
    let local = stream.local_addr().expect("it is connected");
    let subject = rig::spawn(move || stream.read_to_end(&mut Vec::new()));
    let activity = subject.once_in(&["recvfrom", "read"]);
    let call = activity.call.expect("it has a name");
    assert_eq!(activity.to_string(), format!("{call} on a TCP socket from {local} to {address}"));
    assert_eq!(activity.redacted().to_string(), format!("{call} on a TCP socket"));
    drop(listener);
    subject.handle.join().expect("it does not panic").expect_err("the connection is reset");
}

#[test]
fn a_thread_that_accepts_waits_at_its_address() {
    let (listener, address) = listener();
    let subject = rig::spawn(move || listener.accept());
    let activity = subject.once_in(&["accept", "accept4"]);
    assert!(activity.to_string().ends_with(&format!(" on a TCP socket at {address}")), "{activity}");
    let _ = TcpStream::connect(address).expect("it listens");
    subject.handle.join().expect("it does not panic").expect("somebody connects");
}

/// Connects until the listener's queue is full, and then waits in a connect.
fn fill_queue(connect: impl Fn() -> io::Result<TcpStream>) {
    let mut streams = Vec::new();
    while let Ok(stream) = connect() {
        streams.push(stream);
    }
}

#[test]
fn a_thread_that_connects_to_a_full_listener_waits_for_it() {
    let (_listener, address) = listener();
    // Nobody accepts, so that the queue is full at last. This thread ends with the process.
    let subject = rig::spawn(move || fill_queue(|| TcpStream::connect(address)));
    let activity = subject.once_in(&["connect"]);
    let Some(WaitsOn::Socket(socket)) = activity.waits_on else { panic!("{activity:?}") };
    assert_eq!((socket.protocol, socket.peer), (Some(Protocol::Tcp), Some(address)));
}

#[test]
fn a_connect_with_a_timeout_is_a_poll_on_the_socket() {
    let (_listener, address) = listener();
    let subject =
        rig::spawn(move || fill_queue(|| TcpStream::connect_timeout(&address, Duration::from_secs(3600))));
    let activity = subject.once_in(&["poll", "ppoll"]);
    let Some(WaitsOn::Socket(socket)) = activity.waits_on else { panic!("{activity:?}") };
    assert_eq!((socket.protocol, socket.peer), (Some(Protocol::Tcp), Some(address)));
}

#[test]
fn a_thread_that_reads_from_udp_waits_at_its_address() {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("the loopback");
    let address = socket.local_addr().expect("it is bound");
    let subject = rig::spawn(move || socket.recv(&mut [0]));
    let activity = subject.once_in(&["recvfrom"]);
    assert_eq!(activity.to_string(), format!("recvfrom on a UDP socket at {address}"));
    UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|other| other.send_to(&[1], address))
        .expect("it is sent");
    subject.handle.join().expect("it does not panic").expect("it comes");
}

#[test]
fn a_thread_that_accepts_from_a_unix_socket_waits_at_its_path() {
    let path = std::env::temp_dir().join(format!("wmtd-{}", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let listener = UnixListener::bind(&path).expect("the path is free");
    let subject = rig::spawn(move || listener.accept().map(drop));
    let activity = subject.once_in(&["accept", "accept4"]);
    let call = activity.call.expect("it has a name");
    assert_eq!(activity.to_string(), format!("{call} on a Unix socket at {}", path.display()));
    assert_eq!(activity.redacted().to_string(), format!("{call} on a Unix socket"));
    UnixStream::connect(&path).expect("it listens");
    subject.handle.join().expect("it does not panic").expect("somebody connects");
    let _ = std::fs::remove_file(path);
}

#[test]
fn a_thread_that_waits_for_the_lock_of_a_file_says_which() {
    let path = rig::free_path("locked");
    let ours = File::create(&path).expect("the path is free");
    let theirs = File::open(&path).expect("it is there");
    flock(&ours, FlockOperation::LockExclusive).expect("nobody has it");
    let subject = rig::spawn(move || flock(&theirs, FlockOperation::LockExclusive));
    let activity = subject.once_in(&["flock"]);
    assert_eq!(activity.to_string(), format!("flock of {}", path.display()));
    assert_eq!(activity.redacted().to_string(), "flock of a file");
    drop(ours);
    subject.handle.join().expect("it does not panic").expect("it gets the lock");
    let _ = std::fs::remove_file(path);
}

#[test]
fn a_thread_that_opens_a_file_says_which() {
    let path = rig::free_path("fifo");
    mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("the path is free");
    let theirs = path.clone();
    // Opening one end waits for the other.
    let subject = rig::spawn(move || File::open(theirs).map(drop));
    let activity = subject.once_in(&["openat", "open"]);
    assert_eq!(activity.waits_on, Some(WaitsOn::File { path: Some(path.display().to_string()) }));
    drop(File::create(&path).expect("it is there"));
    subject.handle.join().expect("it does not panic").expect("both ends are open");
    let _ = std::fs::remove_file(path);
}

#[test]
fn a_thread_that_waits_for_epoll_waits_for_events() {
    let event = eventfd(0, EventfdFlags::CLOEXEC).expect("an eventfd");
    let wakes = event.try_clone().expect("a descriptor");
    let subject = rig::spawn(move || {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, &event, epoll::EventData::new_u64(1), epoll::EventFlags::IN)?;
        epoll::wait(
            &epoll,
            &mut [epoll::Event { flags: epoll::EventFlags::empty(), data: epoll::EventData::new_u64(0) }][..],
            None,
        )
    });
    let activity = subject.once_in(&["epoll_wait", "epoll_pwait", "epoll_pwait2"]);
    assert_eq!(activity.waits_on, Some(WaitsOn::Events));
    assert!(activity.to_string().ends_with(" for events"), "{activity}");
    rustix::io::write(&wakes, &1u64.to_ne_bytes()).expect("there is room");
    subject.handle.join().expect("it does not panic").expect("the event comes");
}

#[test]
fn a_thread_that_polls_several_descriptors_has_them_all() {
    let event = eventfd(0, EventfdFlags::CLOEXEC).expect("an eventfd");
    let (reader, writer) = io::pipe().expect("a pipe");
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("the loopback");
    let local = socket.local_addr().ok();
    let subject = rig::spawn(move || {
        let mut descriptors = [
            PollFd::new(&event, PollFlags::IN),
            PollFd::new(&reader, PollFlags::IN),
            PollFd::new(&socket, PollFlags::IN),
        ];
        poll(&mut descriptors, None)
    });
    let activity = subject.once_in(&["poll", "ppoll"]);
    let Some(WaitsOn::AnyOf { descriptors, more: 0 }) = activity.waits_on else { panic!("{activity:?}") };
    let [WaitsOn::Other { name }, WaitsOn::Pipe { .. }, WaitsOn::Socket(found)] = &descriptors[..] else {
        panic!("{descriptors:?}")
    };
    assert_eq!(name, "eventfd");
    assert_eq!(found, &Socket { protocol: Some(Protocol::Udp), local, peer: None, path: None });
    drop(writer);
    subject.handle.join().expect("it does not panic").expect("the pipe ends");
}

#[test]
fn a_poll_of_nothing_is_a_timer() {
    let subject = rig::spawn(|| poll(&mut [], None));
    let activity = subject.once_in(&["poll", "ppoll"]);
    assert_eq!(activity.waits_on, Some(WaitsOn::Timer));
}
