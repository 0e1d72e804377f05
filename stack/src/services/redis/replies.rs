//! Replies, in either version of the protocol. A large value is sent without copying it.

use bytes::{BufMut, Bytes, BytesMut};
use tokio::io::{AsyncWrite, AsyncWriteExt};

/// A value of at least this size is sent as a separate piece.
const LARGE: usize = 16 * 1024;

/// The version of the protocol that a connection speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Protocol {
    /// What every connection starts with.
    #[default]
    Two,
    /// Selected by `HELLO 3`.
    Three,
}

/// A reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// Such as `OK`.
    Simple(&'static str),
    /// Begins with a word in capitals.
    Error(String),
    /// A number.
    Integer(i64),
    /// A value.
    Bulk(Bytes),
    /// No value.
    Null,
    /// Several.
    Array(Vec<Reply>),
    /// Names and values.
    Map(Vec<(&'static str, Reply)>),
}

impl Reply {
    /// `OK`.
    pub const OK: Self = Self::Simple("OK");

    /// A text as a value.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Bulk(Bytes::from(text.into()))
    }
}

/// The output that waits to be sent.
#[derive(Debug, Default)]
pub struct Outgoing {
    pieces: Vec<Bytes>,
    /// The text after the pieces.
    text: BytesMut,
}

impl Outgoing {
    /// Adds a reply.
    pub fn add(&mut self, reply: &Reply, protocol: Protocol) {
        match reply {
            Reply::Simple(text) => self.line(&format!("+{text}")),
            // A line break would end the error too early.
            Reply::Error(text) => self.line(&format!("-{}", text.replace(['\r', '\n'], " "))),
            Reply::Integer(number) => self.line(&format!(":{number}")),
            Reply::Bulk(bytes) => {
                self.line(&format!("${}", bytes.len()));
                self.value(bytes);
                self.line("");
            }
            Reply::Null => self.line(if protocol == Protocol::Two { "$-1" } else { "_" }),
            Reply::Array(all) => {
                self.line(&format!("*{}", all.len()));
                all.iter().for_each(|one| self.add(one, protocol));
            }
            Reply::Map(all) => {
                self.line(&if protocol == Protocol::Two { format!("*{}", 2 * all.len()) } else { format!("%{}", all.len()) });
                for (name, value) in all {
                    self.add(&Reply::text(*name), protocol);
                    self.add(value, protocol);
                }
            }
        }
    }

    fn line(&mut self, text: &str) {
        self.text.put_slice(text.as_bytes());
        self.text.put_slice(b"\r\n");
    }

    fn value(&mut self, bytes: &Bytes) {
        if bytes.len() < LARGE {
            self.text.put_slice(bytes);
        } else {
            self.pieces.push(self.text.split().freeze());
            self.pieces.push(bytes.clone());
        }
    }

    /// Whether enough has been collected that it should be sent.
    pub fn is_much(&self) -> bool {
        !self.pieces.is_empty() || self.text.len() > LARGE
    }

    /// Sends everything.
    ///
    /// # Errors
    /// If the peer is gone.
    pub async fn send(&mut self, to: &mut (impl AsyncWrite + Unpin)) -> std::io::Result<()> {
        self.pieces.push(self.text.split().freeze());
        for piece in self.pieces.drain(..) {
            to.write_all(&piece).await?;
        }
        to.flush().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn replies_are_written_in_the_version_of_the_connection() {
        let map = Reply::Map(vec![("proto", Reply::Integer(3))]);
        for (reply, two, three) in [
            (Reply::OK, "+OK\r\n", "+OK\r\n"),
            (Reply::Error("ERR a\r\nb".into()), "-ERR a  b\r\n", "-ERR a  b\r\n"),
            (Reply::Integer(-2), ":-2\r\n", ":-2\r\n"),
            (Reply::text("ab"), "$2\r\nab\r\n", "$2\r\nab\r\n"),
            (Reply::Null, "$-1\r\n", "_\r\n"),
            (Reply::Array(vec![Reply::Null, Reply::OK]), "*2\r\n$-1\r\n+OK\r\n", "*2\r\n_\r\n+OK\r\n"),
            (map, "*2\r\n$5\r\nproto\r\n:3\r\n", "%1\r\n$5\r\nproto\r\n:3\r\n"),
        ] {
            for (protocol, expected) in [(Protocol::Two, two), (Protocol::Three, three)] {
                let (mut outgoing, mut sent) = (Outgoing::default(), Vec::new());
                outgoing.add(&reply, protocol);
                outgoing.send(&mut sent).await.unwrap();
                assert_eq!(sent.escape_ascii().to_string(), expected.as_bytes().escape_ascii().to_string(), "{reply:?}");
            }
        }
    }

    #[tokio::test]
    async fn a_large_value_is_a_separate_piece_and_keeps_its_position() {
        let (mut outgoing, mut sent) = (Outgoing::default(), Vec::new());
        let large = Bytes::from(vec![b'x'; LARGE]);
        outgoing.add(&Reply::OK, Protocol::Two);
        assert!(!outgoing.is_much());
        outgoing.add(&Reply::Bulk(large.clone()), Protocol::Two);
        outgoing.add(&Reply::OK, Protocol::Two);
        assert!(outgoing.is_much() && outgoing.pieces.iter().any(|piece| piece.as_ptr() == large.as_ptr()));
        outgoing.send(&mut sent).await.unwrap();
        let expected = [format!("+OK\r\n${LARGE}\r\n").as_bytes(), &large, b"\r\n+OK\r\n"].concat();
        assert!(sent == expected && !outgoing.is_much());
    }
}
