//! Damages the handler's answer: cuts, corrupts or drops it. Its error trailers are always passed
//! on: damage must never turn an error into a success.

use std::time::Instant;

use faults::Alteration;

use super::context::Injection;
use super::steps::{confirm, discard, pass_on};
use super::upload::{Change, Flow, Sent, upload};
use crate::connection::{self, Connection, LARGE};
use crate::exchange::{Broken, Ended};
use crate::lock::lock;
use crate::message::{RequestHead, for_another_body};
use crate::wait::{BEYOND_DEADLINE, wait_while};

/// How much of an answer of unknown length is held until the damaged positions, which are within
/// it, are chosen.
const WINDOW: usize = 64 << 10;

/// Bytes that become 0xFF, including the first one: a text that begins with it is not JSON, even
/// for a parser that reads the byte as a character. Without the first byte, a changed name of a
/// member or a resource could make an answer deny less, and turn a denial into a grant.
pub(super) struct Corruption {
    pub(super) bytes: u64,
    pub(super) seed: u64,
}

/// Passes on the handler's answer with this damage.
pub(super) async fn alter(
    injection: Injection<'_>,
    runtime: &mut Connection,
    request: &RequestHead,
    alteration: Alteration,
) -> Result<Ended, Broken> {
    let length = request.body.length();
    let (change, length) = match alteration {
        Alteration::Drop => return drop_answer(injection, runtime, request).await,
        Alteration::Cut { bytes } if length.is_some_and(|length| length <= bytes) => {
            return pass_on(injection.context, runtime, request).await;
        }
        Alteration::Corrupt { .. } if length == Some(0) => return pass_on(injection.context, runtime, request).await,
        Alteration::Cut { bytes } => (Change::Cut { bytes }, length.map(|_| bytes)),
        Alteration::Corrupt { bytes, seed } => (Change::Corrupt(Corruption { bytes, seed }), None),
    };
    if request.body.length().is_some() {
        injection.done(true);
        injection.tell();
    }
    let head = for_another_body(runtime.buffer.get(..request.length).unwrap_or_default(), length, "");
    upload(injection, runtime, request, &head, change).await
}

/// Sends nothing to the platform. The runtime is told that its answer was accepted, but its
/// connection gets no further event before the deadline: a `next` for an invocation without an
/// answer would be refused, or return the same event again.
async fn drop_answer(injection: Injection<'_>, runtime: &mut Connection, request: &RequestHead) -> Result<Ended, Broken> {
    discard(runtime, request).await?;
    injection.done(true);
    injection.tell();
    let ended = confirm(runtime, request).await?;
    let deadline = lock(injection.record()).deadline;
    if let Some(deadline) = deadline {
        wait_while(deadline.saturating_duration_since(Instant::now()) + BEYOND_DEADLINE, &runtime.stream).await;
    }
    Ok(ended)
}

/// Sends the first `bytes` bytes. For a chunked answer, only the end shows whether there was more
/// to cut off.
pub(super) async fn cut(flow: &mut Flow<'_>, bytes: u64, injection: &Injection<'_>) -> Result<Sent, connection::Broken> {
    let (mut left, mut is_first) = (bytes, true);
    while flow.chunked || left > 0 {
        let Some(mut piece) = flow.next(LARGE).await? else { break };
        let here = usize::try_from(left).map_or(piece.len(), |left| left.min(piece.len()));
        left -= here as u64;
        if here < piece.len() {
            injection.done(true);
            piece.truncate(here);
        }
        if std::mem::take(&mut is_first) && left == 0 && piece.trim_ascii().is_empty() {
            // Only whitespace is an empty answer, which a caller may accept as a good one.
            piece.fill(0xFF);
        }
        if !piece.is_empty() {
            flow.pass_on(&piece).await?;
        }
    }
    if flow.chunked {
        let trailers = flow.trailers().await?;
        injection.tell();
        flow.end(&trailers).await?;
    }
    Ok(Sent::Whole)
}

/// Sends everything, with some bytes changed to 0xFF.
pub(super) async fn corrupt(flow: &mut Flow<'_>, corruption: Corruption, injection: &Injection<'_>) -> Result<Sent, connection::Broken> {
    let mut places = if let Some(length) = flow.body.length() {
        Places::new(corruption, length)
    } else {
        let mut first = Vec::new();
        while first.len() < WINDOW
            && let Some(piece) = flow.next(WINDOW - first.len()).await?
        {
            first.extend_from_slice(&piece);
        }
        Places::new(corruption, first.len() as u64).damage(&mut first);
        injection.done(!first.is_empty());
        if !first.is_empty() {
            flow.pass_on(&first).await?;
        }
        Places::NONE
    };
    while let Some(mut piece) = flow.next(LARGE).await? {
        places.damage(&mut piece);
        flow.pass_on(&piece).await?;
    }
    let trailers = flow.trailers().await?;
    injection.tell();
    flow.end(&trailers).await?;
    Ok(Sent::Whole)
}

/// Chooses the first byte and some others at random, every set equally likely, one byte after
/// another and without a list: D. E. Knuth, The Art of Computer Programming 2, 3.4.2, algorithm S.
struct Places {
    wanted: u64,
    left: u64,
    state: u64,
    is_first: bool,
}

impl Places {
    const NONE: Self = Self { wanted: 0, left: 0, state: 0, is_first: false };

    const fn new(corruption: Corruption, length: u64) -> Self {
        let wanted = if corruption.bytes < length { corruption.bytes } else { length };
        Self { wanted, left: length, state: corruption.seed, is_first: true }
    }

    /// Damages the next bytes.
    fn damage(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            if self.wanted == 0 {
                return;
            }
            let is_first = std::mem::take(&mut self.is_first);
            if is_first || (u128::from(self.random()) * u128::from(self.left)) >> 64 < u128::from(self.wanted) {
                *byte = 0xFF;
                self.wanted -= 1;
            }
            self.left = self.left.saturating_sub(1);
        }
    }

    /// Splitmix64: G. L. Steele, D. Lea, C. H. Flood, "Fast splittable pseudorandom number generators", 2014.
    const fn random(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exact_number_of_bytes_is_corrupted_however_the_pieces_are_cut() {
        for (bytes, length) in [(0_u64, 10_usize), (1, 1), (3, 10), (10, 10), (20, 10), (1000, 100_000)] {
            let struck = |piece: usize| {
                let (mut places, mut body) = (Places::new(Corruption { bytes, seed: 7 }, length as u64), vec![b'x'; length]);
                body.chunks_mut(piece).for_each(|piece| places.damage(piece));
                body
            };
            let count = struck(length).iter().filter(|byte| **byte == 0xFF).count();
            assert_eq!(count, length.min(bytes as usize), "{bytes} of {length}");
            assert_eq!(struck(3), struck(length), "{bytes} of {length}");
        }
    }

    #[test]
    fn the_first_byte_is_corrupted_and_all_others_are_equally_likely() {
        let mut counts = [0; 10];
        for seed in 0..10_000 {
            let mut body = [0; 10];
            Places::new(Corruption { bytes: 4, seed }, 10).damage(&mut body);
            body.iter().zip(&mut counts).for_each(|(byte, count)| *count += u32::from(*byte == 0xFF));
        }
        assert_eq!(counts[0], 10_000);
        // 99.99 % of a binomial(10000, 1/3) is within 184 of 3333.
        assert!(counts[1..].iter().all(|count| (3_140..3_530).contains(count)), "{counts:?}");
    }
}
