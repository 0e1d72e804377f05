//! Accepted mail: the headers that SES puts above it, its id, and where it is stored. The mail
//! itself is kept byte for byte.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::store::{LARGEST_MESSAGE, Store};
use run_folder::sightings::{Seen, Sightings};

/// The host name with which SES receives mail.
pub const HOST: &str = "inbound-smtp.us-east-1.amazonaws.com";

/// The object that SES puts into a bucket when a receipt rule is made; it is not a mail.
const SETUP_NOTIFICATION: &str = "AMAZON_SES_SETUP_NOTIFICATION";

/// The most blocks of memory for all mails that are being received: 512 MiB.
const BUDGET: usize = 8192;
const BLOCK: usize = 64 * 1024;

/// Message ids have this length and these characters, as SES's do.
const ID_LENGTH: usize = 40;
const LETTERS: &[u8; 32] = b"0123456789abcdefghijklmnopqrstuv";

/// Accepts mail.
pub struct Incoming {
    store: Arc<dyn Store>,
    sightings: Sightings,
    memory: Arc<Semaphore>,
}

/// A mail's sender, recipients and client.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Envelope {
    /// The client's name in HELO or EHLO.
    pub hello: String,
    /// The client's address.
    pub peer: String,
    /// The reverse path, which may be empty.
    pub from: String,
    /// The recipients.
    pub to: Vec<String>,
}

/// A mail that is being received.
pub struct Arriving {
    /// What is stored: SES's own headers, then the mail.
    pub raw: Vec<u8>,
    id: String,
    above: usize,
    holds: Vec<OwnedSemaphorePermit>,
}

/// Why a mail is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// It is larger than SES accepts.
    TooLarge,
    /// Too much is being received; a retry may succeed.
    NoMemory,
}

impl Incoming {
    /// Accepts mail into `store`, into which SES first puts its notice that the rule was set up.
    pub fn start(store: Arc<dyn Store>, sightings: Sightings) -> Arc<Self> {
        let host = format!("Received: by {HOST}; {}\r\n", dates::mail(SystemTime::now()));
        let note = "Subject: Amazon SES Setup Notification\r\n\r\nThis object was stored because a receipt rule names this bucket. It is no mail.\r\n";
        store.store(SETUP_NOTIFICATION, Bytes::from(host + note));
        Arc::new(Self { store, sightings, memory: Arc::new(Semaphore::new(BUDGET)) })
    }

    /// Begins a mail: its id is known from now on.
    pub fn begin(&self, envelope: &Envelope) -> Arriving {
        let id = message_id();
        let Envelope { hello, peer, from, to } = envelope;
        let recipient = to.first().map_or("", String::as_str);
        let lines = [
            format!("Return-Path: <{}>", line(from)),
            format!("Received: from {} ([{}])", line(hello), line(peer)),
            format!(" by {HOST} with SMTP id {id}"),
            format!(" for {};", line(recipient)),
            format!(" {}", dates::mail(SystemTime::now())),
            "X-SES-Spam-Verdict: DISABLED".to_owned(),
            "X-SES-Virus-Verdict: DISABLED".to_owned(),
        ];
        let raw = lines.map(|line| line + "\r\n").concat().into_bytes();
        Arriving { id, above: raw.len(), raw, holds: Vec::new() }
    }

    /// Checks whether what was received so far may stay.
    ///
    /// # Errors
    /// If not; the mail must be discarded.
    pub fn admit(&self, arriving: &mut Arriving) -> Result<(), Refusal> {
        if arriving.raw.len() - arriving.above > LARGEST_MESSAGE {
            return Err(Refusal::TooLarge);
        }
        while arriving.holds.len() * BLOCK < arriving.raw.len() {
            let permit = Arc::clone(&self.memory).try_acquire_owned().map_err(|_| Refusal::NoMemory)?;
            arriving.holds.push(permit);
        }
        Ok(())
    }

    /// Accepts a complete mail, and returns its id.
    pub fn take(&self, arriving: Arriving) -> String {
        let Arriving { mut raw, id, holds, .. } = arriving;
        raw.shrink_to_fit();
        self.sightings.tell(Seen::MailTaken { id: id.clone(), size: u64::try_from(raw.len()).unwrap_or(u64::MAX) });
        self.store.store(&id, Bytes::from(raw));
        drop(holds);
        id
    }
}

/// A client's text, without what would break SES's own header.
fn line(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).collect()
}

/// It need not be secret, only unique. If the system provides no randomness, the time is used.
fn message_id() -> String {
    let mut bytes = [0; ID_LENGTH];
    if aws_lc_rs::rand::fill(&mut bytes).is_err() {
        let nanos = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        bytes.iter_mut().zip(nanos.to_le_bytes()).for_each(|(byte, time)| *byte = time);
    }
    let letter = |byte: u8| LETTERS.get(usize::from(byte % 32)).copied().map_or('0', char::from);
    bytes.into_iter().map(letter).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[derive(Default)]
    struct Objects(Mutex<Vec<(String, Bytes)>>);

    impl Store for Objects {
        fn store(&self, id: &str, raw: Bytes) {
            self.0.lock().unwrap().push((id.to_owned(), raw));
        }
    }

    #[test]
    fn a_mail_is_reported_and_stored_byte_for_byte() {
        let (objects, (sightings, mut seen)) = (Arc::new(Objects::default()), Sightings::channel());
        let incoming = Incoming::start(Arc::clone(&objects) as Arc<dyn Store>, sightings);
        let envelope = Envelope { hello: "a\r\nB: c".into(), peer: "127.0.0.1".into(), from: "s@x.org".into(), to: vec!["r@y.org".into()] };
        let mut arriving = incoming.begin(&envelope);
        arriving.raw.extend_from_slice(b"Subject: x\r\n\r\n\xff\r\n");
        incoming.admit(&mut arriving).unwrap();
        let id = incoming.take(arriving);
        assert!(id.len() == 40 && id.bytes().all(|letter| letter.is_ascii_digit() || letter.is_ascii_lowercase()), "{id}");
        let objects = objects.0.lock().unwrap();
        let keys: Vec<_> = objects.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(keys, [SETUP_NOTIFICATION, &id]);
        assert!(objects[1].1.ends_with(b"Subject: x\r\n\r\n\xff\r\n"));
        let above = String::from_utf8_lossy(&objects[1].1).into_owned();
        assert!(
            above.starts_with(&format!("Return-Path: <s@x.org>\r\nReceived: from aB: c ([127.0.0.1])\r\n by {HOST} with SMTP id {id}\r\n"))
        );
        let told = seen.try_recv().unwrap().seen;
        assert_eq!(told, Seen::MailTaken { id, size: objects[1].1.len() as u64 });
    }

    #[test]
    fn memory_for_arriving_mail_is_bounded_and_released() {
        let incoming = Incoming::start(Arc::new(Objects::default()), Sightings::nowhere());
        let large = || {
            let mut arriving = incoming.begin(&Envelope::default());
            arriving.raw.resize(LARGEST_MESSAGE, 0);
            arriving
        };
        let mut all: Vec<_> = (0..12).map(|_| large()).collect();
        assert!(all.iter_mut().all(|arriving| incoming.admit(arriving).is_ok()));
        let mut one_more = large();
        assert_eq!(incoming.admit(&mut one_more), Err(Refusal::NoMemory));
        drop(all);
        assert_eq!(incoming.admit(&mut one_more), Ok(()));
        one_more.raw.resize(LARGEST_MESSAGE + 1000, 0);
        assert_eq!(incoming.admit(&mut one_more), Err(Refusal::TooLarge));
    }
}
