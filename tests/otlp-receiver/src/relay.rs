//! A relay in front of a port.
//! Started by tests between a peer and a receiver.
//! Never looks at the bytes that it passes on.

use std::{
    future::pending,
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener as StdListener},
    sync::mpsc as std_mpsc,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpSocket, TcpStream},
    sync::{mpsc, watch},
    task::JoinSet,
};

use crate::background::Background;

/// A TCP relay: passes bytes on between its peers and a port, until it is told otherwise.
///
/// Each change is in force when the method returns. Dropping the relay closes its port and all
/// connections.
///
/// # Examples
///
/// ```rust
/// use otlp_receiver::{Receiver, Relay};
/// use std::net::TcpStream;
///
/// let receiver = Receiver::start()?;
/// let relay = Relay::start(([127, 0, 0, 1], receiver.grpc_port()))?;
/// let lost = TcpStream::connect(("127.0.0.1", relay.port()))?;
/// // As behind a firewall that has forgotten the connection; new ones work.
/// relay.go_silent();
/// // As while the receiver restarts.
/// relay.refuse();
/// assert!(TcpStream::connect(("127.0.0.1", relay.port())).is_err());
/// relay.resume();
/// assert!(TcpStream::connect(("127.0.0.1", relay.port())).is_ok());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Relay {
    port: u16,
    connections: Arc<AtomicU64>,
    orders: mpsc::UnboundedSender<(Order, std_mpsc::Sender<()>)>,
    /// Before the socket that keeps the port.
    _server: Background,
    /// Keeps the port while nobody listens on it.
    _port: TcpSocket,
}

#[derive(Clone, Copy, Debug)]
enum Order {
    GoSilent,
    Refuse,
    Resume,
}

impl Relay {
    /// Starts a relay to this address on a free port of 127.0.0.1.
    ///
    /// # Errors
    ///
    /// If no port is free, or no thread or runtime can be had.
    pub fn start(to: impl Into<SocketAddr>) -> io::Result<Self> {
        let to = to.into();
        // Two sockets may be bound to one port if both say so and only one of them listens.
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.bind((Ipv4Addr::LOCALHOST, 0).into())?;
        let port = socket.local_addr()?.port();
        let connections = Arc::new(AtomicU64::new(0));
        let (orders, received) = mpsc::unbounded_channel();
        let counted = Arc::clone(&connections);
        let server = Background::start("otlp-relay", move || {
            let listener = listen(port)?;
            Ok(serve(listener, port, to, counted, received))
        });
        let server = server.map_err(io::Error::other)?;
        Ok(Self { port, connections, orders, _server: server, _port: socket })
    }

    /// The port that the relay listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// TCP connections that were accepted since the start.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.connections.load(Relaxed)
    }

    /// The connections of now pass nothing on any more, in either direction, and stay open; later
    /// ones work.
    pub fn go_silent(&self) {
        self.order(Order::GoSilent);
    }

    /// Closes the port and all connections, until [`resume`](Self::resume).
    pub fn refuse(&self) {
        self.order(Order::Refuse);
    }

    /// Listens again, on the same port, after [`refuse`](Self::refuse).
    pub fn resume(&self) {
        self.order(Order::Resume);
    }

    fn order(&self, order: Order) {
        let (done, is_done) = std_mpsc::channel();
        // Errors mean that the relay's thread has panicked, which the test sees by what does not
        // arrive.
        if self.orders.send((order, done)).is_ok() {
            _ = is_done.recv();
        }
    }
}

/// Listens on this port; `std` sets `SO_REUSEADDR`.
fn listen(port: u16) -> io::Result<TcpListener> {
    let listener = StdListener::bind((Ipv4Addr::LOCALHOST, port))?;
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

async fn serve(
    listener: TcpListener,
    port: u16,
    to: SocketAddr,
    counted: Arc<AtomicU64>,
    mut orders: mpsc::UnboundedReceiver<(Order, std_mpsc::Sender<()>)>,
) {
    let mut listener = Some(listener);
    let silenced = watch::Sender::new(());
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            order = orders.recv() => {
                let Some((order, done)) = order else { return };
                match order {
                    Order::GoSilent => silenced.send_modify(|()| ()),
                    Order::Refuse => {
                        listener = None;
                        connections.shutdown().await;
                    }
                    Order::Resume => match listener.take().map_or_else(|| listen(port), Ok) {
                        Ok(again) => listener = Some(again),
                        // Nobody else can have the port; so nobody can help, and the test fails at
                        // its next connection.
                        Err(_) => return,
                    },
                }
                _ = done.send(());
            }
            accepted = accept(listener.as_ref()) => {
                counted.fetch_add(1, Relaxed);
                connections.spawn(pass_on(accepted, to, silenced.subscribe()));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn accept(listener: Option<&TcpListener>) -> TcpStream {
    loop {
        match listener {
            Some(listener) => match listener.accept().await {
                Ok((stream, _)) => return stream,
                Err(_) => tokio::task::yield_now().await,
            },
            None => pending().await,
        }
    }
}

/// Passes bytes on until one side closes, or for ever nothing after the silence.
async fn pass_on(mut peer: TcpStream, to: SocketAddr, mut silenced: watch::Receiver<()>) {
    _ = peer.set_nodelay(true);
    let relayed = async {
        // Without anybody there the peer's connection is closed.
        if let Ok(mut upstream) = TcpStream::connect(to).await {
            _ = upstream.set_nodelay(true);
            tokio::select! {
                biased;
                _ = silenced.changed() => pending().await,
                _ = copy_bidirectional(&mut peer, &mut upstream) => {}
            }
        }
    };
    relayed.await;
}
