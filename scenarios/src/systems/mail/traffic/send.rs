//! Hands one mail in over SMTP, without TLS, and returns the id under which it was accepted. It
//! never sends a mail twice.

use std::time::Duration;

use lettre::address::AddressError;
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};
use tokio::net::TcpStream;

/// How many bytes are prepared at once: lettre looks at each byte, and the thread does nothing else
/// meanwhile.
const PIECE: usize = 16 * 1024;

/// How long a server may take to say goodbye.
const GOODBYE: Duration = Duration::from_secs(1);

/// Why a mail was not accepted, as far as the sender can know.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotTaken {
    /// An address of the envelope is invalid.
    #[error("invalid address: {0}")]
    Address(#[from] AddressError),
    /// The server cannot be reached.
    #[error("the server cannot be reached: {0}")]
    Unreachable(#[from] std::io::Error),
    /// The server refused, or the connection failed.
    #[error("the server did not take it: {0}")]
    Smtp(#[from] lettre::transport::smtp::Error),
    /// The server's answer has no id.
    #[error("the server's answer `{0}` is not `OK <id>`")]
    NoId(String),
}

impl NotTaken {
    /// The SMTP status, if the server gave one.
    pub(crate) fn status(&self) -> Option<u16> {
        match self {
            Self::Smtp(error) => error.status().map(u16::from),
            Self::Address(_) | Self::Unreachable(_) | Self::NoId(_) => None,
        }
    }
}

/// Sends `mail` to the server at `address` and returns the id in its answer `250 OK <id>`.
pub(crate) async fn send(address: &str, from: &str, to: &str, mail: &[u8]) -> Result<String, NotTaken> {
    let hello = ClientId::Domain("sensors.example".to_owned());
    let stream = TcpStream::connect(address).await?;
    // The closing dot is a packet of its own, which would wait 40 ms for the acknowledgement of the
    // packet before.
    stream.set_nodelay(true)?;
    let mut connection = AsyncSmtpConnection::connect_with_transport(Box::new(stream), &hello).await?;
    let eight_bit = !mail.is_ascii() && connection.server_info().supports_feature(Extension::EightBitMime);
    let parameters = eight_bit.then_some(MailParameter::Body(MailBodyParameter::EightBitMime));
    connection.command(Mail::new(Some(from.parse()?), parameters.into_iter().collect())).await?;
    connection.command(Rcpt::new(to.parse()?, Vec::new())).await?;
    connection.command(Data).await?;
    // The line break before the closing dot is the mail's own last one.
    let answer = connection.message_iter(mail.strip_suffix(b"\r\n").unwrap_or(mail).chunks(PIECE)).await?;
    tokio::spawn(async move { tokio::time::timeout(GOODBYE, connection.quit()).await });
    let said = answer.first_line().unwrap_or_default();
    id(said).ok_or_else(|| NotTaken::NoId(said.to_owned()))
}

/// The id in `OK <id>`.
fn id(said: &str) -> Option<String> {
    let mut words = said.split_whitespace();
    let ok = words.next()?.eq_ignore_ascii_case("ok");
    words.next().filter(|_| ok).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
    use tokio::net::TcpListener;

    use super::*;

    /// A server that takes one mail, answers `answer`, and returns everything that it received.
    async fn server(answer: &'static str) -> (String, tokio::task::JoinHandle<(Vec<String>, Vec<u8>)>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let task = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let mut stream = BufReader::new(stream);
            let (mut commands, mut mail) = (Vec::new(), Vec::new());
            stream.write_all(b"220 here\r\n").await.unwrap();
            loop {
                let mut line = String::new();
                if stream.read_line(&mut line).await.unwrap() == 0 {
                    return (commands, mail);
                }
                let said: &str = match line.split_whitespace().next().unwrap() {
                    "EHLO" => "250-here\r\n250 8BITMIME\r\n",
                    "DATA" => "354 go on\r\n",
                    "QUIT" => "221 bye\r\n",
                    _ => "250 fine\r\n",
                };
                let is_data = line.starts_with("DATA");
                commands.push(line.trim_end().to_owned());
                stream.write_all(said.as_bytes()).await.unwrap();
                if is_data {
                    while !mail.ends_with(b"\r\n.\r\n") {
                        mail.push(stream.read_u8().await.unwrap());
                    }
                    stream.write_all(answer.as_bytes()).await.unwrap();
                }
            }
        });
        (address, task)
    }

    #[tokio::test]
    async fn a_mail_arrives_byte_for_byte_and_its_id_is_read() {
        let (address, task) = server("250 OK 0000014a-f4d4\r\n").await;
        let mail = [&b"Subject: x\r\n\r\n.one dot\r\n..two\r\nGr\xf6\xdfe\r\n"[..], &[b'a'; 3 * PIECE], b"\r\n"].concat();
        let id = send(&address, "a@sensors.example", "b@brownout.example", &mail).await.unwrap();
        assert_eq!(id, "0000014a-f4d4");
        let (commands, received) = task.await.unwrap();
        assert_eq!(commands.first().unwrap(), "EHLO sensors.example");
        assert_eq!(commands[1..], ["MAIL FROM:<a@sensors.example> BODY=8BITMIME", "RCPT TO:<b@brownout.example>", "DATA", "QUIT"]);
        let stuffed = [&b"Subject: x\r\n\r\n..one dot\r\n...two\r\nGr\xf6\xdfe\r\n"[..], &[b'a'; 3 * PIECE], b"\r\n.\r\n"].concat();
        assert!(received == stuffed, "{} of {} bytes", received.len(), stuffed.len());
    }

    #[tokio::test]
    async fn a_mail_that_is_not_accepted_says_why() {
        for (answer, status, message) in [
            ("552 too large\r\n", Some(552), "permanent error (552)"),
            ("451 later\r\n", Some(451), "transient error (451)"),
            ("250 thanks\r\n", None, "the server's answer `thanks` is not `OK <id>`"),
        ] {
            let (address, _task) = server(answer).await;
            let error = send(&address, "a@sensors.example", "b@brownout.example", b"Subject: x\r\n\r\nx\r\n").await.unwrap_err();
            assert_eq!(error.status(), status, "{answer}");
            assert!(error.to_string().contains(message), "{error}");
        }
        assert!(matches!(send("127.0.0.1:9", "none", "b@brownout.example", b"").await, Err(NotTaken::Unreachable(_))));
    }

    #[test]
    fn an_id_is_the_second_word_after_ok() {
        for (said, found) in [("OK abc", Some("abc")), ("Ok  abc more", Some("abc")), ("OK", None), ("queued as abc", None), ("", None)] {
            assert_eq!(id(said).as_deref(), found, "{said}");
        }
    }
}
