//! A body ends in the same place and has the same payload however its bytes are cut, and if a
//! strict decoder accepts it, the result is the same as that decoder's.

#![no_main]

use extension::body::{Body, Malformed};
use libfuzzer_sys::fuzz_target;

/// The number of bytes read, the payload, and whether the body has ended.
type Read = Result<(usize, Vec<u8>, bool), Malformed>;

fn read<'a>(mut body: Body, pieces: impl Iterator<Item = &'a [u8]>) -> Read {
    let (mut taken, mut payload) = (0, Vec::new());
    for piece in pieces {
        let here = body.advance_into(piece, |part| payload.extend_from_slice(part))?;
        assert!(here <= piece.len());
        taken += here;
        if here < piece.len() {
            assert!(body.is_done(), "bytes were left although the body is not over");
            break;
        }
    }
    Ok((taken, payload, body.is_done()))
}

/// RFC 9112, 7.1, to the letter except for lengths beyond memory; `None` if it is incomplete or
/// wrong.
fn strictly(bytes: &[u8]) -> Option<(usize, Vec<u8>)> {
    let (mut at, mut payload) = (0, Vec::new());
    let line = |at: usize| {
        let end = bytes.get(at..)?.windows(2).position(|two| two == b"\r\n")?;
        let line = &bytes[at..at + end];
        (!line.contains(&b'\r') && !line.contains(&b'\n')).then_some((line, at + end + 2))
    };
    loop {
        let (size, after) = line(at)?;
        let digits = size.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        if digits == 0 || digits > 16 || size.get(digits).is_some_and(|byte| *byte != b';') {
            return None;
        }
        let size = usize::from_str_radix(std::str::from_utf8(&size[..digits]).ok()?, 16).ok()?;
        at = after;
        if size == 0 {
            break;
        }
        payload.extend_from_slice(bytes.get(at..at.checked_add(size)?)?);
        at += size;
        at = bytes.get(at..)?.starts_with(b"\r\n").then_some(at + 2)?;
    }
    loop {
        let (trailer, after) = line(at)?;
        at = after;
        if trailer.is_empty() {
            return Some((at, payload));
        }
    }
}

fuzz_target!(|input: &[u8]| {
    let Some((&[kind, a, b], bytes)) = input.split_first_chunk::<3>().map(|(first, rest)| (first, rest)) else { return };
    let body = match kind % 4 {
        0 => Body::of_length(u64::from(a) << 4),
        1 => Body::UNTIL_CLOSE,
        2 => Body::NONE,
        _ => Body::CHUNKED,
    };
    let whole = read(body, std::iter::once(bytes));
    let by_byte = read(body, bytes.chunks(1));
    let by_some = read(body, bytes.chunks(usize::from(b).max(1)));
    if whole.is_ok() {
        assert_eq!(by_byte, whole);
    } else {
        // The pieces before the malformed part may differ, but both must find it malformed.
        assert_eq!(by_byte, Err(Malformed));
    }
    assert_eq!(by_some.is_ok(), whole.is_ok());
    if let (Ok(some), Ok(whole)) = (by_some, &whole) {
        assert_eq!(some, *whole);
    }
    if body == Body::CHUNKED
        && let Some((length, payload)) = strictly(bytes)
    {
        assert_eq!(whole, Ok((length, payload, true)));
    }
});
