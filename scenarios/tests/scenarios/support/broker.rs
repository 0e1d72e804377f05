//! A minimal broker with shadows. It acknowledges every publish; `get` finds what was reported; an
//! `update` is accepted, one with a version is rejected. Everything goes to the thing that it is
//! about. It ends when dropped.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::net::tcp::OwnedReadHalf;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;

#[derive(Default)]
pub struct Shadows {
    clients: HashMap<String, UnboundedSender<Vec<u8>>>,
    pub versions: HashMap<String, i64>,
    pub reported: HashMap<String, Value>,
}

pub struct Broker {
    pub address: SocketAddr,
    pub shadows: Arc<Mutex<Shadows>>,
    _tasks: JoinSet<()>,
}

impl Broker {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shadows = Arc::new(Mutex::new(Shadows::default()));
        let mut tasks = JoinSet::new();
        let shared = Arc::clone(&shadows);
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (reader, mut writer) = stream.into_split();
                let (tell, mut told) = unbounded_channel::<Vec<u8>>();
                connections.spawn(async move {
                    while let Some(bytes) = told.recv().await {
                        let _ = writer.write_all(&bytes).await;
                    }
                });
                connections.spawn(serve(reader, tell, Arc::clone(&shared)));
            }
        });
        Self { address, shadows, _tasks: tasks }
    }
}

impl Shadows {
    /// What the service does when a caller sets a desired state.
    pub fn desire(&mut self, thing: &str, state: &Value) -> i64 {
        let version = self.next(thing);
        self.publish(thing, "update/accepted", &json!({"state": {"desired": state}, "version": version}));
        if self.reported.get(thing) != Some(&state["temperature"]) {
            self.publish(thing, "update/delta", &json!({"state": state, "version": version, "timestamp": 1}));
        }
        version
    }

    fn next(&mut self, thing: &str) -> i64 {
        let version = self.versions.entry(thing.to_owned()).or_default();
        *version += 1;
        *version
    }

    fn publish(&self, thing: &str, topic: &str, payload: &Value) {
        let topic = format!("$aws/things/{thing}/shadow/{topic}");
        let payload = payload.to_string();
        let length = 2 + topic.len() + payload.len();
        assert!(length < 16_384);
        // QoS 0, so that the peer need not acknowledge.
        let mut packet = vec![0x30, (length % 128) as u8 | 0x80, (length / 128) as u8];
        packet.extend((topic.len() as u16).to_be_bytes());
        packet.extend(topic.as_bytes());
        packet.extend(payload.as_bytes());
        if let Some(tell) = self.clients.get(thing) {
            let _ = tell.send(packet);
        }
    }

    fn updated(&mut self, thing: &str, payload: &[u8]) {
        let said: Value = serde_json::from_slice(payload).unwrap_or_default();
        if said.get("version").is_some() {
            let refusal = json!({"code": 409, "message": "Version conflict", "clientToken": said["clientToken"]});
            return self.publish(thing, "update/rejected", &refusal);
        }
        let version = self.next(thing);
        self.reported.insert(thing.to_owned(), said["state"]["reported"]["temperature"].clone());
        self.publish(thing, "update/accepted", &json!({"state": said["state"], "version": version}));
    }

    fn asked(&self, thing: &str, payload: &[u8]) {
        let said: Value = serde_json::from_slice(payload).unwrap_or_default();
        let Some(reported) = self.reported.get(thing) else {
            return self.publish(thing, "get/rejected", &json!({"code": 404, "message": "No shadow exists"}));
        };
        let state = json!({"reported": {"temperature": reported}});
        self.publish(thing, "get/accepted", &json!({"state": state, "version": self.versions[thing], "clientToken": said["clientToken"]}));
    }
}

async fn packet(reader: &mut OwnedReadHalf) -> Option<(u8, Vec<u8>)> {
    let first = reader.read_u8().await.ok()?;
    let (mut length, mut shift) = (0_usize, 0);
    loop {
        let byte = reader.read_u8().await.ok()?;
        length |= usize::from(byte & 127) << shift;
        shift += 7;
        if byte < 128 {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).await.ok()?;
    Some((first, body))
}

async fn serve(mut reader: OwnedReadHalf, tell: UnboundedSender<Vec<u8>>, shadows: Arc<Mutex<Shadows>>) {
    let text = |body: &[u8], at: usize| {
        let length = usize::from(u16::from_be_bytes([body[at], body[at + 1]]));
        (String::from_utf8_lossy(&body[at + 2..at + 2 + length]).into_owned(), at + 2 + length)
    };
    while let Some((first, body)) = packet(&mut reader).await {
        match first >> 4 {
            1 => {
                let (client, _) = text(&body, 10);
                shadows.lock().unwrap().clients.insert(client, tell.clone());
                let _ = tell.send(vec![0x20, 2, 0, 0]);
            }
            3 => {
                let (topic, after) = text(&body, 0);
                let _ = tell.send(vec![0x40, 2, body[after], body[after + 1]]);
                let thing = topic.split('/').nth(2).unwrap_or_default();
                let mut shadows = shadows.lock().unwrap();
                if topic.ends_with("/get") {
                    shadows.asked(thing, &body[after + 2..]);
                } else {
                    shadows.updated(thing, &body[after + 2..]);
                }
            }
            8 => {
                let (mut at, mut answer) = (2, vec![0x90, 0, body[0], body[1]]);
                while at < body.len() {
                    at = text(&body, at).1 + 1;
                    answer.push(1);
                }
                answer[1] = (answer.len() - 2) as u8;
                let _ = tell.send(answer);
            }
            12 => drop(tell.send(vec![0xd0, 0])),
            _ => {}
        }
    }
}
