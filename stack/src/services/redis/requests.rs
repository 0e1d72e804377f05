//! Parses requests: arrays of bulk strings, or a line of words. No memory is reserved for a length
//! that a peer merely claims, no byte is parsed twice, and nothing nests. Source: the Redis
//! serialization protocol specification, "Sending commands to a Redis server".

use bytes::{Buf, Bytes, BytesMut};

/// The longest line. Source: Redis, `PROTO_INLINE_MAX_SIZE`.
const LONGEST_LINE: usize = 64 * 1024;
/// The most arguments of one request; Redis itself takes a million.
const MOST_ARGUMENTS: i64 = 64 * 1024;
/// How many bytes the arguments of a request may have besides the largest one.
const BESIDE: usize = 1024 * 1024;
/// The largest bulk string that a server may be told to take. Source: Redis, `proto-max-bulk-len`.
pub const LARGEST_BULK: usize = 512 * 1024 * 1024;

/// Not a valid request. The connection cannot continue after it, because it is unknown where the
/// next request begins.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The number of arguments is not a number, or too large.
    #[error("invalid multibulk length")]
    Count,
    /// The length of an argument is not a number, or too large.
    #[error("invalid bulk length")]
    Length,
    /// An argument does not begin like one.
    #[error("expected '$', got '{}'", char::from(*.0).escape_default())]
    NoBulk(u8),
    /// A line does not end.
    #[error("too big inline request")]
    Line,
    /// An argument does not end where it should.
    #[error("expected a line break after a bulk string")]
    NoEnd,
}

/// A request that is not complete yet.
#[derive(Debug)]
struct Begun {
    arguments: Vec<Bytes>,
    /// How many arguments are still missing.
    left: i64,
    /// The length of the argument that is being received.
    awaited: Option<usize>,
    /// The size of the arguments so far.
    size: usize,
}

/// Parses requests out of what a peer sends.
#[derive(Debug)]
pub struct Requests {
    largest: usize,
    begun: Option<Begun>,
}

impl Requests {
    /// Accepts bulk strings of at most `largest` bytes, and never more than [`LARGEST_BULK`].
    pub fn new(largest: usize) -> Self {
        Self { largest: largest.min(LARGEST_BULK), begun: None }
    }

    /// The next request in `buffer`, with at least one argument; `None` if it is not complete yet.
    ///
    /// # Errors
    /// If it is not a valid request.
    pub fn next(&mut self, buffer: &mut BytesMut) -> Result<Option<Vec<Bytes>>, Malformed> {
        loop {
            let Some(begun) = &mut self.begun else {
                let Some(line) = line(buffer)? else { return Ok(None) };
                if let Some(count) = line.strip_prefix(b"*") {
                    let left = number(count).filter(|count| *count <= MOST_ARGUMENTS).ok_or(Malformed::Count)?;
                    // An empty array is not a request, and Redis ignores it.
                    self.begun = (left > 0).then_some(Begun { arguments: Vec::new(), left, awaited: None, size: 0 });
                    continue;
                }
                let words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
                let words: Vec<_> = words.map(Bytes::copy_from_slice).collect();
                if words.is_empty() {
                    continue;
                }
                return Ok(Some(words));
            };
            if !begun.take(buffer, self.largest)? {
                return Ok(None);
            }
            if begun.left == 0 {
                return Ok(self.begun.take().map(|begun| begun.arguments));
            }
        }
    }
}

impl Begun {
    /// Takes one argument; `false` if it is not complete yet.
    fn take(&mut self, buffer: &mut BytesMut, largest: usize) -> Result<bool, Malformed> {
        let length = match self.awaited {
            Some(length) => length,
            None => {
                let Some(line) = line(buffer)? else { return Ok(false) };
                let Some(length) = line.strip_prefix(b"$") else {
                    return Err(Malformed::NoBulk(line.first().copied().unwrap_or(b'\r')));
                };
                let length = number(length).and_then(|length| usize::try_from(length).ok()).filter(|length| *length <= largest);
                let length = length.filter(|length| self.size + length <= largest + BESIDE).ok_or(Malformed::Length)?;
                *self.awaited.insert(length)
            }
        };
        if buffer.len() < length + 2 {
            return Ok(false);
        }
        let argument = buffer.split_to(length).freeze();
        if !buffer.starts_with(b"\r\n") {
            return Err(Malformed::NoEnd);
        }
        buffer.advance(2);
        self.size += argument.len();
        self.arguments.push(argument);
        self.awaited = None;
        self.left -= 1;
        Ok(true)
    }
}

/// A line without its end; `None` if it is not complete yet.
fn line(buffer: &mut BytesMut) -> Result<Option<Bytes>, Malformed> {
    let Some(end) = buffer.iter().take(LONGEST_LINE).position(|byte| *byte == b'\n') else {
        return if buffer.len() < LONGEST_LINE { Ok(None) } else { Err(Malformed::Line) };
    };
    let mut line = buffer.split_to(end).freeze();
    buffer.advance(1);
    if line.ends_with(b"\r") {
        line.truncate(line.len() - 1);
    }
    Ok(Some(line))
}

/// A whole number as Redis reads it: digits, with or without a minus in front, and nothing else.
pub fn number(text: &[u8]) -> Option<i64> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn encoded(requests: &[Vec<Vec<u8>>]) -> Vec<u8> {
        let mut out = Vec::new();
        for arguments in requests {
            out.extend(format!("*{}\r\n", arguments.len()).into_bytes());
            for argument in arguments {
                out.extend(format!("${}\r\n", argument.len()).into_bytes());
                out.extend(argument);
                out.extend(b"\r\n");
            }
        }
        out
    }

    /// The result for bytes that arrive in pieces of these lengths.
    fn read(bytes: &[u8], pieces: &[usize]) -> (Vec<Vec<Bytes>>, Option<Malformed>) {
        let (mut requests, mut buffer, mut read, mut rest) = (Requests::new(1024), BytesMut::new(), Vec::new(), bytes);
        let mut pieces = pieces.iter().copied().chain(std::iter::repeat(bytes.len().max(1)));
        loop {
            match requests.next(&mut buffer) {
                Ok(Some(request)) => read.push(request),
                Err(malformed) => return (read, Some(malformed)),
                Ok(None) if rest.is_empty() => return (read, None),
                Ok(None) => {
                    let (piece, more) = rest.split_at(pieces.next().unwrap().clamp(1, rest.len()));
                    buffer.extend_from_slice(piece);
                    rest = more;
                }
            }
        }
    }

    #[test]
    fn an_invalid_request_is_named_as_in_redis() {
        for (bytes, requests, malformed) in [
            (&b"*1\r\n$4\r\nPING\r\n"[..], 1, None),
            (b"PING\r\n", 1, None),
            (b"  get  a \n\r\n", 1, None),
            (b"*0\r\n*-1\r\nPING\r\n", 1, None),
            (b"*2\r\n$1\r\na\r\n", 0, None),
            (b"*x\r\n", 0, Some("invalid multibulk length")),
            (b"*+1\r\n", 0, Some("invalid multibulk length")),
            (b"*99999999\r\n", 0, Some("invalid multibulk length")),
            (b"*1\r\n*1\r\n", 0, Some("expected '$', got '*'")),
            (b"*1\r\n$-1\r\n", 0, Some("invalid bulk length")),
            (b"*1\r\n$1025\r\n", 0, Some("invalid bulk length")),
            (b"*1\r\n$99999999999999999999\r\n", 0, Some("invalid bulk length")),
            (b"*1\r\n$1\r\nabc", 0, Some("expected a line break after a bulk string")),
            (b"PING\r\n*1\r\n:1\r\n", 1, Some("expected '$', got ':'")),
        ] {
            let (read, found) = read(bytes, &[]);
            assert_eq!((read.len(), found.map(|found| found.to_string()).as_deref()), (requests, malformed), "{}", bytes.escape_ascii());
        }
        assert_eq!(read(&vec![b'x'; LONGEST_LINE], &[]).1, Some(Malformed::Line));
    }

    #[test]
    fn a_claimed_length_reserves_nothing() {
        let (mut requests, mut buffer) =
            (Requests::new(LARGEST_BULK), BytesMut::from(&b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$536870912\r\nx"[..]));
        assert_eq!(requests.next(&mut buffer), Ok(None));
        assert!(buffer.capacity() < 1024, "{}", buffer.capacity());
    }

    proptest! {
        #[test]
        fn requests_are_parsed_alike_in_any_pieces(
            requests in vec(vec(vec(any::<u8>(), 0..40), 1..5), 0..6),
            pieces in vec(1_usize..9, 0..60),
        ) {
            let (read, malformed) = read(&encoded(&requests), &pieces);
            prop_assert_eq!(malformed, None);
            prop_assert_eq!(read, requests);
        }

        #[test]
        fn any_bytes_give_requests_or_an_error(bytes in vec(prop_oneof![Just(b'*'), Just(b'$'), Just(b'\r'), Just(b'\n'), b'0'..=b'9', any::<u8>()], 0..200)) {
            let whole = read(&bytes, &[]);
            prop_assert_eq!(read(&bytes, &[1; 200]), whole);
        }
    }
}
