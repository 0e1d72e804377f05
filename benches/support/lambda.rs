//! A platform with a runtime behind it, as small as possible: events one at a time or at once,
//! timed at the platform. It uses blocking threads, so that only two sockets and what is between
//! them are measured.

#![allow(dead_code, reason = "each bench uses its own part of this")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::support::Done;

/// Longer than anything takes here.
const PATIENCE: Duration = Duration::from_secs(10);

/// The answer to an accepted response.
pub const ACCEPTED: &[u8] = b"HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n{\"status\":\"OK\"}\n";
const REGISTERED: &[u8] = b"HTTP/1.1 200 OK\r\nLambda-Extension-Identifier: ext-1\r\nContent-Length: 2\r\n\r\n{}";
const NEXT: &[u8] = b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: x\r\nUser-Agent: aws-lambda-rust/1.0\r\n\r\n";

enum Seen {
    Next(TcpStream),
    Response(Option<u64>, Instant),
}

/// The platform's side.
pub struct Platform {
    /// Where it listens.
    pub address: SocketAddr,
    seen: Receiver<Seen>,
    parked: Option<TcpStream>,
    sent: u64,
    /// The pause between two events, so that all processes sleep by then.
    rest: Duration,
}

impl Platform {
    /// Listens on a free port, and rests before each event.
    pub fn start(rest: Duration) -> Done<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let (tell, seen) = channel();
        std::thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                let tell = tell.clone();
                std::thread::spawn(move || serve(stream, &tell));
            }
        });
        Ok(Self { address, seen, parked: None, sent: 0, rest })
    }

    /// Hands an event with `payload` to the parked `next` and waits for the response.
    pub fn invoke(&mut self, root: &str, payload: &str) -> Done<Duration> {
        let mut parked = match self.parked.take() {
            Some(parked) => parked,
            None => self.wait_for_next()?,
        };
        std::thread::sleep(self.rest);
        let event = event(self.sent, root, payload)?;
        self.sent += 1;
        let began = Instant::now();
        parked.write_all(&event)?;
        let took = loop {
            match self.seen.recv_timeout(PATIENCE)? {
                Seen::Response(_, at) => break at.saturating_duration_since(began),
                Seen::Next(stream) => self.parked = Some(stream),
            }
        };
        Ok(took)
    }

    /// Hands events with `payload` to `count` parked `next` at once, and waits for all responses;
    /// returns how long each took.
    pub fn invoke_at_once(&mut self, count: usize, root: &str, payload: &str) -> Done<Vec<Duration>> {
        let mut parked: Vec<_> = self.parked.take().into_iter().collect();
        while parked.len() < count {
            parked.push(self.wait_for_next()?);
        }
        std::thread::sleep(self.rest);
        let first = self.sent;
        let mut began = Vec::with_capacity(count);
        for stream in &mut parked {
            let event = event(self.sent, root, payload)?;
            self.sent += 1;
            began.push(Instant::now());
            stream.write_all(&event)?;
        }
        let mut took = Vec::with_capacity(count);
        let mut waiting = Vec::new();
        while took.len() < count {
            match self.seen.recv_timeout(PATIENCE)? {
                Seen::Response(number, at) => {
                    let place = number.and_then(|number| usize::try_from(number.checked_sub(first)?).ok());
                    let from = place.and_then(|place| began.get(place)).ok_or("a response to no event")?;
                    took.push(at.saturating_duration_since(*from));
                }
                Seen::Next(stream) => waiting.push(stream),
            }
        }
        // One `next` that came meanwhile is kept; the others are dropped with their runtimes.
        self.parked = waiting.pop();
        Ok(took)
    }

    fn wait_for_next(&mut self) -> Done<TcpStream> {
        loop {
            if let Seen::Next(stream) = self.seen.recv_timeout(PATIENCE)? {
                return Ok(stream);
            }
        }
    }
}

/// The event's number, from a path with a request id.
fn number_of(path: &str) -> Option<u64> {
    path.split('/').rev().nth(1)?.parse().ok()
}

/// The answer to `next` that hands an event over.
pub fn event(number: u64, root: &str, payload: &str) -> Done<Vec<u8>> {
    let deadline = (SystemTime::now().duration_since(UNIX_EPOCH)? + Duration::from_secs(30)).as_millis();
    let length = payload.len();
    Ok(format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nLambda-Runtime-Aws-Request-Id: {number:036}\r\nLambda-Runtime-Deadline-Ms: {deadline}\r\n\
         Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:us-east-1:123456789012:function:f\r\nLambda-Runtime-Trace-Id: Root={root};Sampled=0\r\n\
         Content-Length: {length}\r\n\r\n{payload}"
    )
    .into_bytes())
}

/// Serves one connection to the platform until it ends.
fn serve(mut stream: TcpStream, tell: &Sender<Seen>) {
    let _ = stream.set_nodelay(true);
    let mut kept = Vec::new();
    while let Some(head) = read_message(&mut stream, &mut kept) {
        let path = head.split(' ').nth(1).unwrap_or_default();
        let answer = if path.ends_with("/invocation/next") {
            let Ok(parked) = stream.try_clone() else { return };
            if tell.send(Seen::Next(parked)).is_err() {
                return;
            }
            continue;
        } else if path.ends_with("/extension/register") {
            REGISTERED
        } else if path.ends_with("/event/next") {
            continue;
        } else {
            if tell.send(Seen::Response(number_of(path), Instant::now())).is_err() {
                return;
            }
            ACCEPTED
        };
        if stream.write_all(answer).is_err() {
            return;
        }
    }
}

/// A runtime that answers every event with `payload`, on its own connection to `address`, until
/// that ends.
pub fn start_runtime(address: SocketAddr, payload: String) -> Done {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    std::thread::spawn(move || {
        let mut kept = Vec::new();
        while stream.write_all(NEXT).is_ok() {
            let Some(head) = read_message(&mut stream, &mut kept) else { return };
            let id = head.lines().find_map(|line| line.strip_prefix("Lambda-Runtime-Aws-Request-Id: ")).unwrap_or_default();
            let length = payload.len();
            let response = format!(
                "POST /2018-06-01/runtime/invocation/{id}/response HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{payload}"
            );
            if stream.write_all(response.as_bytes()).is_err() || read_message(&mut stream, &mut kept).is_none() {
                return;
            }
        }
    });
    Ok(())
}

/// Reads one message with a body of known length; returns its head, or `None` if the connection
/// ended.
pub fn read_message(stream: &mut TcpStream, kept: &mut Vec<u8>) -> Option<String> {
    let mut chunk = vec![0; 64 << 10];
    loop {
        if let Some(end) = kept.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4) {
            let head = String::from_utf8_lossy(kept.get(..end)?).into_owned();
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
            });
            let whole = end + length.unwrap_or(0);
            if kept.len() >= whole {
                kept.drain(..whole);
                return Some(head);
            }
        }
        let read = stream.read(&mut chunk).ok().filter(|read| *read > 0)?;
        kept.extend_from_slice(chunk.get(..read)?);
    }
}
