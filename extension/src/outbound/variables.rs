//! Which variables of the function must change so that its calls come through the extension. It
//! reads variables and sets none; a note must not contain a value.

use std::net::SocketAddr;

use super::authority::authority;

/// Hosts that must never be reached through a proxy: this machine, and Lambda's own services in the
/// environment.
const NEAR: [&str; 5] = ["127.0.0.1", "localhost", "169.254.170.2", "169.254.169.254", "169.254.79.129"];
/// The variables that HTTP clients read, by purpose; some clients read only one spelling.
const PROXIES: [[&str; 2]; 2] = [["HTTPS_PROXY", "https_proxy"], ["HTTP_PROXY", "http_proxy"]];
const FOR_ALL: [&str; 2] = ["ALL_PROXY", "all_proxy"];
const NO_PROXY: [&str; 2] = ["NO_PROXY", "no_proxy"];
/// The endpoint of all services, and the prefix of the variables for single ones. Source: AWS SDKs
/// and Tools reference guide, "Service-specific endpoints".
const ENDPOINT: &str = "AWS_ENDPOINT_URL";

/// An endpoint variable whose calls can be forwarded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// The variable.
    pub name: String,
    /// The host in it.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The rest, from the path on.
    pub rest: String,
}

/// The result of reading the function's variables.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// The endpoints that can be forwarded.
    pub endpoints: Vec<Endpoint>,
    /// The proxy variables that the function has not set itself.
    pub proxies: Vec<&'static str>,
    /// The function's own list of hosts that bypass proxies.
    pub no_proxy: String,
    /// What cannot be redirected, for the ledger.
    pub notes: Vec<String>,
}

impl Found {
    /// Reads the function's variables.
    pub fn read(variables: &[(String, String)]) -> Self {
        let value = |name: &str| variables.iter().find(|(key, value)| key == name && !value.is_empty()).map(|(_, value)| value.as_str());
        let mut found = Self::default();
        let no_proxy = NO_PROXY.iter().find_map(|name| value(name)).unwrap_or_default();
        let no_proxy_is_plain = is_plain(no_proxy);
        if !no_proxy_is_plain {
            found.notes.push("`NO_PROXY` cannot be added to: calls through a proxy are not disturbed".to_owned());
        }
        for names in PROXIES {
            if names.iter().chain(&FOR_ALL).any(|name| value(name).is_some()) {
                found.notes.push(format!("the function has a proxy of its own for `{}`: such calls are not disturbed", names[0]));
            } else if no_proxy_is_plain {
                found.proxies.extend(names);
            }
        }
        no_proxy.clone_into(&mut found.no_proxy);
        for (name, value) in variables.iter().filter(|(name, value)| is_endpoint(name) && !value.is_empty()) {
            if value.len() >= 8 && value.is_char_boundary(8) && value.split_at(8).0.eq_ignore_ascii_case("https://") {
                // With another host name in the address the certificate would not match; such calls
                // come through HTTPS_PROXY.
                continue;
            }
            match endpoint(name, value) {
                Some(endpoint) => found.endpoints.push(endpoint),
                None => found.notes.push(format!("`{name}` is not a plain `http://` address: calls to it are not disturbed")),
            }
        }
        found
    }

    /// The variables to set for calls through the proxy at `proxy`; empty if the function sets them
    /// all itself. Hosts in `near` bypass it too.
    pub fn proxy_variables(&self, proxy: SocketAddr, near: &[String]) -> Vec<(String, String)> {
        if self.proxies.is_empty() {
            return Vec::new();
        }
        let before = self.no_proxy.split(',').map(str::trim).filter(|one| !one.is_empty()).map(str::to_owned);
        let mut kept: Vec<String> = Vec::new();
        for one in before.chain(NEAR.iter().map(|one| (*one).to_owned())).chain(near.iter().filter(|one| is_plain(one)).cloned()) {
            if !kept.contains(&one) {
                kept.push(one);
            }
        }
        let set = self.proxies.iter().map(|name| ((*name).to_owned(), format!("http://{proxy}")));
        set.chain(NO_PROXY.map(|name| (name.to_owned(), kept.join(",")))).collect()
    }
}

fn is_endpoint(name: &str) -> bool {
    name.strip_prefix(ENDPOINT).is_some_and(|service| service.is_empty() || (service.starts_with('_') && service.bytes().all(is_name)))
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Whether a script can use it without quoting.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_:[]*,/% ".contains(&b))
}

fn endpoint(name: &str, value: &str) -> Option<Endpoint> {
    let (scheme, rest) = value.split_at_checked(7)?;
    let at = rest.find('/').unwrap_or(rest.len());
    let (address, path) = rest.split_at_checked(at)?;
    let (host, port) = authority(address.as_bytes(), Some(80))?;
    let fits = scheme.eq_ignore_ascii_case("http://") && is_plain(path) && !path.contains(' ');
    fits.then(|| Endpoint { name: name.to_owned(), host, port, rest: path.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(variables: &[(&str, &str)]) -> Found {
        Found::read(&variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect::<Vec<_>>())
    }

    #[test]
    fn endpoints_with_plain_http_are_forwarded_and_others_are_not_touched() {
        let read = found(&[
            ("AWS_ENDPOINT_URL_DYNAMODB", "http://db.local:8000/x"),
            ("AWS_ENDPOINT_URL", "HTTP://10.0.0.1"),
            ("AWS_ENDPOINT_URL_S3", "https://s3.local"),
            ("AWS_ENDPOINT_URL_SQS", "http://user:secret@sqs.local"),
            ("AWS_ENDPOINT_URLS", "http://a"),
            ("AWS_ENDPOINT_URL_SNS", ""),
        ]);
        let parts: Vec<_> = read.endpoints.iter().map(|e| (e.name.as_str(), e.host.as_str(), e.port, e.rest.as_str())).collect();
        assert_eq!(parts, [("AWS_ENDPOINT_URL_DYNAMODB", "db.local", 8000, "/x"), ("AWS_ENDPOINT_URL", "10.0.0.1", 80, "")]);
        assert_eq!(read.notes.len(), 1);
        assert!(read.notes[0].contains("AWS_ENDPOINT_URL_SQS") && !read.notes[0].contains("secret"));
    }

    #[test]
    fn the_functions_own_proxy_stays() {
        let proxy = SocketAddr::from(([127, 0, 0, 1], 4000));
        for (variables, expected) in [
            (vec![], vec!["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "NO_PROXY", "no_proxy"]),
            (vec![("https_proxy", "http://secret")], vec!["HTTP_PROXY", "http_proxy", "NO_PROXY", "no_proxy"]),
            (vec![("ALL_PROXY", "http://secret")], vec![]),
            (vec![("NO_PROXY", "a$(b)")], vec![]),
        ] {
            let read = found(&variables);
            let set: Vec<_> = read.proxy_variables(proxy, &[]).into_iter().map(|(name, _)| name).collect();
            assert_eq!(set, expected, "{variables:?}");
            assert_eq!(read.notes.is_empty(), variables.is_empty(), "{variables:?}");
            assert!(!read.notes.iter().any(|note| note.contains("secret")));
        }
    }

    #[test]
    fn hosts_that_bypassed_proxies_still_do() {
        let read = found(&[("no_proxy", ".internal, localhost")]);
        let set = read.proxy_variables(SocketAddr::from(([127, 0, 0, 1], 4000)), &["169.254.100.1".to_owned()]);
        let kept = ".internal,localhost,127.0.0.1,169.254.170.2,169.254.169.254,169.254.79.129,169.254.100.1";
        assert_eq!(set.last().unwrap(), &("no_proxy".to_owned(), kept.to_owned()));
        assert_eq!(set[0], ("HTTPS_PROXY".to_owned(), "http://127.0.0.1:4000".to_owned()));
    }
}
