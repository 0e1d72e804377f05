//! Copies between the function and a host in both directions, byte for byte: without an outage it
//! must not be possible to tell that it is there. It never holds more than one piece for each
//! direction.

use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use faults::kinds::dependency::Trouble;
use rustix::net::Shutdown;
use timer::wait;
use tokio::net::TcpStream;

use super::outages::{ActiveOutage, Outages};
use crate::lock::lock;
use crate::wait::gone;

/// The most bytes that are read from one end before the other has them.
const PIECE: usize = 32 << 10;
/// Shorter waits than this between pieces are skipped.
const GRAIN: Duration = Duration::from_millis(1);

/// Why a call ended early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// The host cannot be reached, or a fault refuses the connection.
    Refused,
    /// One end was reset, or a fault resets the connection: the other end sees a reset.
    Reset,
    /// The connection is closed.
    Closed,
}

/// The direction of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Out,
    Back,
}

/// Connects to a host on behalf of the function, unless a fault prevents it or the function gives
/// up.
///
/// # Errors
/// Why there is no connection.
pub async fn open(outages: &Outages, function: &TcpStream, host: &str, port: u16) -> Result<TcpStream, Cut> {
    if let Some(outage) = outages.affecting(host) {
        match outage.trouble() {
            Trouble::Refused => return Err(hit(&outage, Cut::Refused)),
            Trouble::Reset => return Err(hit(&outage, Cut::Reset)),
            Trouble::Blackholed => return Err(swallow(outages, host, &outage, function).await),
            Trouble::Slow(_) | Trouble::Throttled(_) => (),
        }
    }
    let bare = host.trim_matches(['[', ']']);
    tokio::select! {
        connected = TcpStream::connect((bare, port)) => {
            let far = connected.map_err(|_| Cut::Refused)?;
            let _ = far.set_nodelay(true);
            Ok(far)
        }
        () = gone(function) => Err(Cut::Closed),
    }
}

/// Copies until both ends have finished, one is reset, or a fault cuts them; `ahead` was already
/// read from the function.
pub async fn run(outages: &Outages, host: &str, function: TcpStream, ahead: BytesMut, far: TcpStream) {
    let tunnel = Tunnel { outages, host, function: &function, answered: AtomicBool::new(true), free: Mutex::new(Instant::now()) };
    let out = tunnel.pump(&function, &far, Way::Out, ahead);
    let back = tunnel.pump(&far, &function, Way::Back, BytesMut::new());
    if tokio::try_join!(out, back) == Err(Cut::Reset) {
        reset(&function);
        reset(&far);
    }
}

/// Makes the connection be reset instead of closed when it is dropped.
pub fn reset(stream: &TcpStream) {
    let _ = rustix::net::sockopt::set_socket_linger(stream, Some(Duration::ZERO));
}

fn hit(outage: &ActiveOutage, cut: Cut) -> Cut {
    outage.hit();
    cut
}

/// Swallows everything, without an answer or an end, until the function gives up or its invocation
/// ends.
async fn swallow(outages: &Outages, host: &str, outage: &ActiveOutage, function: &TcpStream) -> Cut {
    outage.hit();
    tokio::select! {
        () = outages.ended(host, outage) => (),
        () = gone(function) => (),
    }
    Cut::Closed
}

/// The two directions of one call.
struct Tunnel<'a> {
    outages: &'a Outages,
    host: &'a str,
    function: &'a TcpStream,
    /// Whether the host sent the last bytes: the function's next bytes then begin an exchange.
    answered: AtomicBool,
    /// When the next piece of a throttled call may be sent, in either direction.
    free: Mutex<Instant>,
}

impl Tunnel<'_> {
    async fn pump(&self, from: &TcpStream, to: &TcpStream, way: Way, mut held: BytesMut) -> Result<(), Cut> {
        loop {
            while !held.is_empty() {
                let piece = self.admit(way, held.len()).await?;
                send(to, &mut held, piece).await.map_err(|_| Cut::Reset)?;
            }
            // An idle connection holds no memory.
            held = BytesMut::new();
            from.readable().await.map_err(|_| Cut::Reset)?;
            held.reserve(PIECE);
            match from.try_read_buf(&mut held) {
                Ok(0) => {
                    let _ = rustix::net::shutdown(to, Shutdown::Write);
                    return Ok(());
                }
                Ok(_) => (),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => (),
                Err(_) => return Err(Cut::Reset),
            }
        }
    }

    /// Waits until some of `bytes` may be sent; returns how many.
    async fn admit(&self, way: Way, bytes: usize) -> Result<usize, Cut> {
        let begins = match way {
            Way::Out => self.answered.swap(false, Ordering::Relaxed),
            Way::Back => {
                self.answered.store(true, Ordering::Relaxed);
                false
            }
        };
        let Some(outage) = self.outages.affecting(self.host) else { return Ok(bytes) };
        match outage.trouble() {
            Trouble::Refused => Err(hit(&outage, Cut::Closed)),
            Trouble::Reset => Err(hit(&outage, Cut::Reset)),
            Trouble::Blackholed => Err(swallow(self.outages, self.host, &outage, self.function).await),
            Trouble::Slow(time) => {
                if begins {
                    self.hold(&outage, time.duration()).await;
                }
                Ok(bytes)
            }
            Trouble::Throttled(rate) => Ok(self.throttle(&outage, rate, bytes).await),
        }
    }

    /// Waits for `time`, or until the outage ends.
    async fn hold(&self, outage: &ActiveOutage, time: Duration) {
        outage.hit();
        tokio::select! {
            _ = wait(time) => (),
            () = self.outages.ended(self.host, outage) => (),
        }
    }

    /// Waits for the turn of the next bytes, at most those of a twentieth of a second; returns all
    /// of them once the outage has ended.
    async fn throttle(&self, outage: &ActiveOutage, rate: u64, bytes: usize) -> usize {
        let rate = rate.max(1);
        let piece = usize::try_from(rate / 20).unwrap_or(bytes).clamp(1, bytes);
        let now = Instant::now();
        let due = {
            let mut free = lock(&self.free);
            *free = (*free).max(now) + Duration::from_nanos((piece as u64).saturating_mul(1_000_000_000) / rate);
            *free
        };
        let left = due.saturating_duration_since(now);
        if left > GRAIN {
            self.hold(outage, left).await;
        } else {
            outage.hit();
        }
        piece
    }
}

/// Sends the first `piece` bytes of `held`.
async fn send(to: &TcpStream, held: &mut BytesMut, mut piece: usize) -> io::Result<()> {
    while piece > 0 {
        to.writable().await?;
        match to.try_write(held.get(..piece).unwrap_or_default()) {
            Ok(sent) => {
                held.advance(sent);
                piece -= sent;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => (),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
