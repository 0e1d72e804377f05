//! A small blocking HTTP client that keeps its connection: for the runtime, and for tests that act
//! as callers.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;

pub struct Answer {
    pub status: u16,
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("not JSON: {}", self.text()))
    }
}

pub struct Wire(BufReader<TcpStream>);

impl Wire {
    pub fn connect(address: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Ok(Self(BufReader::new(stream)))
    }

    pub fn call(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> io::Result<Answer> {
        let host = if headers.iter().any(|(name, _)| *name == "Host") { "" } else { "Host: test\r\n" };
        let mut head = format!("{method} {path} HTTP/1.1\r\n{host}Content-Length: {}\r\n", body.len());
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        let stream = self.0.get_mut();
        stream.write_all(head.as_bytes())?;
        stream.write_all(body)?;
        self.read(method)
    }

    /// Streams an answer: a prelude unless the text begins with `raw`, a piece, then, once the file that the text
    /// names is there, another.
    pub fn stream(&mut self, path: &str, text: &str) -> io::Result<()> {
        let (file, prelude) = match text.strip_prefix("raw ") {
            Some(file) => (file, ""),
            None => (text, "{\"statusCode\":201,\"headers\":{\"x-own\":\"1\"},\"cookies\":[\"a=1\",\"b=2\"]}\0\0\0\0\0\0\0\0"),
        };
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\nLambda-Runtime-Function-Response-Mode: streaming\r\n\r\n"
        );
        self.0.get_mut().write_all(head.as_bytes())?;
        self.chunk(&format!("{prelude}first"))?;
        while !std::path::Path::new(file).exists() {
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        self.chunk("second")?;
        self.0.get_mut().write_all(b"0\r\n\r\n")?;
        self.read("POST").map(drop)
    }

    fn chunk(&mut self, text: &str) -> io::Result<()> {
        self.0.get_mut().write_all(format!("{:x}\r\n{text}\r\n", text.len()).as_bytes())
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.0.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end().to_owned())
    }

    fn bytes(&mut self, size: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; size];
        self.0.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    fn read(&mut self, method: &str) -> io::Result<Answer> {
        let status = self.line()?.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or(io::ErrorKind::InvalidData)?;
        let mut headers = BTreeMap::new();
        loop {
            let line = self.line()?;
            match line.split_once(':') {
                // Several values of one name are lines of one value.
                Some((name, value)) => {
                    let all: &mut String = headers.entry(name.to_lowercase()).or_default();
                    all.push_str(if all.is_empty() { "" } else { "\n" });
                    all.push_str(value.trim());
                }
                None => break,
            }
        }
        let mut body = Vec::new();
        if headers.contains_key("transfer-encoding") {
            loop {
                let size = usize::from_str_radix(&self.line()?, 16).map_err(|_| io::ErrorKind::InvalidData)?;
                body.extend(self.bytes(size)?);
                self.line()?;
                if size == 0 {
                    break;
                }
            }
        } else if method != "HEAD" {
            let size = headers.get("content-length").and_then(|size| size.parse().ok()).unwrap_or(0);
            body = self.bytes(size)?;
        }
        Ok(Answer { status, headers, body })
    }
}
