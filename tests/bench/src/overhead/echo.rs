//! Clients and servers over loopback.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Handle, Runtime};

use super::outcome::{Outcome, QUANTILES};
use super::spawner::Spawner;
use super::stretch::Stretch;
use super::workload::warm_up;

pub(super) const CONNECTIONS: usize = 16;
pub(super) const MESSAGE_LEN: usize = 64;
/// Latencies of one client in a second, with room to spare: none is to allocate.
const LATENCIES: usize = 1 << 16;

/// When the clients measure, and when they end.
#[derive(Debug, Default)]
struct Phase {
    is_measured: AtomicBool,
    is_over: AtomicBool,
}

pub(super) fn run(runtime: &Runtime, spawner: &Spawner, time: Duration) -> Outcome {
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let phase = Arc::new(Phase::default());
    let servers = spawner.spawn(serve(listener, spawner.clone(), runtime.handle().clone()), runtime.handle());
    let clients: Vec<_> =
        (0..CONNECTIONS).map(|_| spawner.spawn(ask(address, phase.clone()), runtime.handle())).collect();

    sleep(warm_up(time));
    phase.is_measured.store(true, Relaxed);
    let stretch = Stretch::begin();
    sleep(time);
    phase.is_measured.store(false, Relaxed);
    let taken = stretch.end();
    phase.is_over.store(true, Relaxed);
    let mut latencies = Vec::new();
    for client in clients {
        let of_client = runtime.block_on(client).expect("it does not panic");
        latencies.extend(of_client.expect("the loopback does not fail"));
    }
    servers.abort();
    latencies.sort_unstable();
    let latencies_us = QUANTILES.map(|(_, per_1000)| quantile(&latencies, per_1000).as_secs_f64() * 1e6);
    taken.by(latencies.len() as u64, latencies_us.to_vec())
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

/// The latencies of the round trips that end while it is measured.
async fn ask(address: SocketAddr, phase: Arc<Phase>) -> io::Result<Vec<Duration>> {
    let mut latencies = Vec::with_capacity(LATENCIES);
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let mut message = [7; MESSAGE_LEN];
    while !phase.is_over.load(Relaxed) {
        let began = Instant::now();
        stream.write_all(&message).await?;
        stream.read_exact(&mut message).await?;
        if phase.is_measured.load(Relaxed) {
            latencies.push(began.elapsed());
        }
    }
    Ok(latencies)
}

/// The value that `per_1000` of 1,000 do not exceed.
fn quantile(sorted: &[Duration], per_1000: usize) -> Duration {
    let rank = (sorted.len() * per_1000).div_ceil(1_000);
    *sorted.get(rank.saturating_sub(1)).expect("a round trip ends in time")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_the_value_of_its_rank() {
        let sorted: Vec<_> = (1..=1_000).map(Duration::from_micros).collect();
        assert_eq!(quantile(&sorted, 500), Duration::from_micros(500));
        assert_eq!(quantile(&sorted, 999), Duration::from_micros(999));
        assert_eq!(quantile(&sorted[..1], 999), Duration::from_micros(1));
        assert_eq!(quantile(&sorted[..3], 500), Duration::from_micros(2));
    }
}
