//! The cache, over the Redis protocol. Lambda freezes the process between events, and the cache may have closed the connection by then: each command
//! has a second attempt on a new one. Both end before the function's own time does. Every command here may be repeated.

use functions::failure::DependencyFailure;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Cmd, RedisError, Value};
use std::pin::Pin;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::{sleep, timeout};

const SERVICE: &str = "redis";

/// For a connection.
const CONNECT: Duration = Duration::from_secs(1);
/// For one attempt, its connection included.
const ATTEMPT: Duration = Duration::from_millis(1900);
/// Before the second attempt.
const PAUSE: Duration = Duration::from_millis(100);
/// For a whole command.
pub const TIME_LIMIT: Duration = Duration::from_secs(4);

/// How long a record stays, in seconds.
const KEPT_S: u64 = 86_400;

/// What [`at`] takes, for an error message.
pub const AN_ADDRESS: &str = "an address such as redis://host:6379";

/// A cache and the connection to it.
pub struct Cache {
    client: Client,
    connection: Mutex<Option<MultiplexedConnection>>,
}

/// The cache at an address such as `redis://host:6379`, or `rediss://` over TLS; `None` where the text is not such an address. It does not connect.
pub fn at(url: &str) -> Option<Client> {
    Client::open(url).ok()
}

impl Cache {
    /// The cache that `client` reaches.
    pub fn new(client: Client) -> Self {
        Self { client, connection: Mutex::new(None) }
    }

    /// Keeps a value, which is in memory once while it goes, beside what the connection needs.
    ///
    /// # Errors
    /// Where the cache did not say that it keeps it.
    pub async fn set(&self, key: &str, value: Vec<u8>) -> Result<(), DependencyFailure> {
        let mut command = Cmd::with_capacity(5, value.len() + key.len() + 16);
        command.arg("SET").arg(key).arg(&value).arg("EX").arg(KEPT_S);
        drop(value);
        match self.run(&command).await? {
            Value::Okay => Ok(()),
            _ => Err(not_understood()),
        }
    }

    /// A value.
    ///
    /// # Errors
    /// Where the cache did not say whether there is one.
    pub async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, DependencyFailure> {
        match self.run(Cmd::new().arg("GET").arg(key)).await? {
            Value::BulkString(value) => Ok(Some(value)),
            Value::Nil => Ok(None),
            _ => Err(not_understood()),
        }
    }

    /// Takes a value out, where there is one.
    ///
    /// # Errors
    /// Where the cache did not say that it is out.
    pub async fn delete(&self, key: &str) -> Result<(), DependencyFailure> {
        match self.run(Cmd::new().arg("DEL").arg(key)).await? {
            Value::Int(_) => Ok(()),
            _ => Err(not_understood()),
        }
    }

    async fn run(&self, command: &Cmd) -> Result<Value, DependencyFailure> {
        match self.attempt(command).await {
            Ok(value) => Ok(value),
            Err(_) => {
                sleep(PAUSE).await;
                self.attempt(command).await
            }
        }
    }

    /// On the heap and without its name: the types of a connection, one within another, are deeper than the compiler looks.
    fn attempt<'a>(&'a self, command: &'a Cmd) -> Pin<Box<dyn Future<Output = Result<Value, DependencyFailure>> + 'a>> {
        Box::pin(self.attempted(command))
    }

    /// One attempt. A connection on which one has failed is not used again: what is still to come on it would answer something else.
    async fn attempted(&self, command: &Cmd) -> Result<Value, DependencyFailure> {
        let mut kept = self.connection.lock().await;
        let before = kept.take();
        let attempt = async {
            let mut connection = match before {
                Some(connection) => connection,
                None => self.connect().await?,
            };
            let value = connection.send_packed_command(command).await?;
            Ok::<_, RedisError>((connection, value))
        };
        match timeout(ATTEMPT, attempt).await {
            Ok(Ok((connection, value))) => {
                *kept = Some(connection);
                value.extract_error().map_err(|error| failure(&error))
            }
            Ok(Err(error)) => Err(failure(&error)),
            Err(_) => Err(DependencyFailure::new(SERVICE, "no answer in time")),
        }
    }

    async fn connect(&self) -> Result<MultiplexedConnection, RedisError> {
        let config = AsyncConnectionConfig::new().set_connection_timeout(Some(CONNECT)).set_response_timeout(Some(ATTEMPT));
        self.client.get_multiplexed_async_connection_with_config(&config).await
    }
}

/// In a few words, of which none is the server's, nor the address.
fn failure(error: &RedisError) -> DependencyFailure {
    let how = match error.code() {
        _ if error.is_timeout() => "no answer in time".to_owned(),
        _ if error.is_io_error() => "connection failed".to_owned(),
        Some(code) => format!("error `{code}`"),
        None => "the answer was not understood".to_owned(),
    };
    DependencyFailure::new(SERVICE, how)
}

fn not_understood() -> DependencyFailure {
    DependencyFailure::new(SERVICE, "the answer was not understood")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_attempts_end_within_the_limit() {
        assert!(ATTEMPT * 2 + PAUSE < TIME_LIMIT && CONNECT < ATTEMPT);
    }

    #[test]
    fn an_address_is_plain_or_over_tls() {
        for (url, good) in [
            ("redis://127.0.0.1:6379", true),
            ("redis://:secret@cache.example:6379/0", true),
            ("rediss://cache.example:6379", true),
            ("http://cache.example", false),
            ("cache.example", false),
            ("", false),
        ] {
            assert_eq!(at(url).is_some(), good, "{url}");
        }
    }
}
