//! The function that is deployed, as the platform starts it: this test program with one test of it, speaking the Runtime API.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

/// Answers orders with 200 and strangers with 403.
#[test]
#[ignore = "the platform starts it as a runtime"]
fn runtime() {
    let Ok(api) = std::env::var("AWS_LAMBDA_RUNTIME_API") else { return };
    let mut wire = BufReader::new(TcpStream::connect(api).unwrap());
    loop {
        let (head, event) = call(&mut wire, "GET", "/2018-06-01/runtime/invocation/next", "");
        let id = head.iter().find_map(|line| line.to_lowercase().strip_prefix("lambda-runtime-aws-request-id:").map(str::to_owned));
        let status = if event.contains("/address") { 403 } else { 200 };
        let answer = format!(r#"{{"statusCode":{status},"body":"{{}}"}}"#);
        call(&mut wire, "POST", &format!("/2018-06-01/runtime/invocation/{}/response", id.unwrap().trim()), &answer);
    }
}

/// One exchange whose answer has a length.
fn call(wire: &mut BufReader<TcpStream>, method: &str, path: &str, body: &str) -> (Vec<String>, String) {
    let request = format!("{method} {path} HTTP/1.1\r\nHost: test\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    wire.get_mut().write_all(request.as_bytes()).unwrap();
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        if wire.read_line(&mut line).unwrap() == 0 {
            std::process::exit(0);
        }
        if line.trim().is_empty() {
            break;
        }
        head.push(line.trim().to_owned());
    }
    let length =
        head.iter().find_map(|line| line.to_lowercase().strip_prefix("content-length:").map(|length| length.trim().parse().unwrap()));
    let mut body = vec![0; length.unwrap_or(0)];
    wire.read_exact(&mut body).unwrap();
    (head, String::from_utf8(body).unwrap())
}
