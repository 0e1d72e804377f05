//! One connection: its requests one after the other, in the order in which they arrive. Commands
//! about the connection itself are answered here and never faulted; a client that only connects has
//! made no call.

use std::sync::Arc;
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};

use super::commands::{Command, OPERATIONS, wrong_number};
use super::replies::{Outgoing, Protocol, Reply};
use super::requests::Requests;
use super::{DESCRIBED, Redis};
use crate::services::neighbour::Origin;
use crate::services::wire::request_id;

/// The version that clients are told; it includes everything that is implemented here.
const VERSION: &str = "7.2.0";
/// How much is read at once.
const READ: usize = 64 * 1024;

/// What a client has said about its connection.
#[derive(Debug, Default)]
struct Peer {
    id: i64,
    protocol: Protocol,
    name: Bytes,
    leaves: bool,
}

/// Serves one connection until the client is gone.
pub async fn serve(redis: Arc<Redis>, mut socket: impl AsyncRead + AsyncWrite + Unpin, id: i64) -> std::io::Result<()> {
    let mut peer = Peer { id, ..Peer::default() };
    let (mut requests, mut buffer, mut outgoing) = (Requests::new(redis.largest), BytesMut::new(), Outgoing::default());
    loop {
        match requests.next(&mut buffer) {
            Ok(Some(request)) => {
                let reply = answer(&redis, &mut peer, request).await;
                outgoing.add(&reply, peer.protocol);
                if peer.leaves {
                    return outgoing.send(&mut socket).await;
                }
                if outgoing.is_much() {
                    outgoing.send(&mut socket).await?;
                }
            }
            Err(malformed) => {
                outgoing.add(&Reply::Error(format!("ERR Protocol error: {malformed}")), peer.protocol);
                return outgoing.send(&mut socket).await;
            }
            Ok(None) => {
                outgoing.send(&mut socket).await?;
                buffer.reserve(READ);
                if socket.read_buf(&mut buffer).await? == 0 {
                    return Ok(());
                }
            }
        }
    }
}

async fn answer(redis: &Arc<Redis>, peer: &mut Peer, request: Vec<Bytes>) -> Reply {
    let mut words = request.into_iter();
    let called = words.next().unwrap_or_default();
    let arguments: Vec<_> = words.collect();
    let name = String::from_utf8_lossy(&called).to_ascii_uppercase();
    let Some(operation) = OPERATIONS.iter().find(|known| **known == name) else {
        return about_the_connection(redis, peer, &called, &name, &arguments);
    };
    let command = match Command::read(operation, arguments) {
        Ok(command) => command,
        Err(error) => return error,
    };
    let id = request_id();
    let Some(struck) = redis.striker.decide(DESCRIBED.name, operation, &Origin::unknown(&id)) else {
        return command.run(&redis.store, Instant::now());
    };
    let store = Arc::clone(&redis.store);
    let act = async move { command.run(&store, Instant::now()) };
    let answered = redis.striker.carry_out(struck, act, |kind, message| Reply::Error(format!("{kind} {message}"))).await;
    answered.unwrap_or_else(|| Reply::Error("ERR the services are going down".to_owned()))
}

fn about_the_connection(redis: &Redis, peer: &mut Peer, called: &Bytes, name: &str, arguments: &[Bytes]) -> Reply {
    match (name, arguments) {
        ("PING", []) => Reply::Simple("PONG"),
        ("PING" | "ECHO", [text]) => Reply::Bulk(text.clone()),
        ("QUIT", _) => {
            peer.leaves = true;
            Reply::OK
        }
        ("HELLO", _) => hello(peer, arguments),
        ("SELECT", [index]) if index.as_ref() == b"0" => Reply::OK,
        ("SELECT", [_]) => Reply::Error("ERR DB index is out of range".to_owned()),
        ("CLIENT", [sub, rest @ ..]) => client(peer, sub, rest),
        ("COMMAND", [sub, ..]) if sub.eq_ignore_ascii_case(b"COUNT") => Reply::Integer(OPERATIONS.len() as i64),
        ("COMMAND", [sub, ..]) if sub.eq_ignore_ascii_case(b"DOCS") => Reply::Map(Vec::new()),
        ("COMMAND", _) => Reply::Array(Vec::new()),
        ("INFO", _) => info(redis),
        ("PING" | "ECHO" | "SELECT" | "CLIENT", _) => wrong_number(name),
        _ => {
            let shown = |text: &Bytes| String::from_utf8_lossy(text).chars().take(128).collect::<String>();
            let arguments: String = arguments.iter().take(20).map(|argument| format!("'{}' ", shown(argument))).collect();
            Reply::Error(format!("ERR unknown command '{}', with args beginning with: {arguments}", shown(called)))
        }
    }
}

/// There are no passwords here, so the default user may give any.
fn hello(peer: &mut Peer, arguments: &[Bytes]) -> Reply {
    let mut rest = arguments;
    let mut protocol = peer.protocol;
    if let [version, more @ ..] = rest {
        protocol = match version.as_ref() {
            b"2" => Protocol::Two,
            b"3" => Protocol::Three,
            _ => return Reply::Error("NOPROTO unsupported protocol version".to_owned()),
        };
        rest = more;
    }
    let mut called = None;
    loop {
        match rest {
            [] => break,
            [option, name, more @ ..] if option.eq_ignore_ascii_case(b"SETNAME") => {
                called = Some(name.clone());
                rest = more;
            }
            [option, user, _, more @ ..] if option.eq_ignore_ascii_case(b"AUTH") => {
                if user.as_ref() != b"default" {
                    return Reply::Error("WRONGPASS invalid username-password pair or user is disabled.".to_owned());
                }
                rest = more;
            }
            [option, ..] => {
                return Reply::Error(format!("ERR Syntax error in HELLO option '{}'", String::from_utf8_lossy(option)));
            }
        }
    }
    peer.protocol = protocol;
    peer.name = called.unwrap_or_else(|| peer.name.clone());
    Reply::Map(vec![
        ("server", Reply::text("redis")),
        ("version", Reply::text(VERSION)),
        ("proto", Reply::Integer(if protocol == Protocol::Two { 2 } else { 3 })),
        ("id", Reply::Integer(peer.id)),
        ("mode", Reply::text("standalone")),
        ("role", Reply::text("master")),
        ("modules", Reply::Array(Vec::new())),
    ])
}

fn client(peer: &mut Peer, sub: &Bytes, rest: &[Bytes]) -> Reply {
    match (sub.to_ascii_uppercase().as_slice(), rest) {
        (b"SETINFO", [_, _]) => Reply::OK,
        (b"SETNAME", [name]) => {
            peer.name = name.clone();
            Reply::OK
        }
        (b"GETNAME", []) if peer.name.is_empty() => Reply::Null,
        (b"GETNAME", []) => Reply::Bulk(peer.name.clone()),
        (b"ID", []) => Reply::Integer(peer.id),
        _ => Reply::Error(format!("ERR unknown subcommand or wrong number of arguments for '{}'", String::from_utf8_lossy(sub))),
    }
}

fn info(redis: &Redis) -> Reply {
    let (keys, bytes) = redis.store.size();
    let lines = [
        "# Server".to_owned(),
        format!("redis_version:{VERSION}"),
        "redis_mode:standalone".to_owned(),
        "# Memory".to_owned(),
        format!("used_memory:{bytes}"),
        format!("maxmemory:{}", redis.most),
        "maxmemory_policy:noeviction".to_owned(),
        "# Keyspace".to_owned(),
        format!("db0:keys={keys}"),
    ];
    Reply::text(lines.map(|line| line + "\r\n").concat())
}
