//! A service with a fault: a connection that all requests share, behind a lock of the standard
//! library, and a database that does not answer.

use std::io::{self, Read};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::runtime::Runtime;
use worker_metrics_tokio::TaskMetrics;

/// Sends it as many requests as there are workers. They block until the database, which is
/// returned, is dropped.
pub(crate) fn start(tasks: &TaskMetrics, runtime: &Runtime) -> io::Result<TcpListener> {
    let database = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let connection = Arc::new(Mutex::new(TcpStream::connect(database.local_addr()?)?));
    for _ in 0..runtime.metrics().num_workers() {
        let connection = connection.clone();
        match tasks.group("checkout") {
            Ok(checkout) => drop(checkout.spawn_on(async move { price(&connection) }, runtime.handle())),
            Err(error) => return Err(io::Error::other(error)),
        }
    }
    Ok(database)
}

fn price(connection: &Mutex<TcpStream>) {
    let mut connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
    // The answer of a database that is gone is an error, which ends the request.
    let _ = connection.read(&mut [0; 64]);
}
