//! An event on its way from the platform to the runtime. It is passed on while it arrives unless a
//! fault needs all of it; only a fault that edits events may change it.

use std::borrow::Cow;
use std::sync::{Arc, Mutex};

use bytes::{Bytes, BytesMut};
use faults::{Facts, Places};
use tokio::io::AsyncWriteExt;

use crate::connection::{Connection, MOST_KEPT};
use crate::exchange::{self, Broken, Ended};
use crate::lock::lock;
use crate::message::{self, AnswerHead};
use crate::upstream::Upstream;

/// How much of an event is searched first: path, headers and everything else from a gateway come
/// before the body.
const FRONT: usize = 32 << 10;

/// An answer to `next` that is not passed on yet.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) head: AnswerHead,
    content: Content,
    /// Whether everything is decided about it, and everything before the handler is done.
    pub(crate) decided: bool,
    /// Where it goes if a panic drops it before any of it was sent.
    pub(crate) rescue: Option<Rescue>,
}

impl Drop for Event {
    fn drop(&mut self) {
        if std::thread::panicking()
            && let Some(rescue) = self.rescue.take()
        {
            let content = std::mem::take(&mut self.content);
            rescue.keep(Self { head: self.head, content, decided: true, rescue: None });
        }
    }
}

/// Keeps events that a panic drops before any of them was sent.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rescue(Arc<Mutex<Vec<Event>>>);

impl Rescue {
    /// Keeps a dropped event.
    fn keep(&self, event: Event) {
        lock(&self.0).push(event);
    }

    /// Takes a kept event.
    pub(crate) fn take(&self) -> Option<Event> {
        lock(&self.0).pop()
    }
}

#[derive(Debug)]
enum Content {
    /// Its head is at the front of the connection's buffer, and the rest may still be coming.
    Coming(Connection),
    /// All of it as it came, including head and framing; the connection is free for others.
    Whole(Bytes),
}

impl Default for Content {
    fn default() -> Self {
        Self::Whole(Bytes::new())
    }
}

impl Event {
    /// The answer whose head was read from `platform`.
    pub(crate) const fn new(platform: Connection, head: AnswerHead) -> Self {
        Self { head, content: Content::Coming(platform), decided: false, rescue: None }
    }

    /// The same event once more; `None` if it has not been gathered.
    pub(crate) fn again(&self) -> Option<Self> {
        let Content::Whole(bytes) = &self.content else { return None };
        Some(Self { head: self.head, content: Content::Whole(bytes.clone()), decided: true, rescue: None })
    }

    fn bytes(&self) -> &[u8] {
        match &self.content {
            Content::Coming(platform) => &platform.buffer,
            Content::Whole(bytes) => bytes,
        }
    }

    /// Its head with the status line.
    pub(crate) fn head_bytes(&self) -> &[u8] {
        self.bytes().get(..self.head.length).unwrap_or_default()
    }

    /// Without the framing, as far as it has been read.
    pub(crate) fn payload(&self) -> Cow<'_, [u8]> {
        self.head.body.payload(self.bytes().get(self.head.length..).unwrap_or_default())
    }

    /// Calls `decide` with the facts of these places, and reads no more of the event than needed.
    /// An event that is larger than anything the platform sends has no facts.
    ///
    /// # Errors
    /// If the platform closes the connection too early.
    pub(crate) async fn known<T>(
        &mut self,
        upstream: &Upstream,
        places: &Places,
        decide: impl FnOnce(Facts<'_>) -> T,
    ) -> Result<T, Broken> {
        if places.is_empty() {
            return Ok(decide(Facts::default()));
        }
        for least in [1, FRONT] {
            let Content::Coming(platform) = &mut self.content else { break };
            let is_whole = platform.read_at_least(self.head.length, self.head.body, least).await.map_err(|_| Broken::Platform)?;
            if let Some(facts) = places.read(&self.payload(), is_whole) {
                return Ok(decide(facts));
            }
        }
        let is_whole = self.gather(upstream).await?;
        let payload = self.payload();
        Ok(decide(places.read(&payload, true).filter(|_| is_whole).unwrap_or_default()))
    }

    /// Reads all of it and keeps it. False if it is larger than anything the platform sends: then
    /// it is passed on while it arrives.
    ///
    /// # Errors
    /// If the platform closes the connection too early.
    pub(crate) async fn gather(&mut self, upstream: &Upstream) -> Result<bool, Broken> {
        let Content::Coming(platform) = &mut self.content else { return Ok(true) };
        let read = platform.read_whole(self.head.length, self.head.body, MOST_KEPT).await.map_err(|_| Broken::Platform)?;
        let Some(end) = read else { return Ok(false) };
        let whole = Content::Whole(platform.buffer.split_to(end).freeze());
        if let Content::Coming(platform) = std::mem::replace(&mut self.content, whole)
            && self.head.keep_alive
        {
            upstream.give_back(platform);
        }
        Ok(true)
    }

    /// Replaces the event's payload. The head is unchanged except for the length; a chunked event
    /// stays chunked, as one chunk.
    pub(crate) fn replace(&mut self, payload: &[u8]) -> Option<()> {
        let chunked = self.head.body.is_chunked();
        let mut bytes = BytesMut::from(message::with_length(self.head_bytes(), (!chunked).then_some(payload.len() as u64)).as_slice());
        let length = bytes.len();
        if chunked {
            bytes.extend_from_slice(format!("{:x}\r\n", payload.len()).as_bytes());
        }
        bytes.extend_from_slice(payload);
        if chunked {
            bytes.extend_from_slice(b"\r\n0\r\n\r\n");
        }
        self.head = AnswerHead::read(&bytes, length, false).ok()?;
        self.content = Content::Whole(bytes.freeze());
        Some(())
    }

    /// Hands it to the runtime. After [`Broken::RuntimeBeforeAnswer`] all of it is still there.
    ///
    /// # Errors
    /// See [`Broken`].
    pub(crate) async fn hand_over(&mut self, runtime: &mut Connection) -> Result<Ended, Broken> {
        self.rescue = None;
        match &mut self.content {
            Content::Coming(platform) => exchange::hand_over(runtime, platform, self.head).await,
            Content::Whole(bytes) => {
                runtime.stream.write_all(bytes).await.map_err(|_| Broken::RuntimeBeforeAnswer)?;
                let keep = !self.head.body.ends_with_connection() && self.head.keep_alive;
                Ok(Ended { keep_runtime: keep, keep_platform: keep })
            }
        }
    }

    /// After it was handed over: returns its connection, if it still has one, for others to use.
    pub(crate) fn release(mut self, upstream: &Upstream, ended: Ended) {
        if let Content::Coming(platform) = std::mem::take(&mut self.content)
            && ended.keep_platform
        {
            upstream.give_back(platform);
        }
    }

    /// Reads it to its end and discards it. If the platform has dropped the connection, nothing is
    /// left to read.
    pub(crate) async fn discard(mut self, upstream: &Upstream) {
        self.rescue = None;
        if let Content::Coming(mut platform) = std::mem::take(&mut self.content) {
            let whole = platform.discard(self.head.length, self.head.body).await.is_ok();
            if whole && self.head.keep_alive {
                upstream.give_back(platform);
            }
        }
    }
}
