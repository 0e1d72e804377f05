//! The function's calls to other hosts, if they come through the extension: an HTTP proxy on a
//! separate port, and a forwarder for each endpoint variable. Without an outage it must not be
//! possible to tell that it is there; calls that take another route are not touched.

pub mod authority;
pub mod connect;
pub mod outages;
pub mod plain;
pub mod tunnel;
pub mod variables;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tokio::net::TcpListener;

use crate::connection::Connection;
use crate::ledger::Ledger;
use outages::Outages;
use tunnel::Cut;
use variables::{Endpoint, Found};

/// The proxy of one environment.
#[derive(Debug)]
pub struct Outbound {
    /// The outages in force.
    pub outages: Arc<Outages>,
    /// Where the proxy listens.
    pub address: SocketAddr,
    /// The function's variables that send its calls here.
    pub variables: Vec<(String, String)>,
}

/// Listens in front of the endpoints that these variables of the function name; hosts in `near`
/// bypass the proxy. `None`, and a note, if it cannot.
pub async fn start(function: &[(String, String)], near: &[String], ledger: &Arc<Ledger>) -> Option<Arc<Outbound>> {
    let found = Found::read(function);
    for note in &found.notes {
        ledger.note(note);
    }
    let Some((listener, address)) = listen().await else {
        ledger.note("cannot listen for the function's calls: none is disturbed");
        return None;
    };
    let outages = Arc::new(Outages::new(ledger.function().to_owned()));
    let mut variables = found.proxy_variables(address, near);
    for endpoint in found.endpoints {
        let Some((listener, address)) = listen().await else {
            ledger.note(&format!("cannot listen in front of `{}`: calls to it are not disturbed", endpoint.name));
            continue;
        };
        variables.push((endpoint.name.clone(), format!("http://{address}{}", endpoint.rest)));
        tokio::spawn(forward(listener, Arc::new(endpoint), Arc::clone(&outages)));
    }
    let outbound = Arc::new(Outbound { outages, address, variables });
    let serving = Arc::clone(&outbound);
    tokio::spawn(connect::accept(listener, move |function| connect::serve(Arc::clone(&serving), function)));
    Some(outbound)
}

async fn listen() -> Option<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.ok()?;
    let address = listener.local_addr().ok()?;
    Some((listener, address))
}

/// Forwards every connection to the endpoint's host. Host names in it are not changed: they may be
/// signed.
async fn forward(listener: TcpListener, endpoint: Arc<Endpoint>, outages: Arc<Outages>) {
    let serve = move |function: Connection| {
        let (endpoint, outages) = (Arc::clone(&endpoint), Arc::clone(&outages));
        async move {
            match tunnel::open(&outages, &function.stream, &endpoint.host, endpoint.port).await {
                Ok(far) => tunnel::run(&outages, &endpoint.host, function.stream, function.buffer, far).await,
                // The connection is already accepted; closing it without a byte of an answer is the
                // closest match.
                Err(Cut::Reset) => tunnel::reset(&function.stream),
                Err(Cut::Refused | Cut::Closed) => (),
            }
        }
    };
    connect::accept(listener, serve).await;
}
