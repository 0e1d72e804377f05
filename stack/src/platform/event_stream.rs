//! The frames of `application/vnd.amazon.eventstream`, in which an SDK reads a streamed answer. It
//! knows nothing of invocations. Source: AWS's "event stream encoding": lengths and CRC-32,
//! headers, payload, CRC-32 of all before; numbers are big-endian.

use bytes::{BufMut, Bytes, BytesMut};

/// The two lengths, their checksum, and the last checksum.
const OVERHEAD: usize = 16;
/// The type of a header whose value is text.
const TEXT: u8 = 7;

/// An event with its name and the type of its payload; both shorter than 256 bytes.
pub(crate) fn event(name: &str, content_type: &str, payload: &[u8]) -> Bytes {
    let mut headers = Vec::new();
    for (header, value) in [(":event-type", name), (":content-type", content_type), (":message-type", "event")] {
        headers.put_u8(u8::try_from(header.len()).unwrap_or(u8::MAX));
        headers.put_slice(header.as_bytes());
        headers.put_u8(TEXT);
        headers.put_u16(u16::try_from(value.len()).unwrap_or(u16::MAX));
        headers.put_slice(value.as_bytes());
    }
    let mut frame = BytesMut::with_capacity(OVERHEAD + headers.len() + payload.len());
    let length = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX);
    frame.put_u32(length(OVERHEAD + headers.len() + payload.len()));
    frame.put_u32(length(headers.len()));
    let checksum = crc32fast::hash(&frame);
    frame.put_u32(checksum);
    frame.put_slice(&headers);
    frame.put_slice(payload);
    let checksum = crc32fast::hash(&frame);
    frame.put_u32(checksum);
    frame.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_has_the_specified_encoding() {
        let frame = event("PayloadChunk", "application/octet-stream", b"hello");
        let number = |at: usize| u32::from_be_bytes(frame[at..at + 4].try_into().unwrap());
        assert_eq!(number(0) as usize, frame.len());
        assert_eq!(number(8), crc32fast::hash(&frame[..8]));
        assert_eq!(number(frame.len() - 4), crc32fast::hash(&frame[..frame.len() - 4]));
        let headers = 12..12 + number(4) as usize;
        assert_eq!(&frame[headers.end..frame.len() - 4], b"hello");
        assert!(frame[headers].starts_with(b"\x0b:event-type\x07\x00\x0cPayloadChunk\x0d:content-type\x07"));
    }
}
