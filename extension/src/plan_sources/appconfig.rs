//! A plan in AWS AppConfig, read from AppConfig's own agent, another extension that answers on
//! loopback without TLS. It must never call another machine, never hang for longer than
//! [`PATIENCE`], and never hold more than the largest plan.
//!
//! `GET /applications/<a>/environments/<e>/configurations/<c>` on port 2772: see "Using AWS AppConfig Agent with AWS Lambda" in AppConfig's guide.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant, SystemTime};

use faults::plan::LARGEST_PLAN;

use super::source::{Look, Source};
use crate::message::{AnswerHead, head_end, header};

/// How often the agent is called. It has the configuration in memory; its own setting decides how
/// often it looks for a new one.
const INTERVAL: Duration = Duration::from_secs(1);
/// How long one look may take, from connecting to the last byte.
const PATIENCE: Duration = Duration::from_secs(2);
/// The longest head that the agent may send.
const LONGEST_HEAD: usize = 16 << 10;

/// AppConfig's names of one configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Configuration {
    /// The application's name or id.
    pub application: String,
    /// The environment's name or id.
    pub environment: String,
    /// The configuration profile's name or id.
    pub profile: String,
}

impl Configuration {
    /// Reads `<application>/<environment>/<configuration>`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut names = text.split('/').map(|name| Some(name.to_owned()).filter(|name| !name.is_empty()));
        let found = Self { application: names.next()??, environment: names.next()??, profile: names.next()?? };
        names.next().is_none().then_some(found)
    }

    fn path(&self) -> String {
        let [a, e, c] = [&self.application, &self.environment, &self.profile].map(|name| encoded(name));
        format!("/applications/{a}/environments/{e}/configurations/{c}")
    }
}

/// One segment of a path (RFC 3986, 2.3: all but the unreserved characters are encoded).
fn encoded(segment: &str) -> String {
    let mut text = String::new();
    for byte in segment.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

/// The agent, and its last answer.
#[derive(Debug)]
pub struct AppConfig {
    address: SocketAddr,
    request: String,
    /// The last plan's hash.
    seen: Option<u64>,
}

impl AppConfig {
    /// The agent that listens on this `port` of loopback.
    pub fn new(configuration: &Configuration, port: u16) -> Self {
        let request = format!("GET {} HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n\r\n", configuration.path());
        Self { address: (Ipv4Addr::LOCALHOST, port).into(), request, seen: None }
    }

    fn ask(&self) -> io::Result<Answer> {
        let began = Instant::now();
        let until = began + PATIENCE;
        let mut stream = TcpStream::connect_timeout(&self.address, PATIENCE)?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.write_all(self.request.as_bytes())?;
        let mut received = Vec::new();
        let end = loop {
            if let Some(end) = head_end(&received, 0) {
                break end;
            }
            if received.len() > LONGEST_HEAD || read(&mut stream, until, &mut received)? == 0 {
                return Err(ErrorKind::InvalidData.into());
            }
        };
        let AnswerHead { status, mut body, .. } = AnswerHead::read(&received, end, false).map_err(|_| ErrorKind::InvalidData)?;
        let age = age(received.get(..end).unwrap_or_default());
        let answer = |plan| Answer { status, age: age.map(|age| age + began.elapsed()), plan };
        let (mut plan, mut rest) = (Vec::new(), received.split_off(end));
        loop {
            body.advance_into(&rest, |piece| plan.extend_from_slice(piece)).map_err(|_| ErrorKind::InvalidData)?;
            // One byte more than the largest plan is enough to see that it is too long.
            plan.truncate(LARGEST_PLAN + 1);
            if body.is_done() || plan.len() > LARGEST_PLAN {
                return Ok(answer(plan));
            }
            rest.clear();
            if read(&mut stream, until, &mut rest)? == 0 {
                return if body.ends_with_connection() { Ok(answer(plan)) } else { Err(ErrorKind::UnexpectedEof.into()) };
            }
        }
    }

    fn understood(&mut self, answer: Answer) -> Look {
        let Answer { status, age, plan } = answer;
        match status {
            200 => {
                let mut hasher = DefaultHasher::new();
                plan.hash(&mut hasher);
                let hash = Some(hasher.finish());
                if self.seen == hash {
                    return Look::Same;
                }
                self.seen = hash;
                Look::Found { plan, age }
            }
            400..500 => {
                self.seen = None;
                Look::Missing(format!("AppConfig's agent has no such configuration (status {status})"))
            }
            _ => Look::Unanswered(format!("AppConfig's agent answers with status {status}")),
        }
    }
}

/// An answer of the agent.
struct Answer {
    status: u16,
    /// The age of the configuration, if reported.
    age: Option<Duration>,
    plan: Vec<u8>,
}

/// The age of the content after this head when it was sent, by the sender's own clock if reported.
fn age(head: &[u8]) -> Option<Duration> {
    let date = |name| httpdate::parse_http_date(header(head, name)?).ok();
    let written = date("last-modified")?;
    Some(date("date").unwrap_or_else(SystemTime::now).duration_since(written).unwrap_or_default())
}

/// Reads some bytes before `until`.
fn read(stream: &mut TcpStream, until: Instant, into: &mut Vec<u8>) -> io::Result<usize> {
    let left = until.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(ErrorKind::TimedOut.into());
    }
    stream.set_read_timeout(Some(left))?;
    let mut piece = [0; 16 << 10];
    let count = stream.read(&mut piece)?;
    into.extend_from_slice(piece.get(..count).unwrap_or_default());
    Ok(count)
}

impl Source for AppConfig {
    fn look(&mut self) -> Look {
        match self.ask() {
            Ok(answer) => self.understood(answer),
            Err(error) => {
                let why = match error.kind() {
                    ErrorKind::WouldBlock | ErrorKind::TimedOut => "does not answer in time".to_owned(),
                    kind => format!("cannot be asked ({kind})"),
                };
                Look::Unanswered(format!("AppConfig's agent {why}"))
            }
        }
    }

    fn forget(&mut self) {
        self.seen = None;
    }

    fn pause(&self) -> Duration {
        INTERVAL
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// An agent that sends each of the answers once and returns the last request.
    fn agent(answers: Vec<Vec<u8>>) -> (AppConfig, std::thread::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let serving = std::thread::spawn(move || {
            let mut asked = String::new();
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let mut bytes = [0; 4096];
                let count = stream.read(&mut bytes).unwrap();
                asked = String::from_utf8_lossy(&bytes[..count]).into_owned();
                // The reader may disconnect early.
                let _ = stream.write_all(&answer);
            }
            asked
        });
        (AppConfig::new(&Configuration::parse("my app/prod/é?").unwrap(), port), serving)
    }

    #[test]
    fn three_names_are_a_configuration() {
        for text in ["", "a", "a/b", "a/b/", "/b/c", "a/b/c/d"] {
            assert_eq!(Configuration::parse(text), None, "{text}");
        }
        assert!(Configuration::parse("a/b/c").is_some());
    }

    #[test]
    fn a_configuration_is_found_once_for_each_change() {
        let with_length = |text: &str| format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{text}", text.len()).into_bytes();
        let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\ntw\r\n1\r\no\r\n0\r\n\r\n".to_vec();
        let closed = b"HTTP/1.0 200 OK\r\n\r\nthree".to_vec();
        let (mut source, serving) = agent(vec![with_length("one"), with_length("one"), chunked, closed]);
        for expected in [Some("one"), None, Some("two"), Some("three")] {
            match (source.look(), expected) {
                (Look::Found { plan, age: None }, Some(text)) => assert_eq!(plan, text.as_bytes()),
                (Look::Same, None) => (),
                (look, _) => panic!("{look:?} instead of {expected:?}"),
            }
        }
        let asked = serving.join().unwrap();
        assert!(asked.starts_with("GET /applications/my%20app/environments/prod/configurations/%C3%A9%3F HTTP/1.1\r\n"), "{asked}");
    }

    #[test]
    fn a_refusal_means_no_plan_and_trouble_means_no_answer() {
        for (answer, missing) in [
            (&b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"[..], true),
            (b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n", false),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort", false),
            (b"no HTTP at all\r\n\r\n", false),
            (b"", false),
        ] {
            let (mut source, _serving) = agent(vec![answer.to_vec()]);
            let look = source.look();
            assert_eq!((matches!(look, Look::Missing(_)), matches!(look, Look::Unanswered(_))), (missing, !missing), "{look:?}");
        }
    }

    #[test]
    fn the_age_of_a_configuration_is_by_its_senders_own_clock() {
        let at = |headers: &str| age(format!("HTTP/1.1 200 OK\r\n{headers}\r\n").as_bytes());
        let written = "Last-Modified: Tue, 15 Nov 1994 12:45:26 GMT\r\n";
        assert_eq!(at(&format!("{written}Date: Tue, 15 Nov 1994 14:45:26 GMT\r\n")), Some(Duration::from_secs(7_200)));
        assert_eq!(at(&format!("{written}Date: Tue, 15 Nov 1994 12:45:25 GMT\r\n")), Some(Duration::ZERO));
        assert!(
            at(written).is_some_and(|age| age > Duration::from_secs(86_400 * 365 * 30)),
            "by the local clock if the agent tells no time"
        );
        assert_eq!((at(""), at("Last-Modified: soon\r\n")), (None, None));
    }

    #[test]
    fn no_more_is_read_than_the_largest_plan() {
        let mut answer = b"HTTP/1.1 200 OK\r\nContent-Length: 5000000\r\n\r\n".to_vec();
        answer.resize(5_000_042, b'x');
        let (mut source, _serving) = agent(vec![answer]);
        assert!(matches!(source.look(), Look::Found { plan, .. } if plan.len() == LARGEST_PLAN + 1));
    }
}
