//! Where the body of an HTTP/1.1 message ends. It only counts: the bytes themselves are unchanged,
//! including chunk sizes and trailers.

use std::borrow::Cow;

/// A message that no HTTP/1.1 reader could make sense of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

/// What is still to come of one body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Body(State);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Done,
    /// This many bytes.
    Length(u64),
    Chunked(Chunk),
    /// Until the connection ends.
    UntilClose,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Chunk {
    /// Within the size line's digits.
    Size {
        size: u64,
        digits: u8,
    },
    /// After the digits, up to the line's end.
    Extension {
        size: u64,
    },
    Bytes {
        left: u64,
    },
    /// The line break after the bytes.
    BytesEnd,
    /// At the beginning of a trailer line, or of the empty line that ends everything.
    LineStart,
    EmptyLine,
    Trailer,
}

impl Body {
    /// No body.
    pub const NONE: Self = Self(State::Done);
    /// Chunked encoding.
    pub const CHUNKED: Self = Self(State::Chunked(Chunk::Size { size: 0, digits: 0 }));
    /// Until the connection ends.
    pub const UNTIL_CLOSE: Self = Self(State::UntilClose);

    /// A body of this many bytes.
    pub const fn of_length(length: u64) -> Self {
        Self(if length == 0 { State::Done } else { State::Length(length) })
    }

    /// Whether nothing more is to come.
    pub const fn is_done(&self) -> bool {
        matches!(self.0, State::Done)
    }

    /// Whether it is chunked and some chunks are still to come.
    pub const fn is_chunked(&self) -> bool {
        matches!(self.0, State::Chunked(_))
    }

    /// How many bytes are still to come, if known.
    pub const fn length(&self) -> Option<u64> {
        match self.0 {
            State::Done => Some(0),
            State::Length(left) => Some(left),
            State::Chunked(_) | State::UntilClose => None,
        }
    }

    /// Whether the whole payload has come; the trailers of a chunked body come after it.
    pub const fn is_past_payload(&self) -> bool {
        matches!(self.0, State::Done | State::Chunked(Chunk::LineStart | Chunk::EmptyLine | Chunk::Trailer))
    }

    /// Whether it ends with its connection.
    pub const fn ends_with_connection(&self) -> bool {
        matches!(self.0, State::UntilClose)
    }

    /// How much to make room for, as far as known, and at most `most`.
    pub fn expected(&self, most: usize) -> usize {
        match self.0 {
            State::Length(left) | State::Chunked(Chunk::Bytes { left }) => usize::try_from(left).map_or(most, |left| left.min(most)),
            State::Done | State::Chunked(_) | State::UntilClose => 0,
        }
    }

    /// How many of `bytes`, the next ones of the connection, belong to this body.
    ///
    /// # Errors
    /// If the chunks are malformed.
    pub fn advance(&mut self, bytes: &[u8]) -> Result<usize, Malformed> {
        self.advance_into(bytes, |_| ())
    }

    /// The same, passing on the payload piece by piece.
    ///
    /// # Errors
    /// If the chunks are malformed.
    pub fn advance_into(&mut self, bytes: &[u8], payload: impl FnMut(&[u8])) -> Result<usize, Malformed> {
        self.advance_while(bytes, payload, |_| true)
    }

    /// The same up to the trailers, which are not read.
    ///
    /// # Errors
    /// If the chunks are malformed.
    pub fn advance_to_trailers(&mut self, bytes: &[u8], payload: impl FnMut(&[u8])) -> Result<usize, Malformed> {
        self.advance_while(bytes, payload, |body| !body.is_past_payload())
    }

    /// The payload in `bytes`, which this body begins with, up to a malformed part. It is copied
    /// only if it comes in several chunks.
    pub fn payload(mut self, bytes: &[u8]) -> Cow<'_, [u8]> {
        let (mut first, mut all) = (0..0, Vec::new());
        let _ = self.advance_into(bytes, |piece| {
            if first.is_empty() {
                let from = piece.as_ptr().addr() - bytes.as_ptr().addr();
                first = from..from + piece.len();
                return;
            }
            if all.is_empty() {
                all.extend_from_slice(bytes.get(first.clone()).unwrap_or_default());
            }
            all.extend_from_slice(piece);
        });
        if all.is_empty() { Cow::Borrowed(bytes.get(first).unwrap_or_default()) } else { Cow::Owned(all) }
    }

    fn advance_while(&mut self, bytes: &[u8], mut payload: impl FnMut(&[u8]), goes_on: impl Fn(&Self) -> bool) -> Result<usize, Malformed> {
        let mut taken = 0;
        while let Some(rest) = bytes.get(taken..).filter(|rest| !rest.is_empty() && goes_on(self)) {
            match &mut self.0 {
                State::Done => break,
                State::UntilClose => {
                    payload(rest);
                    taken = bytes.len();
                }
                State::Length(left) => {
                    let here = take(left, rest, &mut payload);
                    taken += here;
                    if *left == 0 {
                        self.0 = State::Done;
                    }
                }
                State::Chunked(Chunk::Bytes { left }) => {
                    taken += take(left, rest, &mut payload);
                    if *left == 0 {
                        self.0 = State::Chunked(Chunk::BytesEnd);
                    }
                }
                State::Chunked(chunk) => {
                    let Some(byte) = rest.first() else { break };
                    taken += 1;
                    self.0 = chunk.after(*byte)?;
                }
            }
        }
        Ok(taken)
    }
}

/// Takes up to `left` of `rest`.
fn take(left: &mut u64, rest: &[u8], payload: &mut impl FnMut(&[u8])) -> usize {
    let here = usize::try_from(*left).map_or(rest.len(), |left| left.min(rest.len()));
    payload(rest.get(..here).unwrap_or_default());
    *left = left.saturating_sub(here as u64);
    here
}

impl Chunk {
    fn after(self, byte: u8) -> Result<State, Malformed> {
        Ok(State::Chunked(match (self, byte) {
            (Self::Size { size, digits }, _) if byte.is_ascii_hexdigit() && digits < 16 => {
                let digit = (byte as char).to_digit(16).map_or(0, u64::from);
                Self::Size { size: size << 4 | digit, digits: digits + 1 }
            }
            (Self::Size { digits: 0, .. }, _) => return Err(Malformed),
            (Self::Size { size, .. } | Self::Extension { size }, b'\n') => {
                if size == 0 {
                    Self::LineStart
                } else {
                    Self::Bytes { left: size }
                }
            }
            (Self::Size { size, .. }, b'\r' | b';' | b' ' | b'\t') | (Self::Extension { size }, _) => Self::Extension { size },
            (Self::BytesEnd, b'\r') => Self::BytesEnd,
            (Self::BytesEnd, b'\n') => Self::Size { size: 0, digits: 0 },
            (Self::LineStart, b'\r') => Self::EmptyLine,
            (Self::LineStart | Self::EmptyLine, b'\n') => return Ok(State::Done),
            (Self::Trailer, b'\n') => Self::LineStart,
            (Self::LineStart | Self::Trailer, _) => Self::Trailer,
            (Self::Size { .. } | Self::BytesEnd | Self::EmptyLine | Self::Bytes { .. }, _) => return Err(Malformed),
        }))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TWO_CHUNKS: &[u8] = b"5;x=y\r\nhello\r\nA\r\n0123456789\r\n0\r\nLambda-Runtime-Function-Error-Type: T\r\n\r\n";

    #[test]
    fn the_end_of_a_body_is_found_however_the_bytes_are_cut() {
        for (body, bytes, payload) in [
            (Body::CHUNKED, TWO_CHUNKS, &b"hello0123456789"[..]),
            (Body::CHUNKED, b"0\r\n\r\n", b""),
            (Body::of_length(5), b"hello", b"hello"),
            (Body::NONE, b"", b""),
        ] {
            let mut stream = bytes.to_vec();
            stream.extend(b"GET /next");
            for cut in 0..=stream.len() {
                let (mut body, mut read) = (body, Vec::new());
                let (first, second) = stream.split_at(cut);
                let mut taken = body.advance_into(first, |piece| read.extend(piece)).unwrap();
                if taken == first.len() {
                    taken += body.advance_into(second, |piece| read.extend(piece)).unwrap();
                }
                assert_eq!((taken, read.as_slice(), body.is_done()), (bytes.len(), payload, true), "cut at {cut}");
            }
        }
    }

    #[test]
    fn invalid_chunks_are_malformed() {
        for bytes in [&b"\r\n"[..], b"x\r\n", b"5\r\nhelloX", b"11111111111111111\r\n", b"0\r\n\rX"] {
            let mut body = Body::CHUNKED;
            assert_eq!(body.advance(bytes), Err(Malformed), "{bytes:?}");
        }
    }

    #[test]
    fn the_payload_ends_before_the_trailers() {
        let (mut body, mut read) = (Body::CHUNKED, Vec::new());
        let taken = body.advance_to_trailers(TWO_CHUNKS, |piece| read.extend(piece)).unwrap();
        assert_eq!(&TWO_CHUNKS[taken..], b"Lambda-Runtime-Function-Error-Type: T\r\n\r\n");
        assert_eq!((read.as_slice(), body.is_past_payload(), body.is_done()), (&b"hello0123456789"[..], true, false));
        assert_eq!(body.advance(&TWO_CHUNKS[taken..]).map(|more| more + taken), Ok(TWO_CHUNKS.len()));
        assert_eq!(Body::CHUNKED.payload(TWO_CHUNKS), &b"hello0123456789"[..]);
        for (body, bytes, payload) in
            [(Body::CHUNKED, &b"A\r\n01234"[..], &b"01234"[..]), (Body::of_length(3), b"01234", b"012"), (Body::CHUNKED, b"A\r", b"")]
        {
            assert!(matches!(body.payload(bytes), Cow::Borrowed(found) if found == payload), "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_body_or_malformed(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut body = Body::CHUNKED;
            if let Ok(taken) = body.advance(&bytes) {
                prop_assert!(taken <= bytes.len());
            }
        }
    }
}
