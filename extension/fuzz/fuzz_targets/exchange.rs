//! Heads are read and bodies passed on through a pipe of any size, in any pieces: the output equals
//! the input, byte for byte, and what follows stays in the buffer.

#![no_main]

use bytes::BytesMut;
use extension::connection::{Broken, copy, read_head};
use extension::message::{RequestHead, head_end};
use libfuzzer_sys::fuzz_target;
use tokio::io::{AsyncWriteExt, duplex};

/// The complete messages at the front of `sent`, read in one piece.
fn at_once(mut sent: &[u8]) -> Vec<u8> {
    let mut passed = Vec::new();
    loop {
        while let Some(rest) = sent.strip_prefix(b"\r\n").or_else(|| sent.strip_prefix(b"\n")) {
            sent = rest;
        }
        let Some(length) = head_end(sent, 0) else { return passed };
        let Ok(head) = RequestHead::read(sent, length) else { return passed };
        let mut body = head.body;
        let Ok(taken) = body.advance(&sent[length..]) else { return passed };
        if !body.is_done() {
            return passed;
        }
        passed.extend_from_slice(&sent[..length + taken]);
        sent = &sent[length + taken..];
    }
}

fuzz_target!(|input: &[u8]| {
    let Some((&[room, piece], sent)) = input.split_first_chunk::<2>().map(|(first, rest)| (first, rest)) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let (mut near, mut far) = duplex(usize::from(room).max(1));
        let pieces: Vec<Vec<u8>> = sent.chunks(usize::from(piece).max(1)).map(<[u8]>::to_vec).collect();
        let writer = tokio::spawn(async move {
            for piece in pieces {
                if near.write_all(&piece).await.is_err() {
                    return;
                }
                tokio::task::yield_now().await;
            }
        });
        let (mut buffer, mut passed) = (BytesMut::new(), Vec::new());
        // Ends in an error if the rest is not a complete head.
        while let Ok(Some(length)) = read_head(&mut far, &mut buffer).await {
            let Ok(head) = RequestHead::read(&buffer, length) else { break };
            let (mut body, before) = (head.body, passed.len());
            if let Err(broken) = copy(&mut far, &mut buffer, &mut passed, length, &mut body).await {
                assert_eq!(broken, Broken::Source, "memory takes everything");
                passed.truncate(before);
                break;
            }
            assert!(body.is_done());
        }
        writer.abort();
        assert_eq!(passed, at_once(sent));
    });
});
