//! A cache that speaks just enough of the Redis protocol. It holds values and behaves as a test
//! tells it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// What happens to a command on a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Becomes {
    Answered,
    /// Refused, and not carried out.
    Refused,
    /// Carried out, but the connection is closed without an answer.
    Cut,
    Unanswered,
}

type Behaviour = dyn Fn(usize) -> Becomes + Send + Sync;

#[derive(Clone)]
pub struct Cache {
    pub address: String,
    values: Arc<Mutex<HashMap<String, Vec<u8>>>>,
    commands: Arc<Mutex<Vec<Vec<String>>>>,
    behaviour: Arc<Mutex<Arc<Behaviour>>>,
}

impl Cache {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("redis://{}", listener.local_addr().unwrap());
        let behaviour: Arc<Behaviour> = Arc::new(|_| Becomes::Answered);
        let cache = Self { address, values: Arc::default(), commands: Arc::default(), behaviour: Arc::new(Mutex::new(behaviour)) };
        let serving = cache.clone();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(serving.clone().connection(socket));
            }
        });
        cache
    }

    /// Sets the behaviour from now on; it gets the number of earlier commands on values.
    pub fn behave(&self, behaviour: impl Fn(usize) -> Becomes + Send + Sync + 'static) {
        *self.behaviour.lock().unwrap() = Arc::new(behaviour);
    }

    pub fn put(&self, key: &str, value: &[u8]) {
        self.values.lock().unwrap().insert(key.to_owned(), value.to_vec());
    }

    pub fn value(&self, key: &str) -> Option<Vec<u8>> {
        self.values.lock().unwrap().get(key).cloned()
    }

    /// The commands on values, each with its arguments except values.
    pub fn commands(&self) -> Vec<String> {
        self.commands.lock().unwrap().iter().map(|words| words.join(" ")).collect()
    }

    async fn connection(self, mut socket: TcpStream) -> Option<()> {
        let (reading, mut writing) = socket.split();
        let mut reading = BufReader::new(reading);
        loop {
            let words = request(&mut reading).await?;
            let name = String::from_utf8_lossy(&words[0]).to_uppercase();
            if !matches!(name.as_str(), "GET" | "SET" | "DEL") {
                writing.write_all(b"+OK\r\n").await.ok()?;
                continue;
            }
            let before = {
                let mut commands = self.commands.lock().unwrap();
                let shown = words.iter().enumerate().filter(|(n, _)| name != "SET" || *n != 2);
                commands.push(shown.map(|(_, word)| String::from_utf8_lossy(word).into_owned()).collect());
                commands.len() - 1
            };
            let becomes = (self.behaviour.lock().unwrap().clone())(before);
            let answer = match becomes {
                Becomes::Refused => b"-LOADING Redis is loading the dataset in memory\r\n".to_vec(),
                Becomes::Unanswered => std::future::pending().await,
                Becomes::Answered | Becomes::Cut => self.carry_out(&name, words),
            };
            if becomes == Becomes::Cut {
                return None;
            }
            writing.write_all(&answer).await.ok()?;
        }
    }

    fn carry_out(&self, name: &str, words: Vec<Vec<u8>>) -> Vec<u8> {
        let key = String::from_utf8(words[1].clone()).unwrap();
        let mut values = self.values.lock().unwrap();
        match name {
            "GET" => match values.get(&key) {
                Some(value) => [format!("${}\r\n", value.len()).as_bytes(), value, b"\r\n"].concat(),
                None => b"$-1\r\n".to_vec(),
            },
            "SET" => {
                values.insert(key, words[2].clone());
                b"+OK\r\n".to_vec()
            }
            _ => format!(":{}\r\n", u8::from(values.remove(&key).is_some())).into_bytes(),
        }
    }
}

async fn request(reading: &mut (impl AsyncBufReadExt + Unpin)) -> Option<Vec<Vec<u8>>> {
    let mut words = Vec::new();
    for _ in 0..number(reading).await? {
        let mut word = vec![0; number(reading).await? + 2];
        reading.read_exact(&mut word).await.ok()?;
        word.truncate(word.len() - 2);
        words.push(word);
    }
    Some(words)
}

async fn number(reading: &mut (impl AsyncBufReadExt + Unpin)) -> Option<usize> {
    let mut line = String::new();
    reading.read_line(&mut line).await.ok().filter(|read| *read > 0)?;
    line.trim_end().get(1..)?.parse().ok()
}
