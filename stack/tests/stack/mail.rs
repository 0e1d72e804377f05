//! Mail as its senders and the functions that send mail use it: SMTP over a real socket,
//! `SendEmail` over plain HTTP.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use run_folder::deployment::Seed;
use run_folder::{Compressed, RunFolder, Seen, Sighting, Sightings};
use serde_json::{Value, json};
use stack::invoke::LateInvoke;
use stack::services::{Doors, Services, Settings, start};
use template::blueprint::{Blueprint, Bucket, Receipt};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

const INCOMING: &str = "incoming";
const SENDER: &str = "sensors@brownout.example";
const SETUP_NOTIFICATION: &str = "AMAZON_SES_SETUP_NOTIFICATION";

/// The most bytes that SES accepts.
const LARGEST: usize = 41_943_040;

struct Stage {
    services: Services,
    seen: UnboundedReceiver<Sighting>,
    run: RunFolder,
    _folder: tempfile::TempDir,
}

impl Stage {
    async fn up() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let run = RunFolder::create(folder.path()).unwrap();
        let (sightings, seen) = Sightings::channel();
        let bucket = Bucket { name: INCOMING.into(), ..Bucket::default() };
        let receipt = Receipt { bucket: INCOMING.into(), prefix: String::new() };
        let settings = Settings {
            seed: Seed::default(),
            doors: Doors::open(false).await.unwrap(),
            folder: run.path().to_owned(),
            blueprint: Blueprint { buckets: vec![bucket], receipts: vec![receipt], senders: vec![SENDER.into()], ..Blueprint::default() },
            invoke: LateInvoke::default(),
            secured: None,
            compressed: Compressed::default(),
            sightings,
            plan: run.plan(),
            ledger: unbounded_channel().0,
        };
        Self { services: start(settings).await.unwrap(), seen, run, _folder: folder }
    }

    async fn client(&self) -> Conversation {
        let socket = TcpStream::connect(self.services.smtp.unwrap()).await.unwrap();
        let mut conversation = Conversation(BufReader::new(socket));
        assert!(conversation.reply().await.starts_with("220 "));
        conversation
    }

    fn stored(&self, id: &str) -> Vec<u8> {
        self.services.buckets.get(INCOMING, id).unwrap().content.whole().unwrap().to_vec()
    }

    /// The size of every mail in the sightings.
    fn taken(&mut self) -> BTreeMap<String, u64> {
        let mut taken = BTreeMap::new();
        while let Ok(sighting) = self.seen.try_recv() {
            if let Seen::MailTaken { id, size } = sighting.seen {
                taken.insert(id, size);
            }
        }
        taken
    }

    async fn send(&self, request: &Value) -> (u16, Option<String>, Value) {
        let client: Client<HttpConnector, Full<Bytes>> = Client::builder(TokioExecutor::new()).build(HttpConnector::new());
        let url = format!("http://{}/v2/email/outbound-emails", self.services.http);
        let request = Request::post(url).body(Full::new(Bytes::from(request.to_string()))).unwrap();
        let response = client.request(request).await.unwrap();
        let kind = response.headers().get("x-amzn-errortype").map(|value| value.to_str().unwrap().to_owned());
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, kind, serde_json::from_slice(&body).unwrap())
    }
}

struct Conversation(BufReader<TcpStream>);

impl Conversation {
    /// The last line of the next reply.
    async fn reply(&mut self) -> String {
        loop {
            let mut line = String::new();
            assert!(self.0.read_line(&mut line).await.unwrap() > 0, "the server has gone");
            if line.as_bytes()[3] == b' ' {
                return line.trim_end().to_owned();
            }
        }
    }

    async fn say(&mut self, text: &str) -> String {
        self.0.write_all(text.as_bytes()).await.unwrap();
        self.reply().await
    }

    /// Sends one mail, whose lines are already dot-stuffed, and returns the reply to its end.
    async fn mail(&mut self, lines: &[u8]) -> String {
        for command in ["EHLO sensor\r\n", "MAIL FROM:<sensor@x.org>\r\n", "RCPT TO:<in@y.org>\r\n"] {
            assert!(self.say(command).await.starts_with("250 "), "{command}");
        }
        assert!(self.say("DATA\r\n").await.starts_with("354 "));
        self.0.write_all(lines).await.unwrap();
        self.say(".\r\n").await
    }
}

/// Lines of text with this total length.
fn lines(length: usize) -> Vec<u8> {
    let line = [[b'a'; 74].as_slice(), b"\r\n"].concat();
    let mut lines = line.repeat(length / line.len());
    let rest = length - lines.len();
    match rest {
        0 => {}
        1 => lines.insert(0, b'a'),
        _ => lines.extend_from_slice(&line[line.len() - rest..]),
    }
    lines
}

#[tokio::test]
async fn an_accepted_mail_is_stored_under_the_id_that_its_sender_gets() {
    let mut stage = Stage::up().await;
    assert!(stage.services.buckets.get(INCOMING, SETUP_NOTIFICATION).is_some());
    let mut client = stage.client().await;
    let reply = client.mail(b"Subject: x\r\n\r\n..hidden dot\r\nb\xe9\r\n").await;
    let id = reply.strip_prefix("250 OK ").unwrap();
    let stored = stage.stored(id);
    assert!(stored.starts_with(b"Return-Path: <sensor@x.org>\r\nReceived: from sensor ([127.0.0.1])\r\n"));
    assert!(stored.ends_with(b"\r\nSubject: x\r\n\r\n.hidden dot\r\nb\xe9\r\n"));
    assert_eq!(stage.taken(), [(id.to_owned(), stored.len() as u64)].into());
    // All in one piece, as a client may send after PIPELINING was offered.
    let piece = "MAIL FROM:<s@x.org>\r\nRCPT TO:<a@y.org>\r\nRCPT TO:<b@y.org>\r\nDATA\r\n";
    client.0.write_all(piece.as_bytes()).await.unwrap();
    for code in ["250", "250", "250", "354"] {
        assert!(client.reply().await.starts_with(code));
    }
    assert!(client.say("a\r\n.\r\n").await.starts_with("250 OK "));
    assert!(client.say("QUIT\r\n").await.starts_with("221 "));
    assert_eq!(client.0.read_line(&mut String::new()).await.unwrap(), 0, "the server hangs up");
    let address = stage.services.smtp.unwrap();
    stage.services.stop().await;
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn forty_megabytes_are_taken_and_one_more_byte_is_not() {
    let mut stage = Stage::up().await;
    let mut client = stage.client().await;
    let mail = lines(LARGEST);
    assert_eq!(mail.len(), LARGEST);
    let reply = client.mail(&mail).await;
    let id = reply.strip_prefix("250 OK ").unwrap().to_owned();
    assert!(stage.stored(&id).ends_with(&mail));
    assert_eq!(client.mail(&lines(LARGEST + 1)).await, "552 5.3.4 Message size exceeds fixed limit");
    assert!(client.say("MAIL FROM:<s@x.org> SIZE=41943041\r\n").await.starts_with("552 "));
    assert!(client.mail(b"small\r\n").await.starts_with("250 OK "));
    assert_eq!((stage.taken().len(), stage.services.buckets.list(INCOMING).len()), (2, 3));
}

#[tokio::test]
async fn a_hundred_senders_at_once_are_all_served() {
    let mut stage = Stage::up().await;
    let mut clients = Vec::new();
    for _ in 0..100 {
        clients.push(stage.client().await);
    }
    let mut senders = tokio::task::JoinSet::new();
    for (n, mut client) in clients.into_iter().enumerate() {
        senders.spawn(async move { (n, client.mail(&lines(20_000 + n)).await) });
    }
    let mut ids = BTreeMap::new();
    while let Some(sent) = senders.join_next().await {
        let (n, reply) = sent.unwrap();
        ids.insert(reply.strip_prefix("250 OK ").unwrap().to_owned(), n);
    }
    assert_eq!(ids.len(), 100);
    for (id, n) in &ids {
        assert!(stage.stored(id).ends_with(&lines(20_000 + n)), "{n}");
    }
    assert_eq!(stage.taken().into_keys().collect::<Vec<_>>(), ids.into_keys().collect::<Vec<_>>());
}

fn request(mail: &[u8], from: &str, to: usize) -> Value {
    let to: Vec<_> = (0..to).map(|n| format!("reader-{n}@x.org")).collect();
    json!({"FromEmailAddress": from, "Destination": {"ToAddresses": to}, "Content": {"Raw": {"Data": STANDARD.encode(mail)}}})
}

#[tokio::test]
async fn sent_mail_is_in_the_mailbox_and_refused_mail_has_a_reason() {
    let mut stage = Stage::up().await;
    let head = format!("From: Sensors <{SENDER}>\r\nSubject: links\r\n\r\n");
    let small = [head.as_bytes(), b"see http://x.org/?a=1&b=2\r\n"].concat();
    let large = [head.as_bytes(), &lines(LARGEST - head.len())].concat();
    let (status, _, body) = stage.send(&request(&small, SENDER, 50)).await;
    let id = body["MessageId"].as_str().unwrap().to_owned();
    let mail = stage.services.mailbox.mails().pop().unwrap();
    assert_eq!((status, &mail.id, mail.subject.as_str(), mail.to.len()), (200, &id, "links", 50));
    assert!(mail.text.contains("http://x.org/?a=1&b=2"));
    let told = std::iter::from_fn(|| stage.seen.try_recv().ok()).find_map(|sighting| match sighting.seen {
        Seen::MailSent { id, from, .. } => Some((id, from)),
        _ => None,
    });
    assert_eq!(told, Some((id, SENDER.to_owned())));
    assert_eq!(stage.send(&request(&large, SENDER, 1)).await.0, 200);
    for (mail, from, to, kind) in [
        (&small, SENDER, 51, "BadRequestException"),
        (&small, "other@brownout.example", 1, "MessageRejected"),
        (&[large.as_slice(), b"a"].concat(), SENDER, 1, "BadRequestException"),
    ] {
        let (status, error, body) = stage.send(&request(mail, from, to)).await;
        assert_eq!((status, error.as_deref(), body["message"].is_string()), (400, Some(kind), true), "{from} {to}");
    }
    assert_eq!(stage.services.mailbox.mails().len(), 2);
}

#[tokio::test]
async fn a_fault_on_sending_has_the_error_of_ses() {
    let stage = Stage::up().await;
    let fault = json!({"name": "busy", "place": {"service": {"name": "ses", "operation": "SendEmail"}}, "share": 1.0,
        "kind": {"error": {"type": "TooManyRequestsException"}}});
    let plan = json!({"version": 1, "run": "r", "sequence": 1, "lease_ms": 60_000, "seed": 7, "faults": [fault]});
    stage.run.write_plan(&faults::Plan::read(plan.to_string().as_bytes()).unwrap()).unwrap();
    let head = format!("From: {SENDER}\r\n\r\n");
    let limit = tokio::time::Instant::now() + std::time::Duration::from_secs(20);
    loop {
        let (status, kind, _) = stage.send(&request(head.as_bytes(), SENDER, 1)).await;
        if status == 429 {
            assert_eq!(kind.as_deref(), Some("TooManyRequestsException"));
            break;
        }
        assert!(status == 200 && tokio::time::Instant::now() < limit, "the plan was never in force: {status}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let sent = stage.services.mailbox.mails().len();
    assert_eq!(stage.send(&request(head.as_bytes(), SENDER, 1)).await.0, 429);
    assert_eq!(stage.services.mailbox.mails().len(), sent, "what is refused is not sent");
}
