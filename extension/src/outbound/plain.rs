//! Plain HTTP through the proxy: each request may be for another host, so each goes through a
//! tunnel of this proxy to that host. Only the parts of a request that are for the proxy are
//! changed: the form of its target and the `Proxy-` headers.

use bytes::BytesMut;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::authority::authority;
use super::{Outbound, connect, tunnel};
use crate::connection::Connection;
use crate::exchange::{self, Broken};
use crate::message::RequestHead;
use crate::upstream::is_alive;
use crate::wait::gone;
use faults::kinds::dependency::Trouble;

/// The tunnel of the last request, and its `host:port`.
pub type Kept = Option<(String, Connection)>;

/// Why there is no tunnel.
enum NoTunnel {
    Refused,
    Broken,
}

/// Serves the request at the front of the function's buffer; returns whether its connection may
/// carry another one.
pub async fn serve(outbound: &Outbound, function: &mut Connection, request: &RequestHead, kept: &mut Kept) -> bool {
    let Some((target, head)) = for_the_host(&function.buffer, request) else {
        let _ = function.stream.write_all(connect::MALFORMED).await;
        return false;
    };
    let Some((host, port)) = authority(target.as_bytes(), Some(80)) else {
        let _ = function.stream.write_all(connect::MALFORMED).await;
        return false;
    };
    let length = head.len();
    let rest = function.buffer.split_off(request.length);
    function.buffer = BytesMut::from(head.as_slice());
    function.buffer.unsplit(rest);
    let Ok(request) = RequestHead::read(&function.buffer, length) else { return false };
    let target = format!("{host}:{port}");
    let mut again = kept.take().filter(|(before, tunnel)| *before == target && is_alive(tunnel)).map(|(_, tunnel)| tunnel);
    loop {
        let was_kept = again.is_some();
        let tunnel = match again.take() {
            Some(tunnel) => Ok(tunnel),
            None => through(outbound, function, &target).await,
        };
        let mut tunnel = match tunnel {
            Ok(tunnel) => tunnel,
            Err(NoTunnel::Refused) => {
                let _ = function.stream.write_all(connect::UNREACHABLE).await;
                return false;
            }
            Err(NoTunnel::Broken) => return broken(outbound, function, &host),
        };
        match exchange::carry(function, &request, &mut tunnel).await {
            Ok(ended) => {
                if ended.keep_platform {
                    *kept = Some((target, tunnel));
                }
                return ended.keep_runtime;
            }
            // The host dropped a kept connection. Like any client, retry on a new one if the host
            // cannot have processed the request, or may process it twice.
            Err(Broken::Unsent) if was_kept => (),
            Err(Broken::Unanswered) if was_kept && request.body.is_done() && request.is_idempotent(&function.buffer) => (),
            Err(_) => return broken(outbound, function, &host),
        }
    }
}

/// Connects through the proxy's own tunnel, so that an outage affects plain requests too.
async fn through(outbound: &Outbound, function: &Connection, target: &str) -> Result<Connection, NoTunnel> {
    let connected = async {
        let mut tunnel = Connection::new(TcpStream::connect(outbound.address).await.map_err(|_| NoTunnel::Broken)?);
        let asked = tunnel.stream.write_all(format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n").as_bytes()).await;
        asked.map_err(|_| NoTunnel::Broken)?;
        let length = tunnel.read_head().await.map_err(|_| NoTunnel::Broken)?.ok_or(NoTunnel::Broken)?;
        let answer = tunnel.buffer.split_to(length);
        if answer.starts_with(b"HTTP/1.1 200 ") { Ok(tunnel) } else { Err(NoTunnel::Refused) }
    };
    tokio::select! {
        tunnel = connected => tunnel,
        () = gone(&function.stream) => Err(NoTunnel::Broken),
    }
}

/// If an outage reset the tunnel, the function's own connection is reset too.
fn broken(outbound: &Outbound, function: &Connection, host: &str) -> bool {
    if outbound.outages.affecting(host).is_some_and(|outage| outage.trouble() == Trouble::Reset) {
        tunnel::reset(&function.stream);
    }
    false
}

/// Splits `http://host/path` in a request's head: the host with its port, and the head for the
/// host. `None` if it has another form.
fn for_the_host(buffer: &[u8], request: &RequestHead) -> Option<(String, Vec<u8>)> {
    let head = buffer.get(..request.length)?;
    let target = request.path(buffer);
    let (scheme, rest) = target.split_at_checked(7)?;
    if !scheme.eq_ignore_ascii_case(b"http://") {
        return None;
    }
    let end = rest.iter().position(|byte| b"/?#".contains(byte)).unwrap_or(rest.len());
    let (authority, path) = rest.split_at_checked(end)?;
    let authority = authority.rsplit(|byte| *byte == b'@').next()?;
    let (line, headers) = head.split_at_checked(head.iter().position(|byte| *byte == b'\n')? + 1)?;
    let version = line.get(line.iter().rposition(|byte| *byte == b' ')?..)?;
    let mut out = request.method(buffer).to_vec();
    out.push(b' ');
    if !path.starts_with(b"/") {
        out.push(b'/');
    }
    out.extend_from_slice(path);
    out.extend_from_slice(version);
    let for_the_proxy = |line: &[u8]| line.get(..6).is_some_and(|start| start.eq_ignore_ascii_case(b"proxy-"));
    headers.split_inclusive(|byte| *byte == b'\n').filter(|line| !for_the_proxy(line)).for_each(|line| out.extend_from_slice(line));
    Some((String::from_utf8(authority.to_vec()).ok()?, out))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_goes_to_the_host_in_origin_form() {
        for (line, host, wanted) in [
            ("GET http://a.b/c?d=e HTTP/1.1", "a.b", "GET /c?d=e HTTP/1.1"),
            ("GET HTTP://a.b:8000 HTTP/1.1", "a.b:8000", "GET / HTTP/1.1"),
            ("POST http://u:p@a.b?x HTTP/1.0", "a.b", "POST /?x HTTP/1.0"),
        ] {
            let text = format!("{line}\r\nHost: Z\r\nproxy-authorization: x\r\nProxy-Connection: keep-alive\r\nX: y\r\n\r\nbody");
            let request = RequestHead::read(text.as_bytes(), text.len() - 4).unwrap();
            let (found, head) = for_the_host(text.as_bytes(), &request).unwrap();
            assert_eq!((found.as_str(), String::from_utf8(head).unwrap()), (host, format!("{wanted}\r\nHost: Z\r\nX: y\r\n\r\n")));
        }
        for line in ["GET / HTTP/1.1", "GET https://a.b/ HTTP/1.1", "GET a.b:80 HTTP/1.1"] {
            let text = format!("{line}\r\n\r\n");
            let request = RequestHead::read(text.as_bytes(), text.len()).unwrap();
            assert_eq!(for_the_host(text.as_bytes(), &request), None, "{line}");
        }
    }
}
