//! A cache that speaks the Redis protocol, as much of it as a client needs to keep values for a
//! while. Everything is in memory, within a limit. Its commands go through the same faults as the
//! calls of the cloud services.

mod commands;
mod connection;
mod replies;
mod requests;
mod store;

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::task::JoinSet;

use self::commands::OPERATIONS;
use self::store::Store;
use super::described::{Described, Protocol};
use super::neighbour::Striker;
use run_folder::sightings::Sightings;

/// The description of this service.
pub const DESCRIBED: Described = Described { name: "redis", title: "Redis", protocol: Protocol::Redis, operations: &OPERATIONS };

/// The most bytes of all values together.
const MOST: usize = 1024 * 1024 * 1024;
/// The largest value: larger than any record, and small enough that a few senders do not fill this
/// machine.
const LARGEST: usize = 64 * 1024 * 1024;
/// How often expired values are removed that no client reads.
const SWEEP: Duration = Duration::from_millis(200);

/// The cache.
pub struct Redis {
    store: Arc<Store>,
    striker: Arc<Striker>,
    most: usize,
    largest: usize,
}

impl Redis {
    /// An empty cache whose commands `striker` applies faults to.
    pub fn new(striker: Arc<Striker>, sightings: Sightings) -> Arc<Self> {
        Self::within(MOST, LARGEST, striker, sightings)
    }

    /// An empty cache of at most `most` bytes, with values of at most `largest`.
    pub fn within(most: usize, largest: usize, striker: Arc<Striker>, sightings: Sightings) -> Arc<Self> {
        Arc::new(Self { store: Arc::new(Store::new(most, sightings)), striker, most, largest })
    }

    /// Serves until it is dropped; a connection that fails does not affect the others.
    pub async fn serve(self: Arc<Self>, listener: TcpListener) {
        let mut connections: JoinSet<io::Result<()>> = JoinSet::new();
        let mut sweep = tokio::time::interval(SWEEP);
        let mut count = 0;
        loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((socket, _)) => {
                        count += 1;
                        // Without it a reply may wait 40 ms for an acknowledgement.
                        let _ = socket.set_nodelay(true);
                        connections.spawn(connection::serve(Arc::clone(&self), socket, count));
                    }
                    // Out of file descriptors: the next connection may find some again.
                    Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
                },
                _ = sweep.tick() => self.store.sweep(Instant::now()),
                Some(_) = connections.join_next() => {}
            }
        }
    }
}
