//! The commands on values: parsed from a request's arguments, then carried out. Their errors are
//! Redis's own, letter by letter.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::replies::Reply;
use super::requests::number;
use super::store::{Full, Life, Only, Store};

/// The commands that a fault can target, which are this service's operations.
pub const OPERATIONS: [&str; 7] = ["DEL", "EXISTS", "EXPIRE", "GET", "PTTL", "SET", "TTL"];

/// A command on values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// `GET`
    Get(Bytes),
    /// `SET`
    Set {
        /// The key.
        key: Bytes,
        /// The value.
        value: Bytes,
        /// `NX` or `XX`.
        only: Only,
        /// `EX` or `PX`.
        life: Option<Duration>,
    },
    /// `DEL`
    Delete(Vec<Bytes>),
    /// `EXISTS`
    Exists(Vec<Bytes>),
    /// `EXPIRE`; `None` if the life is over already.
    Expire(Bytes, Option<Duration>),
    /// `TTL`
    SecondsLeft(Bytes),
    /// `PTTL`
    MillisecondsLeft(Bytes),
}

impl Command {
    /// Reads a command whose name is one of [`OPERATIONS`].
    ///
    /// # Errors
    /// The error reply.
    pub fn read(name: &str, arguments: Vec<Bytes>) -> Result<Self, Reply> {
        let mut arguments = arguments.into_iter();
        let command = match (name, arguments.len()) {
            ("GET", 1) => arguments.next().map(Self::Get),
            ("TTL", 1) => arguments.next().map(Self::SecondsLeft),
            ("PTTL", 1) => arguments.next().map(Self::MillisecondsLeft),
            ("DEL", 1..) => Some(Self::Delete(arguments.collect())),
            ("EXISTS", 1..) => Some(Self::Exists(arguments.collect())),
            ("EXPIRE", 2) => match (arguments.next(), arguments.next()) {
                (Some(key), Some(life)) => Some(Self::Expire(key, expiry(&life)?)),
                _ => None,
            },
            ("SET", 2..) => match (arguments.next(), arguments.next()) {
                (Some(key), Some(value)) => Some(set(key, value, arguments)?),
                _ => None,
            },
            _ => None,
        };
        command.ok_or_else(|| wrong_number(name))
    }

    /// Runs it.
    pub fn run(self, store: &Store, now: Instant) -> Reply {
        let count = |all: Vec<Bytes>, is: &dyn Fn(&Bytes) -> bool| Reply::Integer(all.iter().filter(|key| is(key)).count() as i64);
        match self {
            Self::Get(key) => store.get(&key, now).map_or(Reply::Null, Reply::Bulk),
            Self::Set { key, value, only, life } => match store.set(&key, &value, only, life, now) {
                Ok(true) => Reply::OK,
                Ok(false) => Reply::Null,
                Err(Full) => Reply::Error("OOM command not allowed when used memory > 'maxmemory'.".to_owned()),
            },
            Self::Delete(keys) => count(keys, &|key| store.delete(key, now)),
            Self::Exists(keys) => count(keys, &|key| store.life(key, now) != Life::None),
            Self::Expire(key, Some(life)) => Reply::Integer(store.expire(&key, life, now).into()),
            Self::Expire(key, None) => Reply::Integer(store.delete(&key, now).into()),
            // Rounded, as in Redis.
            Self::SecondsLeft(key) => left(store.life(&key, now), |left| (left.as_millis() + 500) / 1000),
            Self::MillisecondsLeft(key) => left(store.life(&key, now), |left| left.as_millis()),
        }
    }
}

fn left(life: Life, in_units: impl Fn(Duration) -> u128) -> Reply {
    Reply::Integer(match life {
        Life::None => -2,
        Life::Endless => -1,
        Life::Left(left) => i64::try_from(in_units(left)).unwrap_or(i64::MAX),
    })
}

fn set(key: Bytes, value: Bytes, mut options: impl Iterator<Item = Bytes>) -> Result<Command, Reply> {
    let syntax = || Reply::Error("ERR syntax error".to_owned());
    let (mut only, mut life) = (Only::Always, None);
    while let Some(option) = options.next() {
        match option.to_ascii_uppercase().as_slice() {
            b"NX" if only != Only::Existing => only = Only::New,
            b"XX" if only != Only::New => only = Only::Existing,
            unit @ (b"EX" | b"PX") if life.is_none() => {
                let time = number(&options.next().ok_or_else(syntax)?).ok_or_else(no_integer)?;
                let time = u64::try_from(time).ok().filter(|time| *time > 0 && *time <= LONGEST);
                let time = time.ok_or_else(|| Reply::Error("ERR invalid expire time in 'set' command".to_owned()))?;
                life = Some(if unit == b"EX" { Duration::from_secs(time) } else { Duration::from_millis(time) });
            }
            _ => return Err(syntax()),
        }
    }
    Ok(Command::Set { key, value, only, life })
}

/// A longer life is refused, so that no sum of times overflows.
const LONGEST: u64 = i64::MAX as u64 / 1_000_000;

/// The seconds of `EXPIRE`; `None` if they are over already.
fn expiry(text: &[u8]) -> Result<Option<Duration>, Reply> {
    let time = number(text).ok_or_else(no_integer)?;
    match u64::try_from(time) {
        Ok(time) if time > LONGEST => Err(Reply::Error("ERR invalid expire time in 'expire' command".to_owned())),
        Ok(time) if time > 0 => Ok(Some(Duration::from_secs(time))),
        _ => Ok(None),
    }
}

fn no_integer() -> Reply {
    Reply::Error("ERR value is not an integer or out of range".to_owned())
}

/// The arguments are too many or too few.
pub fn wrong_number(name: &str) -> Reply {
    Reply::Error(format!("ERR wrong number of arguments for '{}' command", name.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use run_folder::sightings::Sightings;

    fn run(store: &Store, line: &str, now: Instant) -> Reply {
        let mut words = line.split(' ').map(|word| Bytes::copy_from_slice(word.as_bytes()));
        let name = String::from_utf8(words.next().unwrap().to_vec()).unwrap();
        match Command::read(&name, words.collect()) {
            Ok(command) => command.run(store, now),
            Err(error) => error,
        }
    }

    #[test]
    fn commands_answer_as_redis_does() {
        let (store, now) = (Store::new(1000, Sightings::nowhere()), Instant::now());
        let error = |text: &str| Reply::Error(text.to_owned());
        let large = format!("SET large {}", "x".repeat(1000));
        for (line, expected) in [
            ("GET a", Reply::Null),
            ("SET a 1", Reply::OK),
            ("GET a", Reply::text("1")),
            ("TTL a", Reply::Integer(-1)),
            ("SET a 2 NX", Reply::Null),
            ("SET a 2 xx px 1500", Reply::OK),
            ("TTL a", Reply::Integer(2)),
            ("PTTL a", Reply::Integer(1500)),
            ("SET b 2 EX 86400 NX", Reply::OK),
            ("EXISTS a b c a", Reply::Integer(3)),
            ("EXPIRE b 10", Reply::Integer(1)),
            ("TTL b", Reply::Integer(10)),
            ("EXPIRE b 0", Reply::Integer(1)),
            ("TTL b", Reply::Integer(-2)),
            ("EXPIRE b 1", Reply::Integer(0)),
            ("DEL a b", Reply::Integer(1)),
            ("GET", error("ERR wrong number of arguments for 'get' command")),
            ("GET a b", error("ERR wrong number of arguments for 'get' command")),
            ("SET a", error("ERR wrong number of arguments for 'set' command")),
            ("DEL", error("ERR wrong number of arguments for 'del' command")),
            ("SET a 1 NX XX", error("ERR syntax error")),
            ("SET a 1 EX 1 PX 1", error("ERR syntax error")),
            ("SET a 1 EX", error("ERR syntax error")),
            ("SET a 1 FOREVER", error("ERR syntax error")),
            ("SET a 1 EX soon", error("ERR value is not an integer or out of range")),
            ("SET a 1 EX 0", error("ERR invalid expire time in 'set' command")),
            ("SET a 1 PX 9223372036854775807", error("ERR invalid expire time in 'set' command")),
            ("EXPIRE a 9223372036854775807", error("ERR invalid expire time in 'expire' command")),
            ("EXPIRE a x", error("ERR value is not an integer or out of range")),
            (&large, error("OOM command not allowed when used memory > 'maxmemory'.")),
        ] {
            assert_eq!(run(&store, line, now), expected, "{line}");
        }
    }
}
