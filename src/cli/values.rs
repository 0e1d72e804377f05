//! Values that several commands read.

use std::net::SocketAddr;

use clap::builder::{OsStringValueParser, TypedValueParser};

/// Reports, folders and commands show an experiment's name, so it is text.
pub fn utf8() -> impl TypedValueParser<Value = String> {
    let refused = |name: std::ffi::OsString| format!("`{}` is not UTF-8; give the file another name", name.display());
    OsStringValueParser::new().try_map(move |name| name.into_string().map_err(refused))
}

/// A seed.
pub fn seed(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("write a whole number from 0 to {}", u64::MAX))
}

/// The default of `--live`.
pub const LIVE: &str = "127.0.0.1:0";

/// An address to listen at that only this machine can reach.
pub fn live(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr =
        text.parse().map_err(|_| "write an address and a port, such as `127.0.0.1:9000`; without one, put `--live` last")?;
    if address.ip().is_loopback() {
        return Ok(address);
    }
    let port = address.port();
    Err(format!(
        "other machines can reach {address}; write `127.0.0.1:{port}`, and forward the port from them: `ssh -L {port}:127.0.0.1:{port} HOST`"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_can_watch_a_run() {
        for (text, says) in [
            ("127.0.0.1:9000", None),
            ("[::1]:0", None),
            (LIVE, None),
            ("0.0.0.0:9000", Some("write `127.0.0.1:9000`, and forward the port")),
            ("192.168.1.4:80", Some("other machines can reach 192.168.1.4:80")),
            ("[::ffff:127.0.0.1]:1", Some("other machines can reach")),
            ("localhost:9000", Some("such as `127.0.0.1:9000`")),
            ("slow-authorizer", Some("put `--live` last")),
        ] {
            let read = live(text);
            assert_eq!(read.is_ok(), says.is_none(), "{text}");
            assert!(says.is_none_or(|says| read.is_err_and(|wrong| wrong.contains(says))), "{text}");
        }
    }
}
