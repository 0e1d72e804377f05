//! A record's body while it is sent. It is made piece by piece, so that only one piece of each body
//! is in memory, however many are in flight.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use load::chance::Chance;
use md5::{Digest, Md5};

use crate::exchange::RecordForm;
use crate::systems::audit::traffic::draft::{Draft, TAIL};

/// Bytes that are made at once. A multiple of 8, because chance comes in eights, and of 3, because
/// base64 takes threes.
const PIECE: u64 = 48 * 1024;

/// After this many pieces, about a millisecond's work, the task yields: a request that is due must
/// not wait for a record.
const AT_A_STRETCH: u32 = 4;

/// Letters of plain text, with blanks and punctuation; none of them ends a JSON text.
const LETTERS: &[u8; 32] = b"etaoin shrdlu, cmfwyp. vbgkjqxz!";

/// The body, and what has been sent of it.
pub(crate) struct Content {
    head: Bytes,
    chance: Chance,
    form: RecordForm,
    /// Bytes of the content that are still to be made.
    to_make: u64,
    /// Bytes of the body that are still to be handed out.
    left: u64,
    /// Pieces made since the task last yielded.
    stretch: u32,
    hash: Option<Md5>,
    etag: Arc<OnceLock<String>>,
}

impl Content {
    /// The body of `draft`, and where the MD5 of its content will be once all of it has been made.
    pub(crate) fn new(draft: &Draft) -> (Self, Arc<OnceLock<String>>) {
        let etag = Arc::new(OnceLock::new());
        let content = Self {
            head: Bytes::from(draft.head.clone()),
            chance: Chance::new(&draft.content_key),
            form: draft.form,
            to_make: draft.size,
            left: draft.head.len() as u64 + draft.written() + TAIL.len() as u64,
            stretch: 0,
            hash: Some(Md5::new()),
            etag: Arc::clone(&etag),
        };
        (content, etag)
    }

    /// The next piece; `None` once all is made.
    fn piece(&mut self) -> Option<Bytes> {
        if !self.head.is_empty() {
            return Some(std::mem::take(&mut self.head));
        }
        if self.to_make > 0 {
            let length = self.to_make.min(PIECE);
            self.to_make -= length;
            return Some(self.made(usize::try_from(length).unwrap_or_default()));
        }
        let hash = self.hash.take()?;
        let digits = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        let _ = self.etag.set(digits);
        Some(Bytes::from_static(TAIL.as_bytes()))
    }

    fn made(&mut self, length: usize) -> Bytes {
        let mut bytes = self.chance.bytes(length);
        let is_text = self.form == RecordForm::NotBase64;
        if is_text {
            for byte in &mut bytes {
                *byte = LETTERS.get(usize::from(*byte % 32)).copied().unwrap_or(b' ');
            }
        }
        if let Some(hash) = &mut self.hash {
            hash.update(&bytes);
        }
        if is_text { Bytes::from(bytes) } else { Bytes::from(STANDARD.encode(&bytes)) }
    }
}

impl Body for Content {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.stretch == AT_A_STRETCH {
            self.stretch = 0;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.stretch += 1;
        let piece = self.piece();
        self.left -= piece.as_ref().map_or(0, |piece| piece.len() as u64).min(self.left);
        Poll::Ready(piece.map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;
    use crate::systems::audit::AuditLoad;
    use crate::systems::audit::traffic::draft::LIMIT;
    use crate::units::{Rate, Size};
    use faults::Share;

    fn load(largest: u64, not_base64: f64) -> AuditLoad {
        let [none, not_base64] = [0.0, not_base64].map(|share| Share::try_from(share).unwrap());
        AuditLoad { rate: Rate(20.0), largest: Size(largest), repeats: none, bad_dates: none, not_base64, bad_keys: none }
    }

    fn drafts(not_base64: f64) -> impl Iterator<Item = Draft> {
        let load = load(200_000, not_base64);
        (0..6).map(move |number| Draft::new(7, &load, number))
    }

    async fn whole(draft: &Draft) -> (serde_json::Value, String) {
        let (content, etag) = Content::new(draft);
        let said = content.size_hint().exact().unwrap();
        let bytes = content.collect().await.unwrap().to_bytes();
        assert_eq!(bytes.len() as u64, said, "the length is known beforehand");
        (serde_json::from_slice(&bytes).unwrap(), etag.get().unwrap().clone())
    }

    fn md5(bytes: &[u8]) -> String {
        Md5::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[tokio::test]
    async fn a_body_is_json_whose_content_decodes_to_what_its_hash_says() {
        for draft in drafts(0.0) {
            let (record, etag) = whole(&draft).await;
            let content = STANDARD.decode(record["content"].as_str().unwrap()).unwrap();
            assert_eq!((content.len() as u64, md5(&content)), (draft.size, etag));
            assert_eq!(record["sourceTransactionID"], draft.id);
            assert!(whole(&draft).await.0 == record, "the same draft is the same body");
        }
        assert_eq!(md5(b"hello"), "5d41402abc4b2a76b9719d911017c592");
    }

    #[tokio::test]
    async fn plain_text_is_not_base64_and_its_hash_is_of_the_text() {
        for draft in drafts(1.0) {
            let (record, etag) = whole(&draft).await;
            let content = record["content"].as_str().unwrap();
            assert!(STANDARD.decode(content).is_err() && content.contains(' '));
            assert_eq!((content.len() as u64, md5(content.as_bytes())), (draft.size, etag));
        }
    }

    #[test]
    fn a_piece_is_small_however_large_the_body_is() {
        let load = load(LIMIT, 0.0);
        let draft = (0..).map(|number| Draft::new(7, &load, number)).find(|draft| draft.size > 4_000_000).unwrap();
        let (mut content, etag) = Content::new(&draft);
        let mut sum = 0;
        while let Some(piece) = content.piece() {
            assert!(piece.len() <= 64 * 1024);
            sum += piece.len() as u64;
        }
        assert!(etag.get().is_some() && (LIMIT - 3..=LIMIT).contains(&sum), "{sum}");
    }
}
