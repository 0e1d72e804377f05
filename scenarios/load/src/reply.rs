//! An answer as it came, and its body as it was before the server compressed it.

use std::io::Read;
use std::time::Instant;

use bytes::Bytes;
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header::CONTENT_ENCODING;
use hyper::{HeaderMap, Response};

/// A body is at most so large, in bytes; a few of compressed ones could stand for any number.
const LARGEST: u64 = 64 << 20;

/// How a body is compressed (RFC 9110, 8.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    /// RFC 1952.
    Gzip,
    /// RFC 1950, or RFC 1951 as some servers have it.
    Deflate,
    /// Not at all, or in a way that is not read here.
    AsItCame,
}

impl Encoding {
    fn of(headers: &HeaderMap) -> Self {
        let name = headers.get(CONTENT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default().trim();
        if name.eq_ignore_ascii_case("gzip") || name.eq_ignore_ascii_case("x-gzip") {
            Self::Gzip
        } else if name.eq_ignore_ascii_case("deflate") {
            Self::Deflate
        } else {
            Self::AsItCame
        }
    }
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// When the first part of its body came; `None` if it has none.
    pub(crate) began: Option<Instant>,
    encoding: Encoding,
    body: Bytes,
}

impl Reply {
    /// Reads an answer to its end.
    pub(crate) async fn read(answer: Response<Incoming>) -> Result<Self, hyper::Error> {
        let (head, mut body) = answer.into_parts();
        let first = body.frame().await.transpose()?;
        let began = first.is_some().then(Instant::now);
        let rest = body.collect().await?.to_bytes();
        let body = match first.and_then(|frame| frame.into_data().ok()) {
            Some(whole) if rest.is_empty() => whole,
            Some(first) => [first, rest].concat().into(),
            None => rest,
        };
        Ok(Self { status: head.status.as_u16(), began, encoding: Encoding::of(&head.headers), body })
    }

    /// The body before it was compressed; as it came if it is damaged or too large, which `Err` says.
    pub(crate) fn body(self) -> Result<Bytes, Bytes> {
        // An answer to HEAD, and one with 304, has an encoding and no body.
        if self.body.is_empty() {
            return Ok(self.body);
        }
        let came = &*self.body;
        let decoded = match self.encoding {
            Encoding::AsItCame => return Ok(self.body),
            Encoding::Gzip => whole(MultiGzDecoder::new(came)),
            Encoding::Deflate => whole(ZlibDecoder::new(came)).or_else(|| whole(DeflateDecoder::new(came))),
        };
        decoded.map(Bytes::from).ok_or(self.body)
    }
}

fn whole(decoder: impl Read) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    let read = decoder.take(LARGEST + 1).read_to_end(&mut body).ok()?;
    (read as u64 <= LARGEST).then_some(body)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
    use hyper::header::HeaderValue;

    use super::*;

    const TEXT: &[u8] = b"{\"state\":\"PLACED\"}";

    fn body(encoding: &'static str, body: Vec<u8>) -> Result<Bytes, Bytes> {
        let headers = HeaderMap::from_iter([(CONTENT_ENCODING, HeaderValue::from_static(encoding))]);
        Reply { status: 200, began: None, encoding: Encoding::of(&headers), body: body.into() }.body()
    }

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn a_body_is_read_as_it_was_before_it_was_compressed() {
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::fast());
        zlib.write_all(TEXT).unwrap();
        let mut raw = DeflateEncoder::new(Vec::new(), Compression::fast());
        raw.write_all(TEXT).unwrap();
        for (encoding, came) in [
            ("gzip", gzip(TEXT)),
            ("GZip", [gzip(&TEXT[..5]), gzip(&TEXT[5..])].concat()),
            ("deflate", zlib.finish().unwrap()),
            ("deflate", raw.finish().unwrap()),
            ("identity", TEXT.to_vec()),
            ("br", TEXT.to_vec()),
        ] {
            assert_eq!(body(encoding, came).unwrap(), TEXT, "{encoding}");
        }
        assert_eq!(body("gzip", Vec::new()).unwrap(), "");
    }

    #[test]
    fn a_damaged_body_and_one_that_is_too_large_stay_as_they_came() {
        let came = gzip(TEXT);
        let cut = came[..came.len() - 4].to_vec();
        assert_eq!(body("gzip", cut.clone()), Err(cut.into()));
        assert_eq!(body("deflate", TEXT.to_vec()), Err(TEXT.into()));
        let large = gzip(&vec![0; usize::try_from(LARGEST + 1).unwrap()]);
        assert_eq!(body("gzip", large.clone()), Err(large.into()));
    }
}
