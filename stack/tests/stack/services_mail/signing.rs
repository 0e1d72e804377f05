//! Signature version 4 as the SDKs make it, in a header and in a presigned link. Source: AWS IAM
//! user guide, "Create a signed AWS API request".

use std::time::{Duration, SystemTime};

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};
use stack::account::{ACCESS_KEY, SECRET_KEY};
use stack::services::wire::hexadecimal;
use template::account::REGION;

/// The signer's key, and the time.
pub struct Signer {
    pub host: String,
    pub secret: &'static str,
    pub at: SystemTime,
}

impl Signer {
    pub fn new(host: String) -> Self {
        Self { host, secret: SECRET_KEY, at: SystemTime::now() }
    }

    fn time(&self) -> String {
        let text = dates::milliseconds(self.at).replace(['-', ':'], "");
        format!("{}Z", text.split('.').next().unwrap())
    }

    fn scope(&self, service: &str) -> String {
        format!("{}/{REGION}/{service}/aws4_request", &self.time()[..8])
    }

    fn signature(&self, service: &str, canonical: &str) -> String {
        let scope = self.scope(service);
        let hash = hexadecimal(digest(&SHA256, canonical.as_bytes()).as_ref());
        let text = format!("AWS4-HMAC-SHA256\n{}\n{scope}\n{hash}", self.time());
        let mut key = format!("AWS4{}", self.secret).into_bytes();
        for part in scope.split('/') {
            key = hmac(&key, part);
        }
        hexadecimal(&hmac(&key, &text))
    }

    /// The headers of a signed request; `more` are signed too, in lower case.
    pub fn headers(&self, service: &str, method: &str, target: &str, payload: &str, more: &[(&str, &str)]) -> Vec<(String, String)> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let time = self.time();
        let mut all: Vec<(String, String)> = more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        for (name, value) in [("host", self.host.as_str()), ("x-amz-content-sha256", payload), ("x-amz-date", &time)] {
            all.push((name.to_owned(), value.to_owned()));
        }
        all.sort();
        let names: Vec<_> = all.iter().map(|(name, _)| name.as_str()).collect();
        let names = names.join(";");
        let lines: String = all.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
        let signature = self.signature(service, &format!("{method}\n{path}\n{query}\n{lines}\n{names}\n{payload}"));
        let scope = self.scope(service);
        let authorization = format!("AWS4-HMAC-SHA256 Credential={ACCESS_KEY}/{scope}, SignedHeaders={names}, Signature={signature}");
        all.push(("authorization".to_owned(), authorization));
        all
    }

    /// Path and query of a link that works for any client until it expires.
    pub fn presigned(&self, path: &str, lasts: Duration) -> String {
        let credential = format!("{ACCESS_KEY}/{}", self.scope("s3")).replace('/', "%2F");
        let query = format!(
            "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={credential}&X-Amz-Date={}&X-Amz-Expires={}&X-Amz-SignedHeaders=host&x-id=GetObject",
            self.time(),
            lasts.as_secs()
        );
        let canonical = format!("GET\n{path}\n{query}\nhost:{}\n\nhost\nUNSIGNED-PAYLOAD", self.host);
        format!("{path}?{query}&X-Amz-Signature={}", self.signature("s3", &canonical))
    }
}

fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    sign(&Key::new(HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
}
