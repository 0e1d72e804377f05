//! Whether a request for the page comes from the page. A site in the same browser can send requests
//! to this machine, under a name of its own that leads to 127.0.0.1 too; it must get nothing.

use std::net::SocketAddr;

use hyper::HeaderMap;
use hyper::header::{HOST, ORIGIN};

/// What a browser may do with the page: run its own script and style, and show it in no frame.
pub const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; \
                          form-action 'none'; frame-ancestors 'none'";

/// Whether `Host` is this machine, and `Origin`, which browsers add to what a script sends, is the
/// page's.
pub fn is_own(headers: &HeaderMap, at: SocketAddr) -> bool {
    let text = |value: &hyper::header::HeaderValue| value.to_str().map(str::to_ascii_lowercase).unwrap_or_default();
    let Some(host) = headers.get(HOST).map(text) else { return false };
    let is_here = host == at.to_string() || host == format!("localhost:{}", at.port());
    is_here && headers.get_all(ORIGIN).iter().all(|origin| text(origin) == format!("http://{host}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_page_itself_and_programs_without_an_origin_are_answered() {
        for (host, origin, own) in [
            (Some("127.0.0.1:8000"), None, true),
            (Some("localhost:8000"), Some("http://localhost:8000"), true),
            (Some("127.0.0.1:8000"), Some("http://127.0.0.1:8000"), true),
            (Some("127.0.0.1:8000"), Some("http://localhost:8000"), false),
            (Some("127.0.0.1:8000"), Some("http://127.0.0.1:9000"), false),
            (Some("127.0.0.1:8000"), Some("https://evil.example"), false),
            (Some("127.0.0.1:8000"), Some("null"), false),
            (Some("evil.example:8000"), None, false),
            (Some("evil.example:8000"), Some("http://evil.example:8000"), false),
            (Some("127.0.0.1.evil.example:8000"), None, false),
            (Some("127.0.0.1"), None, false),
            (None, None, false),
        ] {
            let mut headers = HeaderMap::new();
            for (name, value) in [(HOST, host), (ORIGIN, origin)] {
                if let Some(value) = value {
                    headers.insert(name, value.parse().unwrap());
                }
            }
            assert_eq!(is_own(&headers, SocketAddr::from(([127, 0, 0, 1], 8000))), own, "{host:?} {origin:?}");
        }
    }
}
