//! Any bytes are a head or malformed, and if `httparse` (hyper's own parser) accepts a head, both
//! agree on where it ends and how its body is framed.

#![no_main]

use extension::body::Body;
use extension::message::{AnswerHead, RequestHead, head_end, header};
use libfuzzer_sys::fuzz_target;

/// The framing according to RFC 9112, 6.3 and 9.3.
#[derive(Debug, Default)]
struct Framing {
    /// Two different lengths, or one that is not a number.
    wrong: bool,
    length: Option<u64>,
    codings: Vec<String>,
    close: bool,
    keep_alive: bool,
}

fn framing(headers: &[httparse::Header<'_>]) -> Framing {
    let mut framing = Framing::default();
    for header in headers {
        // No searched word contains bytes beyond ASCII.
        let value = String::from_utf8_lossy(header.value).to_ascii_lowercase();
        let tokens = || value.split(',').map(|token| token.trim_matches([' ', '\t']).to_owned());
        match header.name.to_ascii_lowercase().as_str() {
            "content-length" => match value.trim_matches([' ', '\t']) {
                digits if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) => match digits.parse() {
                    Ok(length) if framing.length.is_none_or(|before| before == length) => framing.length = Some(length),
                    _ => framing.wrong = true,
                },
                _ => framing.wrong = true,
            },
            "transfer-encoding" => framing.codings.extend(tokens()),
            "connection" => {
                framing.close |= tokens().any(|token| token == "close");
                framing.keep_alive |= tokens().any(|token| token == "keep-alive");
            }
            _ => {}
        }
    }
    framing
}

impl Framing {
    fn is_chunked(&self) -> bool {
        self.codings.last().is_some_and(|last| last == "chunked")
    }

    fn keeps_alive(&self, version: Option<u8>) -> bool {
        let doubled = self.length.is_some() && !self.codings.is_empty();
        !self.close && !doubled && (version == Some(1) || (self.keep_alive && self.codings.is_empty()))
    }
}

fn agree_about_headers(bytes: &[u8], headers: &[httparse::Header<'_>]) {
    for looked_for in headers {
        let first = headers.iter().find(|header| header.name.eq_ignore_ascii_case(looked_for.name)).map(|header| header.value);
        let expected = first.and_then(|value| std::str::from_utf8(value).ok()).map(str::trim_ascii);
        assert_eq!(header(bytes, &looked_for.name.to_ascii_lowercase()), expected, "header `{}`", looked_for.name);
    }
}

fn requests(bytes: &[u8]) {
    let found_end = head_end(bytes, 0);
    let found = found_end.map(|length| RequestHead::read(bytes, length));
    let mut headers = [httparse::EMPTY_HEADER; 256];
    let mut theirs = httparse::Request::new(&mut headers);
    let Ok(httparse::Status::Complete(length)) = theirs.parse(bytes) else { return };
    if bytes.starts_with(b"\r\n") || bytes.starts_with(b"\n") {
        return; // `read_head` has taken empty lines away before.
    }
    assert_eq!(found_end, Some(length), "where the request's head ends");
    let framing = framing(theirs.headers);
    let Some(Ok(found)) = found else {
        let unusable = framing.wrong || (!framing.codings.is_empty() && !framing.is_chunked());
        return assert!(unusable, "a good request is malformed: {framing:?}");
    };
    assert!(!framing.wrong, "{framing:?}");
    let body = if framing.is_chunked() { Body::CHUNKED } else { Body::of_length(framing.length.unwrap_or(0)) };
    assert_eq!((found.body, found.keep_alive), (body, framing.keeps_alive(theirs.version)), "{framing:?}");
    assert_eq!(found.method(bytes), theirs.method.unwrap().as_bytes());
    assert_eq!(found.path(bytes), theirs.path.unwrap().as_bytes());
    agree_about_headers(&bytes[..length], theirs.headers);
}

fn answers(bytes: &[u8]) {
    let found_end = head_end(bytes, 0);
    let found = found_end.map(|length| AnswerHead::read(bytes, length, false));
    let mut headers = [httparse::EMPTY_HEADER; 256];
    let mut theirs = httparse::Response::new(&mut headers);
    let Ok(httparse::Status::Complete(length)) = theirs.parse(bytes) else { return };
    if bytes.starts_with(b"\r\n") || bytes.starts_with(b"\n") {
        return;
    }
    assert_eq!(found_end, Some(length), "where the answer's head ends");
    let framing = framing(theirs.headers);
    let Some(Ok(found)) = found else { return assert!(framing.wrong, "a good answer is malformed: {framing:?}") };
    assert!(!framing.wrong, "{framing:?}");
    let status = theirs.code.unwrap();
    let body = if status < 200 || matches!(status, 204 | 304) {
        Body::NONE
    } else if framing.is_chunked() {
        Body::CHUNKED
    } else if !framing.codings.is_empty() {
        Body::UNTIL_CLOSE
    } else {
        framing.length.map_or(Body::UNTIL_CLOSE, Body::of_length)
    };
    assert_eq!((found.status, found.body), (status, body), "{framing:?}");
    assert_eq!(found.keep_alive, framing.keeps_alive(theirs.version) && !body.ends_with_connection(), "{framing:?}");
    agree_about_headers(&bytes[..length], theirs.headers);
}

fuzz_target!(|bytes: &[u8]| {
    // The end is found at the same place, wherever reading stopped before.
    let end = head_end(bytes, 0);
    for from in 0..bytes.len().min(64) {
        if end.is_none_or(|end| from < end) {
            assert_eq!(head_end(bytes, from), end, "from {from}");
        }
    }
    for length in [bytes.len(), bytes.len() / 2] {
        let _ = RequestHead::read(bytes, length);
        let _ = AnswerHead::read(bytes, length, true);
        let _ = header(bytes, "expect");
    }
    requests(bytes);
    answers(bytes);
});
