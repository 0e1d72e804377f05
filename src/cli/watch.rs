//! How a run can be followed while it goes on.

use std::net::SocketAddr;

/// Who follows a run.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Watch {
    /// Show the run in a browser, and to Prometheus, at an address of this machine [default: a free port of 127.0.0.1]
    #[arg(long, value_name = "ADDRESS", num_args = 0..=1, default_missing_value = LIVE, value_parser = live)]
    pub live: Option<SocketAddr>,
    /// Send the series of the run to an OpenTelemetry collector, by OTLP over HTTP [default: what `OTEL_EXPORTER_OTLP_ENDPOINT`
    /// says, or `http://localhost:4318`]
    #[arg(long, value_name = "URL", num_args = 0..=1, default_missing_value = "")]
    pub otlp: Option<String>,
}

/// The default of `--live`.
const LIVE: &str = "127.0.0.1:0";

/// An address to listen at that only this machine can reach.
fn live(text: &str) -> Result<SocketAddr, String> {
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
