//! The cache, over the Redis protocol. Lambda freezes the process between events, and the cache may
//! have closed the connection by then, so each command gets a second attempt on a new connection.
//! Both attempts end before the function's timeout. Every command here is safe to repeat.

use functions::failure::DependencyFailure;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Cmd, RedisError, Value};
use std::pin::Pin;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::{sleep, timeout};

const SERVICE: &str = "redis";

/// The limit for connecting.
const CONNECT: Duration = Duration::from_secs(1);
/// The limit for one attempt, including its connection.
const ATTEMPT: Duration = Duration::from_millis(1900);
/// The pause before the second attempt.
const PAUSE: Duration = Duration::from_millis(100);
/// The limit for a whole command.
pub const TIME_LIMIT: Duration = Duration::from_secs(4);

/// How long a record is kept, in seconds.
const KEPT_S: u64 = 86_400;

/// What [`at`] accepts, for an error message.
pub const AN_ADDRESS: &str = "an address such as redis://host:6379";

/// A cache and the connection to it.
pub struct Cache {
    client: Client,
    connection: Mutex<Option<MultiplexedConnection>>,
}

/// The cache at an address such as `redis://host:6379`, or `rediss://` over TLS; `None` if the text
/// is not such an address. It does not connect.
pub fn at(url: &str) -> Option<Client> {
    Client::open(url).ok()
}

impl Cache {
    /// The cache that `client` reaches.
    pub fn new(client: Client) -> Self {
        Self { client, connection: Mutex::new(None) }
    }

    /// Stores a value. While it is sent, it is in memory once, besides what the connection needs.
    ///
    /// # Errors
    /// If the cache did not confirm that it stored the value.
    pub async fn set(&self, key: &str, value: Vec<u8>) -> Result<(), DependencyFailure> {
        let mut command = Cmd::with_capacity(5, value.len() + key.len() + 16);
        command.arg("SET").arg(key).arg(&value).arg("EX").arg(KEPT_S);
        drop(value);
        match self.run(&command).await? {
            Value::Okay => Ok(()),
            _ => Err(not_understood()),
        }
    }

    /// Reads a value.
    ///
    /// # Errors
    /// If the cache did not say whether the value exists.
    pub async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, DependencyFailure> {
        match self.run(Cmd::new().arg("GET").arg(key)).await? {
            Value::BulkString(value) => Ok(Some(value)),
            Value::Nil => Ok(None),
            _ => Err(not_understood()),
        }
    }

    /// Deletes a value if it exists.
    ///
    /// # Errors
    /// If the cache did not confirm the deletion.
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

    /// Boxed as a trait object: the future types of a connection nest more deeply than the
    /// compiler's limit.
    fn attempt<'a>(&'a self, command: &'a Cmd) -> Pin<Box<dyn Future<Output = Result<Value, DependencyFailure>> + 'a>> {
        Box::pin(self.attempted(command))
    }

    /// One attempt. A connection on which an attempt failed is not used again: a late reply on it
    /// would be taken for the reply to another command.
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

/// A short description. It contains no text from the server, and not the address.
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
