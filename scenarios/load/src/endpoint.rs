//! The address of an endpoint that brownout does not run itself.

use std::str::FromStr;

use hyper::Uri;

/// A URL, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// `host:port` in the clear, or `https://host:port`.
    pub origin: String,
    /// What stands in `Host`.
    pub host: String,
    /// Path and query.
    pub path: String,
}

impl Endpoint {
    /// Whether it is on this machine.
    pub fn is_loopback(&self) -> bool {
        // The colons of an IPv6 address are within brackets.
        let host = match self.host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((address, _)) => address,
            None => self.host.split_once(':').map_or(self.host.as_str(), |(host, _)| host),
        };
        host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

impl FromStr for Endpoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a URL; write for example `https://orders.example.com/prod/orders/7`");
        let uri: Uri = text.parse().map_err(|_| wrong())?;
        let host = uri
            .authority()
            .filter(|authority| !authority.as_str().contains('@') && !authority.as_str().ends_with(':'))
            .ok_or_else(wrong)?
            .to_string();
        let origin = match uri.scheme_str() {
            Some("https") => format!("https://{host}"),
            Some("http") if uri.port().is_some() => host.clone(),
            Some("http") => format!("{host}:80"),
            _ => return Err(wrong()),
        };
        let path = uri.path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string);
        Ok(Self { origin, host, path })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart_or_refused() {
        let endpoint = |origin: &str, host: &str, path: &str| Endpoint { origin: origin.into(), host: host.into(), path: path.into() };
        for (url, expected) in [
            ("https://a.example.com/prod/x?y=1", Some(endpoint("https://a.example.com", "a.example.com", "/prod/x?y=1"))),
            ("https://a.example.com:8443", Some(endpoint("https://a.example.com:8443", "a.example.com:8443", "/"))),
            ("http://127.0.0.1:3000/", Some(endpoint("127.0.0.1:3000", "127.0.0.1:3000", "/"))),
            ("http://a.example.com/x", Some(endpoint("a.example.com:80", "a.example.com", "/x"))),
            ("https://user:secret@a.example.com/", None),
            ("http://127.0.0.1:/x", None),
            ("/x", None),
            ("ftp://a.example.com/x", None),
            ("https:///x", None),
            ("", None),
        ] {
            assert_eq!(url.parse().ok(), expected, "{url}");
        }
    }
}
