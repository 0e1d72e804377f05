//! One SMTP conversation (RFC 5321), without its socket: bytes in, replies out. `smtp-proto` parses
//! the commands. Whatever arrives, it answers or ends the conversation; it holds no more than one
//! line and one mail.

use std::slice::Iter;
use std::sync::Arc;

use smtp_proto::request::receiver::{DataReceiver, DummyDataReceiver, RequestReceiver};
use smtp_proto::{Error, MailFrom, RcptTo, Request};

use super::super::incoming::{Arriving, Envelope, HOST, Incoming, Refusal};
use super::super::store::LARGEST_MESSAGE;

/// The fewest recipients that a server must accept. Source: RFC 5321, 4.5.3.1.8.
const MOST_RECIPIENTS: usize = 100;
/// A client that makes more errors than this is not a mail server.
const MOST_MISTAKES: u32 = 20;

const OUT_OF_ORDER: &str = "503 5.5.1 Bad sequence of commands\r\n";
const TOO_LARGE: &str = "552 5.3.4 Message size exceeds fixed limit\r\n";
const NO_MEMORY: &str = "452 4.3.1 Insufficient system storage\r\n";
const FINE: &str = "250 Ok\r\n";

/// What is expected next.
enum State {
    /// A command.
    Command,
    /// The rest of a line that was too long.
    LongLine,
    /// The lines of a mail.
    Data(DataReceiver, Arriving),
    /// The lines of a refused mail, and the reply at its end.
    Refused(DummyDataReceiver, &'static str),
    /// Nothing: the conversation is over.
    Over,
}

/// A conversation.
pub struct Session {
    incoming: Arc<Incoming>,
    lines: RequestReceiver,
    state: State,
    envelope: Envelope,
    /// Whether there was a `MAIL` since the last mail.
    begun: bool,
    mistakes: u32,
}

impl Session {
    /// A conversation with the client at `peer`.
    pub fn new(incoming: Arc<Incoming>, peer: String) -> Self {
        let envelope = Envelope { peer, ..Envelope::default() };
        Self { incoming, lines: RequestReceiver::default(), state: State::Command, envelope, begun: false, mistakes: 0 }
    }

    /// The server's greeting.
    pub fn greeting() -> String {
        format!("220 {HOST} ESMTP ready\r\n")
    }

    /// Takes input and writes replies; false once the conversation is over.
    pub fn take(&mut self, input: &[u8], replies: &mut Vec<u8>) -> bool {
        let mut rest = input.iter();
        while rest.len() > 0 && !matches!(self.state, State::Over) {
            self.state = match std::mem::replace(&mut self.state, State::Command) {
                State::Command => self.line(&mut rest, replies),
                State::LongLine => {
                    let ended = rest.any(|byte| *byte == b'\n');
                    if ended { State::Command } else { State::LongLine }
                }
                State::Data(receiver, arriving) => self.data(receiver, arriving, &mut rest, replies),
                State::Refused(mut receiver, reply) => {
                    if receiver.ingest(&mut rest) {
                        replies.extend_from_slice(reply.as_bytes());
                        State::Command
                    } else {
                        State::Refused(receiver, reply)
                    }
                }
                State::Over => State::Over,
            };
        }
        !matches!(self.state, State::Over)
    }

    fn line(&mut self, rest: &mut Iter<'_, u8>, replies: &mut Vec<u8>) -> State {
        let mistake = match self.lines.ingest(rest).map(Request::into_owned) {
            Ok(request) => match self.command(request) {
                Ok((reply, next)) => {
                    replies.extend_from_slice(reply.as_bytes());
                    return next;
                }
                Err(mistake) => mistake,
            },
            Err(Error::NeedsMoreData { .. }) => {
                *rest = [].iter();
                return State::Command;
            }
            Err(Error::ResponseTooLong) => "500 5.5.6 Line too long\r\n",
            Err(Error::UnknownCommand) => "500 5.5.1 Command unrecognized\r\n",
            Err(Error::UnsupportedParameter { .. }) => "555 5.5.4 Parameters not recognized\r\n",
            Err(Error::InvalidSenderAddress) => "501 5.1.7 Bad sender address\r\n",
            Err(Error::InvalidRecipientAddress) => "501 5.1.3 Bad recipient address\r\n",
            Err(Error::SyntaxError { .. } | Error::InvalidParameter { .. } | Error::InvalidResponse { .. }) => {
                "501 5.5.4 Syntax error in parameters or arguments\r\n"
            }
        };
        replies.extend_from_slice(mistake.as_bytes());
        self.mistakes += 1;
        if self.mistakes > MOST_MISTAKES {
            replies.extend_from_slice(b"421 4.7.0 Too many errors, closing the connection\r\n");
            return State::Over;
        }
        if mistake.starts_with("500 5.5.6") { State::LongLine } else { State::Command }
    }

    /// Carries a command out; the error is the reply to a command that is out of sequence.
    fn command(&mut self, request: Request<String>) -> Result<(String, State), &'static str> {
        let reply = match request {
            Request::Ehlo { host } => {
                self.hello(host);
                format!("250-{HOST}\r\n250-SIZE {LARGEST_MESSAGE}\r\n250-8BITMIME\r\n250-PIPELINING\r\n250 ENHANCEDSTATUSCODES\r\n")
            }
            Request::Helo { host } => {
                self.hello(host);
                format!("250 {HOST}\r\n")
            }
            Request::Mail { from } => self.mail(from)?.to_owned(),
            Request::Rcpt { to } => self.recipient(to)?.to_owned(),
            Request::Data => return self.begin(),
            Request::Rset => {
                self.reset();
                FINE.to_owned()
            }
            Request::Noop { .. } => FINE.to_owned(),
            Request::Vrfy { .. } => "252 2.1.5 Cannot verify, but will take the message\r\n".to_owned(),
            Request::Help { .. } => "214 2.0.0 See RFC 5321\r\n".to_owned(),
            Request::Quit => return Ok((format!("221 2.0.0 {HOST} closing the connection\r\n"), State::Over)),
            Request::Lhlo { .. }
            | Request::Bdat { .. }
            | Request::Auth { .. }
            | Request::Expn { .. }
            | Request::Etrn { .. }
            | Request::Atrn { .. }
            | Request::Burl { .. }
            | Request::StartTls => return Err("502 5.5.1 Command not implemented\r\n"),
        };
        Ok((reply, State::Command))
    }

    fn hello(&mut self, host: String) {
        self.reset();
        self.envelope.hello = host;
    }

    fn reset(&mut self) {
        self.begun = false;
        self.envelope.from.clear();
        self.envelope.to.clear();
    }

    fn mail(&mut self, from: MailFrom<String>) -> Result<&'static str, &'static str> {
        if self.begun || self.envelope.hello.is_empty() {
            return Err(OUT_OF_ORDER);
        }
        if from.size > LARGEST_MESSAGE {
            return Err(TOO_LARGE);
        }
        self.begun = true;
        self.envelope.from = from.address;
        Ok(FINE)
    }

    fn recipient(&mut self, to: RcptTo<String>) -> Result<&'static str, &'static str> {
        if !self.begun {
            return Err(OUT_OF_ORDER);
        }
        if !to.address.contains('@') {
            return Err("550 5.1.1 Mailbox unavailable\r\n");
        }
        if self.envelope.to.len() >= MOST_RECIPIENTS {
            return Err("452 4.5.3 Too many recipients\r\n");
        }
        self.envelope.to.push(to.address);
        Ok(FINE)
    }

    fn begin(&mut self) -> Result<(String, State), &'static str> {
        if !self.begun || self.envelope.to.is_empty() {
            return Err(OUT_OF_ORDER);
        }
        let arriving = self.incoming.begin(&self.envelope);
        self.reset();
        let mut receiver = DataReceiver::new();
        // It looks for a dot after a line's end, and the end of this command's line is one: a mail
        // may be empty.
        receiver.ingest(&mut b"\r\n".iter(), &mut Vec::new());
        Ok(("354 End data with <CR><LF>.<CR><LF>\r\n".to_owned(), State::Data(receiver, arriving)))
    }

    fn data(&self, mut receiver: DataReceiver, mut arriving: Arriving, rest: &mut Iter<'_, u8>, replies: &mut Vec<u8>) -> State {
        let ended = receiver.ingest(rest, &mut arriving.raw);
        let refusal = match self.incoming.admit(&mut arriving) {
            Ok(()) if ended => {
                let id = self.incoming.take(arriving);
                replies.extend_from_slice(format!("250 OK {id}\r\n").as_bytes());
                return State::Command;
            }
            Ok(()) => return State::Data(receiver, arriving),
            Err(Refusal::TooLarge) => TOO_LARGE,
            Err(Refusal::NoMemory) => NO_MEMORY,
        };
        if ended {
            replies.extend_from_slice(refusal.as_bytes());
            return State::Command;
        }
        State::Refused(DummyDataReceiver::new_data(&receiver), refusal)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use bytes::Bytes;
    use proptest::prelude::*;

    use super::super::super::store::Store;
    use super::*;
    use run_folder::sightings::Sightings;

    #[derive(Default)]
    struct Objects(Mutex<Vec<Bytes>>);

    impl Store for Objects {
        fn store(&self, _: &str, raw: Bytes) {
            self.0.lock().unwrap().push(raw);
        }
    }

    /// The replies to input in pieces of `piece` bytes, whether the conversation continues, and
    /// what was stored since the start.
    fn say(input: &[u8], piece: usize) -> (String, bool, Vec<Bytes>) {
        let objects = Arc::new(Objects::default());
        let incoming = Incoming::start(Arc::clone(&objects) as Arc<dyn Store>, Sightings::nowhere());
        let mut session = Session::new(incoming, "127.0.0.1".into());
        let mut replies = Vec::new();
        let open = input.chunks(piece).all(|piece| session.take(piece, &mut replies));
        let stored = objects.0.lock().unwrap().split_off(1);
        (String::from_utf8(replies).unwrap(), open, stored)
    }

    /// The codes of the replies, from the last line of each.
    fn codes(replies: &str) -> Vec<&str> {
        replies.lines().filter(|line| line.as_bytes()[3] == b' ').map(|line| &line[..3]).collect()
    }

    const BEGIN: &str = "EHLO me\r\nMAIL FROM:<a@x.org>\r\nRCPT TO:<b@y.org>\r\nDATA\r\n";

    #[test]
    fn each_command_has_its_answer_in_its_place() {
        for (said, answered) in [
            ("EHLO me\r\nNOOP\r\nRSET\r\nVRFY a\r\nHELP\r\nQUIT\r\nNOOP\r\n", "250 250 250 252 214 221"),
            ("HELO me\r\nMAIL FROM:<>\r\nRCPT TO:<b@y.org>\r\n", "250 250 250"),
            ("MAIL FROM:<a@x.org>\r\n", "503"),
            ("EHLO me\r\nRCPT TO:<b@y.org>\r\nDATA\r\n", "250 503 503"),
            ("EHLO me\r\nMAIL FROM:<a@x.org>\r\nMAIL FROM:<a@x.org>\r\nDATA\r\n", "250 250 503 503"),
            ("EHLO me\r\nMAIL FROM:<a@x.org>\r\nRSET\r\nRCPT TO:<b@y.org>\r\n", "250 250 250 503"),
            ("EHLO me\r\nMAIL FROM:<a@x.org> SIZE=41943040 BODY=8BITMIME\r\nRCPT TO:<nobody>\r\nRCPT TO:<>\r\n", "250 250 501 550"),
            ("EHLO me\r\nMAIL FROM:<a@x.org> SIZE=41943041\r\n", "250 552"),
            ("EHLO me\r\nMAIL FROM:<a@x.org> NOSUCH=1\r\n", "250 555"),
            ("EHLO\r\nMAIL a@x.org\r\nMAIL FROM:a@x.org\r\nWHAT\r\n\r\n", "501 501 501 500 500"),
            ("STARTTLS\r\nBDAT 1 LAST\r\nLHLO me\r\n", "502 502 502"),
        ] {
            for piece in [1, 7, 10_000] {
                assert_eq!(codes(&say(said.as_bytes(), piece).0).join(" "), answered, "{said:?} by {piece}");
            }
        }
    }

    #[test]
    fn a_mail_is_accepted_without_its_doubled_dots() {
        for (body, stored) in [
            ("Subject: x\r\n\r\n..\r\n...a\r\nb.\r\n.\r\n", "Subject: x\r\n\r\n.\r\n..a\r\nb.\r\n"),
            (".\r\n", ""),
            ("..\r\n.\r\n", ".\r\n"),
            ("a\n.\nb\r\n.\r\n", "a\n.\nb\r\n"),
            ("a\r\n.\nb\r\n.\r\n", "a\r\n\nb\r\n"),
            ("\r\n.\r\n", "\r\n"),
        ] {
            for piece in [1, 2, 3, 1000] {
                let (replies, _, objects) = say(format!("{BEGIN}{body}NOOP\r\n").as_bytes(), piece);
                assert_eq!(codes(&replies).join(" "), "250 250 250 354 250 250", "{body:?} by {piece}");
                let raw = String::from_utf8(objects[0].to_vec()).unwrap();
                let (_, mail) = raw.split_once("X-SES-Virus-Verdict: DISABLED\r\n").unwrap();
                assert_eq!(mail, stored, "{body:?} by {piece}");
            }
        }
    }

    #[test]
    fn a_second_mail_needs_a_second_envelope() {
        let (replies, _, objects) =
            say(format!("{BEGIN}a\r\n.\r\nDATA\r\nMAIL FROM:<a@x.org>\r\nRCPT TO:<b@y.org>\r\nDATA\r\nb\r\n.\r\n").as_bytes(), 50);
        assert_eq!((codes(&replies).join(" ").as_str(), objects.len()), ("250 250 250 354 250 503 250 250 354 250", 2));
    }

    #[test]
    fn a_mail_that_is_too_large_is_refused_at_its_end_and_the_conversation_continues() {
        let mut said = BEGIN.as_bytes().to_vec();
        said.resize(said.len() + LARGEST_MESSAGE - 1, b'x');
        let fits = [said.clone(), b"\r\n.\r\nNOOP\r\n".to_vec()].concat();
        let (replies, open, objects) = say(&fits, 32_768);
        // The line's end counts too.
        assert_eq!((codes(&replies).join(" ").as_str(), open, objects.len()), ("250 250 250 354 552 250", true, 0));
        said.pop();
        said.extend_from_slice(b"\r\n.\r\nNOOP\r\n");
        let (replies, open, objects) = say(&said, 32_768);
        assert_eq!((codes(&replies).join(" ").as_str(), open, objects.len()), ("250 250 250 354 250 250", true, 1));
    }

    #[test]
    fn a_line_without_end_is_one_error_and_too_many_errors_end_the_conversation() {
        for piece in [1, 100, 20_000] {
            let long = [vec![b'x'; 10_000], b"\r\nEHLO me\r\n".to_vec()].concat();
            assert_eq!(codes(&say(&long, piece).0).join(" "), "500 250", "{piece}");
        }
        let (replies, open, _) = say(&b"WHAT\r\n".repeat(30), 64);
        assert_eq!((codes(&replies).len(), open, replies.contains("421")), (22, false, true));
        let many = format!("EHLO me\r\nMAIL FROM:<a@x.org>\r\n{}", "RCPT TO:<b@y.org>\r\n".repeat(101));
        assert_eq!(codes(&say(many.as_bytes(), 500).0).last(), Some(&"452"));
    }

    /// Fragments of conversations, so that random input gets further than the first line.
    fn words() -> impl Strategy<Value = Vec<u8>> {
        let known = prop::sample::select(vec![
            "EHLO me\r\n",
            "MAIL FROM:<a@x.org>\r\n",
            "RCPT TO:<b@y.org>\r\n",
            "DATA\r\n",
            "\r\n.\r\n",
            ".",
            "\r",
            "\n",
            "RSET\r\n",
            "BDAT 5\r\n",
            "MAIL FROM:<",
            "SIZE=",
            "RCPT TO:",
            "AUTH PLAIN ",
            "\0",
            "<>",
            "QUIT\r\n",
            "99999999999999999999",
            "NOTIFY=SUCCESS,",
        ]);
        let any = prop::collection::vec(any::<u8>(), 0..40);
        prop::collection::vec(prop_oneof![known.prop_map(|text| text.as_bytes().to_vec()), any], 0..60).prop_map(|parts| parts.concat())
    }

    proptest! {
        #[test]
        fn any_input_is_answered_or_ends_the_conversation(said in words(), piece in 1_usize..70) {
            let (replies, ..) = say(&said, piece);
            prop_assert!(replies.is_empty() || replies.ends_with("\r\n"));
            prop_assert!(replies.lines().all(|line| line.len() > 4 && line.as_bytes()[..3].iter().all(u8::is_ascii_digit)));
        }
    }
}
