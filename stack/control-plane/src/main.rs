//! The control plane as a process, so that its callers can be killed. It is empty until functions
//! and layers are created through its API.

use std::sync::{Arc, Mutex};

use control_plane::{ControlPlane, Scripted, Settling, serve};

const USAGE: &str = "brownout-control-plane [--listen ADDRESS:PORT] [--looks NUMBER]
  --listen  where it listens [127.0.0.1:0]; the address is printed
  --looks   looks at a function until its update is through [1]";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (mut listen, mut looks) = ("127.0.0.1:0".to_owned(), 1);
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match (word.as_str(), words.next()) {
            ("--listen", Some(value)) => listen = value,
            ("--looks", Some(value)) => looks = value.parse()?,
            _ => return Err(USAGE.into()),
        }
    }
    let listener = tokio::net::TcpListener::bind(&listen).await?;
    println!("listening on http://{}", listener.local_addr()?);
    let plane = ControlPlane { settling: Settling { looks, next_fails: None }, ..ControlPlane::default() };
    serve(listener, Arc::new(Mutex::new(Scripted { plane, ..Scripted::default() }))).await?;
    Ok(())
}
