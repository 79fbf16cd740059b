//! An echo service and its clients, over loopback.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;
use worker_metrics_tokio::TaskMetrics;

const CLIENTS: u64 = 16;
const MESSAGE: [u8; 512] = [7; 512];

/// A listener on a free port.
pub(crate) async fn listen() -> io::Result<TcpListener> {
    TcpListener::bind(("127.0.0.1", 0)).await
}

/// Serves, and calls itself; ends when the listener fails.
pub(crate) async fn run(listener: TcpListener, tasks: TaskMetrics) {
    if let Ok(address) = listener.local_addr() {
        for client in 0..CLIENTS {
            tasks.spawn(call(address, Duration::from_millis(1 + client % 5)));
        }
    }
    while let Ok((stream, _)) = listener.accept().await {
        tasks.spawn(echo(stream));
    }
}

async fn echo(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer = MESSAGE;
    loop {
        stream.read_exact(&mut buffer).await?;
        stream.write_all(&buffer).await?;
    }
}

/// A client that opens a new connection every hundred calls.
async fn call(address: SocketAddr, pause: Duration) -> io::Result<()> {
    let mut buffer = MESSAGE;
    loop {
        let mut stream = TcpStream::connect(address).await?;
        for _ in 0..100 {
            stream.write_all(&MESSAGE).await?;
            stream.read_exact(&mut buffer).await?;
            sleep(pause).await;
        }
    }
}
