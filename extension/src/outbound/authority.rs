//! The host and port that a request names. A text that is not clearly one is refused.

/// Host and port of `host:port`, or of `host` if there is a default port.
pub fn authority(text: &[u8], usual: Option<u16>) -> Option<(String, u16)> {
    let text = std::str::from_utf8(text).ok()?;
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port.parse().ok()?),
        _ => (text, usual?),
    };
    let plain = |b: u8| b.is_ascii_alphanumeric() || b".-_:[]%".contains(&b);
    (!host.is_empty() && host.bytes().all(plain) && port != 0).then(|| (host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authority_is_a_host_and_a_port() {
        for (text, usual, wanted) in [
            ("example.com:443", None, Some(("example.com", 443))),
            ("example.com", Some(80), Some(("example.com", 80))),
            ("example.com", None, None),
            ("[::1]:8080", None, Some(("[::1]", 8080))),
            ("[::1]", Some(80), Some(("[::1]", 80))),
            ("example.com:0", None, None),
            ("example.com:x", None, None),
            ("exam ple:1", None, None),
            (":443", None, None),
            ("", Some(80), None),
        ] {
            let found = authority(text.as_bytes(), usual);
            assert_eq!(found.as_ref().map(|(host, port)| (host.as_str(), *port)), wanted, "{text}");
        }
    }
}
