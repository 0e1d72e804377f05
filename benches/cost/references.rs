//! The two references, each a separate process: a byte forwarder, which is the lower limit, and a
//! plain pass-through of hyper's server and client, streaming, pooled, without Nagle's algorithm,
//! on one thread.

use std::net::SocketAddr;

use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Uri};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{self, Done, setting};

/// The forwarder's buffer: as much as the extension reads at once of a body that passes through.
const BUFFER: usize = 512 << 10;

/// Runs the reference called `role`, in front of `UPSTREAM`, at `LISTEN`.
pub fn play(role: &str) -> Done {
    support::end_with_parent();
    let (upstream, listen): (SocketAddr, SocketAddr) = (setting("UPSTREAM")?, setting("LISTEN")?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(listen).await?;
        if role == "byte forwarder" { forward(listener, upstream).await } else { pass_through(listener, upstream).await }
    })
}

async fn forward(listener: TcpListener, upstream: SocketAddr) -> Done {
    loop {
        let (mut near, _) = listener.accept().await?;
        let mut far = TcpStream::connect(upstream).await?;
        near.set_nodelay(true)?;
        far.set_nodelay(true)?;
        tokio::spawn(async move { tokio::io::copy_bidirectional_with_sizes(&mut near, &mut far, BUFFER, BUFFER).await });
    }
}

async fn pass_through(listener: TcpListener, upstream: SocketAddr) -> Done {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let client: Client<_, Incoming> = Client::builder(TokioExecutor::new()).build(connector);
    loop {
        let (near, _) = listener.accept().await?;
        near.set_nodelay(true)?;
        let client = client.clone();
        let service = service_fn(move |mut request: Request<Incoming>| {
            let client = client.clone();
            async move {
                let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
                if let Ok(uri) = format!("http://{upstream}{path}").parse::<Uri>() {
                    *request.uri_mut() = uri;
                }
                client.request(request).await
            }
        });
        tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(near), service));
    }
}
