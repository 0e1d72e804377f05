//! The head of an HTTP/1.1 message: only what is needed to know where the message goes and where it ends.
//! It must never change a byte of it.

use std::ops::Range;

use bytes::BytesMut;

use crate::body::{Body, Malformed};

/// The head of a request, as ranges of the bytes it was read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestHead {
    /// Its length, including the empty line.
    pub length: usize,
    method: Range<usize>,
    path: Range<usize>,
    /// What follows it.
    pub body: Body,
    /// Whether the connection may be used again.
    pub keep_alive: bool,
    /// Whether the body comes only after a `100 Continue`.
    pub expects_continue: bool,
    /// Whether it must be [`tidy`] before it is passed on.
    pub untidy: bool,
}

/// The head of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnswerHead {
    /// Its length, including the empty line.
    pub length: usize,
    /// The status code.
    pub status: u16,
    /// What follows it.
    pub body: Body,
    /// Whether the connection may be used again.
    pub keep_alive: bool,
    /// Whether it must be [`tidy`] before it is passed on.
    pub untidy: bool,
}

/// The end of the head in `bytes`, which were already searched up to `from`. A line may end in a
/// bare line feed (RFC 9112, 2.2): if the platform accepts that, so must the proxy.
pub fn head_end(bytes: &[u8], from: usize) -> Option<usize> {
    let start = from.saturating_sub(2);
    let rest = bytes.get(start..)?;
    let feeds = rest.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| start + at + 1);
    feeds.into_iter().find_map(|line| match bytes.get(line..)? {
        [b'\n', ..] => Some(line + 1),
        [b'\r', b'\n', ..] => Some(line + 2),
        _ => None,
    })
}

/// The value of the header called `name` (in lower case).
pub fn header<'a>(head: &'a [u8], name: &str) -> Option<&'a str> {
    let (_, value) = headers(head).find(|(found, _)| found.eq_ignore_ascii_case(name.as_bytes()))?;
    std::str::from_utf8(value).ok()
}

/// The head with another Content-Length if `length` is given; everything else stays byte for byte.
pub fn with_length(head: &[u8], length: Option<u64>) -> Vec<u8> {
    rewritten(head, length, "")
}

/// The same without `Expect` and with `more` header lines, each with its line break.
pub fn for_another_body(head: &[u8], length: Option<u64>, more: &str) -> Vec<u8> {
    let is_expectation = |line: &&[u8]| line.split(|byte| *byte == b':').next().is_some_and(|name| name.eq_ignore_ascii_case(b"expect"));
    let lines: Vec<_> = head.split_inclusive(|byte| *byte == b'\n').filter(|line| !is_expectation(line)).collect();
    rewritten(&lines.concat(), length, more)
}

fn rewritten(head: &[u8], length: Option<u64>, more: &str) -> Vec<u8> {
    let mut written = Vec::with_capacity(head.len() + more.len() + 20);
    for line in head.split_inclusive(|byte| *byte == b'\n') {
        let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
        match length {
            Some(length) if name.eq_ignore_ascii_case(b"content-length") => {
                written.extend_from_slice(name);
                written.extend_from_slice(format!(": {length}\r\n").as_bytes());
            }
            _ => {
                if line.trim_ascii().is_empty() {
                    written.extend_from_slice(more.as_bytes());
                }
                written.extend_from_slice(line);
            }
        }
    }
    written
}

/// Whether one of the headers called `name` (in lower case) contains `word`, in any case.
pub fn mentions(head: &[u8], name: &str, word: &str) -> bool {
    headers(head)
        .any(|(found, value)| found.eq_ignore_ascii_case(name.as_bytes()) && value.split(|byte| *byte == b',').any(|token| is(token, word)))
}

/// Tidies the head of `length` at the front of the buffer; returns its new length.
pub fn tidy(buffer: &mut BytesMut, length: usize) -> usize {
    let rest = buffer.split_off(length.min(buffer.len()));
    let tidy = tidied(buffer);
    *buffer = BytesMut::from(tidy.as_slice());
    buffer.unsplit(rest);
    tidy.len()
}

/// The head in a form in which all parsers find the same end of the message: without a space before
/// a colon (RFC 9112, 5.1), and without a length next to a transfer coding (6.3).
fn tidied(head: &[u8]) -> Vec<u8> {
    let coded = headers(head).any(|(name, _)| name.trim_ascii_end().eq_ignore_ascii_case(b"transfer-encoding"));
    let mut tidy = Vec::with_capacity(head.len());
    for (at, line) in head.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let Some((name, rest)) = line.iter().position(|byte| *byte == b':').filter(|_| at > 0).map(|colon| line.split_at(colon)) else {
            tidy.extend_from_slice(line);
            continue;
        };
        let name = name.trim_ascii_end();
        if !(coded && name.eq_ignore_ascii_case(b"content-length")) {
            tidy.extend_from_slice(name);
            tidy.extend_from_slice(rest);
        }
    }
    tidy
}

fn headers(head: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    head.split(|byte| *byte == b'\n').skip(1).filter_map(|line| {
        let colon = line.iter().position(|byte| *byte == b':')?;
        Some((line.get(..colon)?, line.get(colon + 1..)?.trim_ascii()))
    })
}

/// The framing according to the headers.
#[derive(Default)]
struct Framing {
    length: Option<u64>,
    /// Whether the last transfer coding is `chunked`, if there are any.
    chunked: Option<bool>,
    close: bool,
    keep_alive: bool,
    expects_continue: bool,
    /// Whether a name has white space before or after it.
    spaced: bool,
}

impl Framing {
    fn read(head: &[u8]) -> Result<Self, Malformed> {
        let mut framing = Self::default();
        for (name, value) in headers(head) {
            framing.spaced |= [name.first(), name.last()].iter().any(|byte| matches!(byte, Some(b' ' | b'\t')));
            let name = name.trim_ascii_end();
            // The lengths of the four names: most headers are skipped with one comparison.
            match name.len() {
                14 if name.eq_ignore_ascii_case(b"content-length") => {
                    let digits = std::str::from_utf8(value).ok().filter(|text| text.bytes().all(|b| b.is_ascii_digit()));
                    let length = digits.and_then(|text| text.parse().ok()).ok_or(Malformed)?;
                    if framing.length.is_some_and(|before| before != length) {
                        return Err(Malformed);
                    }
                    framing.length = Some(length);
                }
                17 if name.eq_ignore_ascii_case(b"transfer-encoding") => {
                    // Several such headers are one list.
                    framing.chunked = value.split(|b| *b == b',').next_back().map(|last| is(last, "chunked"));
                }
                10 if name.eq_ignore_ascii_case(b"connection") => {
                    framing.close |= value.split(|b| *b == b',').any(|token| is(token, "close"));
                    framing.keep_alive |= value.split(|b| *b == b',').any(|token| is(token, "keep-alive"));
                }
                6 if name.eq_ignore_ascii_case(b"expect") => framing.expects_continue = is(value, "100-continue"),
                _ => (),
            }
        }
        Ok(framing)
    }

    /// Whether it gives the end of the message in two ways: then neither the length nor what
    /// follows the message can be trusted (RFC 9112, 6.1).
    const fn is_doubled(&self) -> bool {
        self.length.is_some() && self.chunked.is_some()
    }

    const fn keeps_alive(&self, old: bool) -> bool {
        !self.close && !self.is_doubled() && (!old || (self.keep_alive && self.chunked.is_none()))
    }
}

fn is(token: &[u8], word: &str) -> bool {
    token.trim_ascii().eq_ignore_ascii_case(word.as_bytes())
}

impl RequestHead {
    /// Reads the head of `length` bytes at the beginning of `bytes`.
    ///
    /// # Errors
    /// If it is not HTTP/1.
    pub fn read(bytes: &[u8], length: usize) -> Result<Self, Malformed> {
        let head = bytes.get(..length).ok_or(Malformed)?;
        let line = head.split(|byte| *byte == b'\n').next().unwrap_or_default().trim_ascii_end();
        let method = line.iter().position(|byte| *byte == b' ').ok_or(Malformed)?;
        let target = line.iter().rposition(|byte| *byte == b' ').filter(|space| *space > method).ok_or(Malformed)?;
        let old = match line.get(target + 1..) {
            Some(b"HTTP/1.1") => false,
            Some(b"HTTP/1.0") => true,
            _ => return Err(Malformed),
        };
        let framing = Framing::read(head)?;
        if framing.spaced {
            return Err(Malformed);
        }
        let body = match framing.chunked {
            Some(true) => Body::CHUNKED,
            // RFC 9112, 6.3: the end of such a request cannot be known; such an answer ends with its connection.
            Some(false) => return Err(Malformed),
            None => Body::of_length(framing.length.unwrap_or(0)),
        };
        Ok(Self {
            length,
            method: 0..method,
            path: method + 1..target,
            body,
            keep_alive: framing.keeps_alive(old),
            expects_continue: framing.expects_continue,
            untidy: framing.is_doubled(),
        })
    }

    /// The same after the head at the front of `buffer` is tidied. If parsers could disagree about
    /// its end, it is the connection's last message.
    pub fn tidied(self, buffer: &mut BytesMut) -> Self {
        if !self.untidy {
            return self;
        }
        let length = tidy(buffer, self.length);
        Self { length, ..self }
    }

    /// Whether it may be sent again even if the first one may have been processed (RFC 9110,
    /// 9.2.2).
    pub fn is_idempotent(&self, bytes: &[u8]) -> bool {
        matches!(self.method(bytes), b"GET" | b"HEAD" | b"OPTIONS" | b"TRACE" | b"PUT" | b"DELETE")
    }

    /// The method, in the bytes that the head was read from.
    pub fn method<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        bytes.get(self.method.clone()).unwrap_or_default()
    }

    /// The path with its query, in the bytes that the head was read from.
    pub fn path<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        bytes.get(self.path.clone()).unwrap_or_default()
    }
}

impl AnswerHead {
    /// Reads the head of `length` bytes at the beginning of `bytes`. The answer to a HEAD request
    /// has no body, whatever its headers say.
    ///
    /// # Errors
    /// If it is not HTTP/1.
    pub fn read(bytes: &[u8], length: usize, to_head: bool) -> Result<Self, Malformed> {
        let head = bytes.get(..length).ok_or(Malformed)?;
        let old = match head.get(..9) {
            Some(b"HTTP/1.1 ") => false,
            Some(b"HTTP/1.0 ") => true,
            _ => return Err(Malformed),
        };
        let digits = head.get(9..12).filter(|digits| digits.iter().all(u8::is_ascii_digit)).ok_or(Malformed)?;
        let status = digits.iter().fold(0, |status: u16, digit| status * 10 + u16::from(digit - b'0'));
        let framing = Framing::read(head)?;
        let body = if to_head || status < 200 || matches!(status, 204 | 304) {
            Body::NONE
        } else {
            match framing.chunked {
                Some(true) => Body::CHUNKED,
                Some(false) => Body::UNTIL_CLOSE,
                None => framing.length.map_or(Body::UNTIL_CLOSE, Body::of_length),
            }
        };
        let keep_alive = framing.keeps_alive(old) && !body.ends_with_connection();
        Ok(Self { length, status, body, keep_alive, untidy: framing.spaced || framing.is_doubled() })
    }

    /// Whether another answer follows (`100 Continue`, `103 Early Hints`).
    pub const fn is_interim(&self) -> bool {
        self.status < 200 && self.status != 101
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn request(text: &str) -> Result<RequestHead, Malformed> {
        RequestHead::read(text.as_bytes(), text.len())
    }

    #[test]
    fn the_end_of_a_head_is_found_in_any_pieces() {
        let bytes = b"GET / HTTP/1.1\r\nHost: x\r\n\r\nbody";
        for from in 0..bytes.len() - 4 {
            assert_eq!(head_end(bytes, from), Some(bytes.len() - 4), "from {from}");
        }
        assert_eq!(head_end(b"GET / HTTP/1.1\r\nHost: x\r\n", 0), None);
        for bare in [&b"GET / HTTP/1.1\nHost: x\n\n"[..], b"GET / HTTP/1.1\nHost: x\n\r\n", b"GET / HTTP/1.1\r\nHost: x\r\n\n"] {
            for from in 0..bare.len() {
                assert_eq!(head_end(bare, from), Some(bare.len()), "from {from} in {bare:?}");
            }
            assert_eq!(head_end(bare.get(..bare.len() - 1).unwrap(), 0), None, "{bare:?}");
        }
    }

    #[test]
    fn the_framing_of_a_request_is_understood() {
        for (headers, body, keep_alive) in [
            ("", Body::NONE, true),
            ("content-length: 0\r\n", Body::NONE, true),
            ("Content-Length: 7\r\nContent-Length: 7\r\n", Body::of_length(7), true),
            ("TRANSFER-ENCODING: gzip, Chunked\r\n", Body::CHUNKED, true),
            ("Content-Length: 7\r\nTransfer-Encoding: chunked\r\n", Body::CHUNKED, false),
            ("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", Body::CHUNKED, true),
            ("Connection: close\r\n", Body::NONE, false),
        ] {
            let head = request(&format!("POST /p?q HTTP/1.1\r\n{headers}\r\n")).unwrap();
            assert_eq!((head.body, head.keep_alive), (body, keep_alive), "{headers}");
        }
    }

    #[test]
    fn an_invalid_head_is_malformed() {
        for text in [
            "",
            "GET\r\n\r\n",
            "GET /\r\n\r\n",
            "GET / HTTP/2\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length : 7\r\n\r\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding\t: chunked\r\n\r\n",
            "POST / HTTP/1.1\r\n Content-Length: 7\r\n\r\n",
            "POST / HTTP/1.1\r\nAny : 7\r\n\r\n",
        ] {
            assert_eq!(request(text), Err(Malformed), "{text}");
        }
    }

    #[test]
    fn a_head_is_rewritten_and_the_rest_of_it_stays() {
        let head = b"POST /p HTTP/1.1\r\nX-a:  b\r\ncontent-LENGTH: 7\r\nExpect: 100-continue\r\n\r\n";
        assert_eq!(with_length(head, Some(12)), b"POST /p HTTP/1.1\r\nX-a:  b\r\ncontent-LENGTH: 12\r\nExpect: 100-continue\r\n\r\n");
        assert_eq!(
            for_another_body(head, None, "Trailer: T\r\n"),
            b"POST /p HTTP/1.1\r\nX-a:  b\r\ncontent-LENGTH: 7\r\nTrailer: T\r\n\r\n"
        );
        assert_eq!(with_length(head, None), head);
        assert!(mentions(b"P\r\nTrailer: a, Foo\r\nTrailer: Bar\r\n\r\n", "trailer", "bar"));
    }

    #[test]
    fn a_head_with_two_ends_is_passed_on_with_one() {
        let head = b"HTTP/1.1 200 a : b\r\nContent-Length: 7\r\nX-A \t: b : c\r\ntransfer-encoding : chunked\r\nno colon\r\n\r\n";
        assert_eq!(tidied(head), b"HTTP/1.1 200 a : b\r\nX-A: b : c\r\ntransfer-encoding: chunked\r\nno colon\r\n\r\n");
        let tidy = b"POST / HTTP/1.1\r\nContent-Length: 7\r\n\r\n";
        assert_eq!(tidied(tidy), tidy);
        assert!(!request(std::str::from_utf8(tidy).unwrap()).unwrap().untidy);
    }

    #[test]
    fn the_method_decides_whether_a_request_may_be_sent_again() {
        for (method, again) in
            [("GET", true), ("HEAD", true), ("PUT", true), ("DELETE", true), ("POST", false), ("PATCH", false), ("get", false)]
        {
            let text = format!("{method} / HTTP/1.1\r\n\r\n");
            assert_eq!(request(&text).unwrap().is_idempotent(text.as_bytes()), again, "{method}");
        }
    }

    #[test]
    fn the_framing_of_an_answer_is_understood() {
        for (text, to_head, body, keep_alive) in [
            ("HTTP/1.1 200 OK\r\n\r\n", false, Body::UNTIL_CLOSE, false),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\nContent-Length: 1\r\n\r\n", false, Body::UNTIL_CLOSE, false),
            ("HTTP/1.1 202 Accepted\r\nContent-Length: 16\r\n\r\n", false, Body::of_length(16), true),
            ("HTTP/1.1 202 Accepted\r\nContent-Length : 16\r\n\r\n", false, Body::of_length(16), true),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n", false, Body::CHUNKED, false),
            ("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n", false, Body::CHUNKED, false),
            ("HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n", true, Body::NONE, true),
            ("HTTP/1.1 204 \r\n\r\n", false, Body::NONE, true),
            ("HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\n", false, Body::of_length(1), false),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n", false, Body::CHUNKED, false),
        ] {
            let head = AnswerHead::read(text.as_bytes(), text.len(), to_head).unwrap();
            assert_eq!((head.body, head.keep_alive), (body, keep_alive), "{text}");
        }
        for text in ["HTTP/1.1 +20 OK\r\n\r\n", "HTTP/1.1 20\r\n\r\n", "HTTP/2 200\r\n\r\n", ""] {
            assert_eq!(AnswerHead::read(text.as_bytes(), text.len(), false), Err(Malformed), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_head_or_malformed(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = RequestHead::read(&bytes, bytes.len());
            let _ = AnswerHead::read(&bytes, bytes.len(), false);
            let _ = header(&bytes, "expect");
        }
    }
}
