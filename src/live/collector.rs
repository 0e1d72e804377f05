//! Sends the series of a run to an OpenTelemetry collector, by OTLP over HTTP:
//! <https://opentelemetry.io/docs/specs/otlp/#otlphttp>. What an SDK would read from the environment is
//! read here too: <https://opentelemetry.io/docs/specs/otel/protocol/exporter/>.

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use engine::snapshot::Snapshot;
use hyper::Uri;
use hyper::header::{HeaderName, HeaderValue};
use load::sender::Connections;
use serde_json::Value;
use tokio::time::{sleep, timeout};

use super::news::Latest;
use super::otlp::{self, Span};

/// The series are sent this often, and when the run has ended.
const EVERY: Duration = Duration::from_secs(5);

/// How long one answer is waited for.
const PATIENCE: Duration = Duration::from_secs(3);

/// What was measured last is sent up to so many times, for nothing follows that has it too.
const TRIES: u32 = 3;

/// Where a collector on this machine listens.
const HERE: &str = "http://localhost:4318";

/// A variable of the environment, by name.
type Variable<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Where the series go, and as whose.
pub struct Collector {
    url: String,
    address: String,
    path: String,
    headers: Vec<(String, String)>,
    resource: Vec<(String, String)>,
}

impl Collector {
    /// The collector at `url`; if that is empty, the one that the environment names, or one on this machine.
    ///
    /// # Errors
    /// If something cannot be understood; the message names it.
    pub fn at(url: &str, instance: String, variable: Variable<'_>) -> Result<Self, String> {
        let Asked { by, text, url } = if url.is_empty() { Asked::of_environment(variable) } else { Asked::of_flag(url) };
        let wrong = || format!("`{by}` is `{text}`; write an address such as `{HERE}`, or put `--otlp` last without one");
        let uri: Uri = url.parse().map_err(|_| wrong())?;
        let authority = uri.authority().ok_or_else(wrong)?;
        let address = match uri.scheme_str() {
            Some("http") => format!("{}:{}", authority.host(), authority.port_u16().unwrap_or(80)),
            Some("https") => format!("https://{authority}"),
            _ => return Err(wrong()),
        };
        let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        let headers = pairs("OTEL_EXPORTER_OTLP_HEADERS", variable)?;
        headers.iter().try_for_each(usable_header)?;
        Ok(Self { url, address, path, headers, resource: resource(instance, variable)? })
    }

    /// Sends until the run has ended; says what could not be sent.
    pub async fn follow(self, mut latest: Latest) -> Option<String> {
        let connections = Connections::new(&self.address, PATIENCE);
        let since = SystemTime::now();
        let (mut sent, mut failed) = (0, Vec::new());
        let mut goes_on = true;
        while goes_on {
            goes_on = timeout(EVERY, async { while latest.changed().await.is_ok() {} }).await.is_err();
            let Some(newest) = latest.borrow().newest.clone() else { continue };
            sent += 1;
            for left in (0..if goes_on { 1 } else { TRIES }).rev() {
                let Err(why) = self.send(&connections, &newest, since).await else { break };
                match left {
                    0 => failed.push(why),
                    _ => sleep(Duration::from_millis(500)).await,
                }
            }
        }
        let last = failed.last()?;
        Some(format!("{} of {sent} messages to the collector at {} failed, the last of them: {last}", failed.len(), self.url))
    }

    async fn send(&self, connections: &Connections, snapshot: &Snapshot, since: SystemTime) -> Result<(), String> {
        let message = otlp::message(snapshot, &self.resource, Span { since, until: SystemTime::now() });
        let body = serde_json::to_string(&message).map_err(|error| error.to_string())?;
        let own = [("content-type", "application/json"), ("user-agent", "brownout")].into_iter();
        let headers: Vec<_> = own.chain(self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()))).collect();
        let request = load::http::json(&self.address, &self.path, &headers, body).map_err(|error| error.to_string())?;
        let (status, answer) = connections.send(request).await.map_err(|error| error.to_string())?;
        match status {
            200..300 => taken(&answer),
            _ => Err(format!("it answered {status}")),
        }
    }
}

/// Whether all was taken. Source: OTLP, "Partial Success".
fn taken(answer: &[u8]) -> Result<(), String> {
    let answer: Value = serde_json::from_slice(answer).unwrap_or_default();
    let told = |key: &str| answer.get("partialSuccess").and_then(|partial| partial.get(key));
    let count = told("rejectedDataPoints").and_then(|count| count.as_u64().or_else(|| count.as_str()?.parse().ok())).unwrap_or_default();
    let why = told("errorMessage").and_then(Value::as_str).unwrap_or("it does not say why");
    if count == 0 { Ok(()) } else { Err(format!("it rejected {count} data points: {why}")) }
}

/// Which address was asked for: by what, as it was written, and the whole of it.
struct Asked {
    by: &'static str,
    text: String,
    url: String,
}

impl Asked {
    /// An address without a path has that of metrics.
    fn of_flag(text: &str) -> Self {
        let has_path = text.split_once("://").is_some_and(|(_, rest)| rest.trim_end_matches('/').contains('/'));
        Self { by: "--otlp", text: text.to_owned(), url: if has_path { text.to_owned() } else { of_metrics(text) } }
    }

    fn of_environment(variable: Variable<'_>) -> Self {
        let (metrics, all) = ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT");
        if let Some(text) = variable(metrics) {
            return Self { by: metrics, url: text.clone(), text };
        }
        let text = variable(all).unwrap_or_else(|| HERE.to_owned());
        Self { by: all, url: of_metrics(&text), text }
    }
}

fn of_metrics(base: &str) -> String {
    format!("{}/v1/metrics", base.trim_end_matches('/'))
}

fn resource(instance: String, variable: Variable<'_>) -> Result<Vec<(String, String)>, String> {
    let mut named = pairs("OTEL_RESOURCE_ATTRIBUTES", variable)?;
    let service = variable("OTEL_SERVICE_NAME");
    named.retain(|(key, _)| key != "service.instance.id" && (key != "service.name" || service.is_none()));
    let names_service = named.iter().any(|(key, _)| key == "service.name");
    if !names_service {
        named.push(("service.name".to_owned(), service.unwrap_or_else(|| "brownout".to_owned())));
    }
    // Several runs, or workers of one, are not one series.
    named.push(("service.instance.id".to_owned(), instance));
    Ok(named)
}

/// `key=value,key=value`, whose values are percent-encoded. Source: OpenTelemetry, "Specifying headers via environment variables".
fn pairs(name: &str, variable: Variable<'_>) -> Result<Vec<(String, String)>, String> {
    let text = variable(name).unwrap_or_default();
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    let pair = |part: &str| {
        // The value may be secret.
        let (key, value) = part.split_once('=').ok_or_else(|| format!("`{name}` has a part without `=`; write `key=value,key=value`"))?;
        let value = percent_encoding::percent_decode_str(value.trim()).decode_utf8().map(Cow::into_owned);
        Ok((key.trim().to_owned(), value.map_err(|_| format!("the value of `{}` in `{name}` is not UTF-8", key.trim()))?))
    };
    parts.map(pair).collect()
}

fn usable_header((name, value): &(String, String)) -> Result<(), String> {
    let is_usable = HeaderName::from_bytes(name.as_bytes()).is_ok() && HeaderValue::from_str(value).is_ok();
    if is_usable { Ok(()) } else { Err(format!("`{name}` of `OTEL_EXPORTER_OTLP_HEADERS` can be no header")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(url: &str, variables: &[(&str, &str)]) -> Result<Collector, String> {
        let variable = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        Collector::at(url, "7".to_owned(), &variable)
    }

    #[test]
    fn a_collector_is_found_as_an_sdk_finds_it() {
        let here = [("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318/")];
        let metrics = [here[0], ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "https://eu.example.com/in?team=a")];
        for (url, variables, address, path) in [
            ("", &[][..], "localhost:4318", "/v1/metrics"),
            ("", &here, "collector:4318", "/v1/metrics"),
            ("", &metrics, "https://eu.example.com", "/in?team=a"),
            ("http://127.0.0.1:9000", &metrics, "127.0.0.1:9000", "/v1/metrics"),
            ("http://127.0.0.1", &[], "127.0.0.1:80", "/v1/metrics"),
            ("https://a.example:8443/otlp/", &[], "https://a.example:8443", "/otlp/"),
        ] {
            let collector = at(url, variables).unwrap();
            assert_eq!((collector.address.as_str(), collector.path.as_str()), (address, path), "{url}");
        }
    }

    #[test]
    fn what_cannot_be_understood_is_named() {
        for (url, variables, says) in [
            ("collector", &[][..], "`--otlp` is `collector`; write an address such as `http://localhost:4318`, or put `--otlp` last"),
            ("grpc://collector", &[], "write an address"),
            ("", &[("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317")], "`OTEL_EXPORTER_OTLP_ENDPOINT` is `collector:4317`"),
            ("", &[("OTEL_EXPORTER_OTLP_HEADERS", "secret")], "`OTEL_EXPORTER_OTLP_HEADERS` has a part without `=`"),
            ("", &[("OTEL_EXPORTER_OTLP_HEADERS", "a b=c")], "`a b` of `OTEL_EXPORTER_OTLP_HEADERS` can be no header"),
        ] {
            let wrong = at(url, variables).err().unwrap();
            assert!(wrong.contains(says) && !wrong.contains("secret"), "{url}: {wrong}");
        }
    }

    #[test]
    fn headers_are_decoded_and_a_service_is_named_once() {
        let headers = ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=a%20b, x = 1");
        let attributes = ("OTEL_RESOURCE_ATTRIBUTES", "service.name=other,team=shop");
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let collector = at("", &[headers, attributes]).unwrap();
        assert_eq!(collector.headers, [pair("api-key", "a b"), pair("x", "1")]);
        assert_eq!(collector.resource, [pair("service.name", "other"), pair("team", "shop"), pair("service.instance.id", "7")]);
        let collector = at("", &[attributes, ("OTEL_SERVICE_NAME", "nightly")]).unwrap();
        assert_eq!(collector.resource, [pair("team", "shop"), pair("service.name", "nightly"), pair("service.instance.id", "7")]);
        assert_eq!(at("", &[]).unwrap().resource[0], pair("service.name", "brownout"));
    }

    #[test]
    fn a_collector_that_takes_a_part_is_told_of() {
        assert_eq!(taken(b""), Ok(()));
        assert_eq!(taken(br#"{"partialSuccess":{}}"#), Ok(()));
        let rejected = br#"{"partialSuccess":{"rejectedDataPoints":"3","errorMessage":"too old"}}"#;
        assert_eq!(taken(rejected), Err("it rejected 3 data points: too old".to_owned()));
    }
}
