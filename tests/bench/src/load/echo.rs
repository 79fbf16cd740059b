//! Clients and servers over loopback.

use std::io;
use std::net::SocketAddr;
use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Handle, Runtime};

use super::board::{Board, Tally};
use super::running::Running;
use super::spawner::Spawner;

pub(super) const CONNECTIONS: usize = 16;
pub(super) const MESSAGE_LEN: usize = 64;

pub(super) fn start<'a>(runtime: &'a Runtime, spawner: &Spawner, pools: usize) -> Running<'a> {
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let board = Board::new(CONNECTIONS);
    let server = spawner.spawn(serve(listener, spawner.clone(), runtime.handle().clone()), runtime.handle());
    let clients = (0..CONNECTIONS).map(|client| {
        let tally = Tally::new(&board, client, pools);
        let asks = async move { ask(address, tally).await.expect("the loopback does not fail") };
        spawner.spawn(asks, runtime.handle())
    });
    let tasks = clients.collect();
    Running { runtime, board, tasks, server: Some(server), pools }
}

async fn serve(listener: TcpListener, spawner: Spawner, runtime: Handle) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        spawner.spawn(answer(stream), &runtime);
    }
}

/// Until the client has closed the connection.
async fn answer(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut message = [0; MESSAGE_LEN];
    while stream.read_exact(&mut message).await.is_ok() {
        stream.write_all(&message).await?;
    }
    Ok(())
}

/// Round trips, one after another.
async fn ask(address: SocketAddr, mut tally: Tally) -> io::Result<Tally> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let mut message = [7; MESSAGE_LEN];
    while !tally.is_over() {
        let began = Instant::now();
        stream.write_all(&message).await?;
        stream.read_exact(&mut message).await?;
        tally.add_latency(began.elapsed());
        tally.add_one();
    }
    Ok(tally)
}
