//! A request as the gateway has read it, and what events, policies and authorizers need to know of
//! it. It decides nothing.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, UNIX_EPOCH};

use base64::Engine;
use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, COOKIE, HeaderMap, USER_AGENT};
use template::apis::{Api, ApiKey, Identity};

use super::routes::{DEFAULT, Found, Front};
use crate::platform::names::ACCOUNT;
use crate::platform::spelling::Spelling;

/// All values of each name.
pub(crate) type Multi<'a> = BTreeMap<Cow<'a, str>, Vec<Cow<'a, str>>>;

/// A request as the gateway has read it.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    pub front: Front,
    pub api: &'a Api,
    pub found: Found<'a>,
    /// The key that gave access to the method, if it requires one.
    pub key: Option<&'a ApiKey>,
    pub method: &'a str,
    /// Without the stage.
    pub path: &'a str,
    /// The path of the request as it was sent.
    pub sent_path: &'a str,
    pub query: Option<&'a str>,
    pub headers: &'a HeaderMap,
    /// How the names of the headers were written.
    pub spelling: &'a Spelling,
    pub trace: &'a str,
    pub request_id: &'a str,
    pub peer: IpAddr,
    pub port: u16,
    pub region: &'a str,
    /// Since 1970.
    pub time: Duration,
}

impl Call<'_> {
    /// The ARN that a policy is checked against.
    pub(crate) fn method_arn(&self) -> String {
        let path = self.path.trim_start_matches('/');
        format!("arn:aws:execute-api:{}:{ACCOUNT}:{}/{}/{}/{path}", self.region, self.api.id, self.api.stage, self.method)
    }

    /// The domain at AWS, whatever the address on this machine is.
    pub(crate) fn domain(&self) -> String {
        match self.front {
            Front::Url => format!("{}.lambda-url.{}.on.aws", self.api.id, self.region),
            Front::Rest | Front::Http => format!("{}.execute-api.{}.amazonaws.com", self.api.id, self.region),
        }
    }

    /// The path with the stage, if the stage is part of it.
    pub(crate) fn staged_path(&self) -> Cow<'_, str> {
        if self.api.stage == DEFAULT { Cow::Borrowed(self.path) } else { Cow::Owned(format!("/{}{}", self.api.stage, self.path)) }
    }

    /// Such as `GET /items`, `ANY /items` or `$default`.
    pub(crate) fn route_key(&self) -> Cow<'_, str> {
        let route = self.found.route;
        match (&route.method, route.resource.as_str()) {
            (_, DEFAULT) => Cow::Borrowed(DEFAULT),
            (method, resource) => Cow::Owned(format!("{} {resource}", method.as_deref().unwrap_or("ANY"))),
        }
    }

    /// Such as `12/Mar/2020:19:03:58 +0000`.
    pub(crate) fn access_time(&self) -> String {
        dates::access_log(UNIX_EPOCH + self.time)
    }

    pub(crate) fn agent(&self) -> Option<Cow<'_, str>> {
        self.headers.get(USER_AGENT).map(|agent| String::from_utf8_lossy(agent.as_bytes()))
    }

    /// The value of a header, as text; the first if there are several.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// All values of all headers, as events have them. HTTP APIs and URLs hand on `cookie` apart,
    /// if `cookies` is set.
    pub(crate) fn all_headers(&self, cookies_apart: bool) -> Multi<'_> {
        let mut headers = Multi::new();
        for (name, value) in self.headers {
            let own = matches!(name.as_str(), "connection" | "transfer-encoding" | "x-amzn-trace-id" | "x-forwarded-for");
            if !(own || (cookies_apart && name == COOKIE)) {
                headers.entry(self.spelled(name.as_str())).or_default().push(String::from_utf8_lossy(value.as_bytes()));
            }
        }
        let before = self.header("x-forwarded-for");
        let forwarded = before.map_or_else(|| self.peer.to_string(), |before| format!("{before}, {}", self.peer));
        for (name, value) in [
            ("x-amzn-trace-id", Cow::Borrowed(self.trace)),
            ("x-forwarded-for", Cow::Owned(forwarded)),
            ("x-forwarded-port", Cow::Owned(self.port.to_string())),
            ("x-forwarded-proto", Cow::Borrowed("http")),
        ] {
            headers.insert(self.spelled(name), vec![value]);
        }
        // An HTTP API says the length of a body that there is not.
        if self.front == Front::Http && !self.headers.contains_key("content-length") {
            headers.insert(self.spelled("content-length"), vec![Cow::Borrowed("0")]);
        }
        headers
    }

    /// A header's name as the event has it. Sources: the events in "Lambda proxy integrations in
    /// API Gateway", and recorded ones: localstack/pull/10500 for `Authorization` of REST APIs,
    /// terraform-aws-next-js/pull/31 for payload 1.0 of HTTP APIs. Payload 2.0 has lower case.
    fn spelled<'b>(&'b self, name: &'b str) -> Cow<'b, str> {
        let title = match (name, self.front) {
            (_, Front::Url) => return Cow::Borrowed(name),
            ("host", _) => "Host",
            ("user-agent", _) => "User-Agent",
            ("x-amzn-trace-id", _) => "X-Amzn-Trace-Id",
            ("x-forwarded-for", _) => "X-Forwarded-For",
            ("x-forwarded-port", _) => "X-Forwarded-Port",
            ("x-forwarded-proto", _) => "X-Forwarded-Proto",
            ("authorization", Front::Rest) => "Authorization",
            ("content-length", Front::Http) => "Content-Length",
            (name, Front::Http) => name,
            (name, Front::Rest) => self.spelling.of(name),
        };
        Cow::Borrowed(title)
    }

    /// The cookies of the request, one by one.
    pub(crate) fn cookies(&self) -> Option<Vec<Cow<'_, str>>> {
        let values = self.headers.get_all(COOKIE).into_iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
        let cookies: Vec<_> =
            values.flat_map(|value| value.split(';').map(|cookie| Cow::Owned(cookie.trim().to_owned())).collect::<Vec<_>>()).collect();
        (!cookies.is_empty()).then_some(cookies)
    }

    /// All values of all parameters of the query, decoded; `None` without parameters.
    pub(crate) fn parameters(&self) -> Option<Multi<'_>> {
        self.query.map(query).filter(|query| !query.is_empty())
    }

    /// The value of an identity source; `None` if it is missing or empty.
    pub(crate) fn identity(&self, source: &Identity) -> Option<Cow<'_, str>> {
        let value = match source {
            Identity::Header(name) => Cow::Borrowed(self.header(name)?),
            Identity::Query(name) => self.parameters()?.remove(name.as_str())?.into_iter().next()?,
            Identity::StageVariable(name) => Cow::Borrowed(self.api.variables.get(name)?.as_str()),
            Identity::Context(name) => self.context(name)?,
        };
        (!value.is_empty()).then_some(value)
    }

    /// A field of `$context`, by the names of both kinds of API.
    fn context(&self, name: &str) -> Option<Cow<'_, str>> {
        Some(match name {
            "accountId" => Cow::Borrowed(ACCOUNT),
            "apiId" => Cow::Borrowed(&self.api.id),
            "domainName" => Cow::Owned(self.domain()),
            "domainPrefix" => Cow::Borrowed(&self.api.id),
            "httpMethod" => Cow::Borrowed(self.method),
            "identity.sourceIp" | "sourceIp" => Cow::Owned(self.peer.to_string()),
            "identity.userAgent" | "userAgent" => self.agent()?,
            "identity.apiKey" => Cow::Borrowed(self.key?.value.as_deref()?),
            "identity.apiKeyId" => Cow::Borrowed(&self.key?.id),
            "path" => self.staged_path(),
            "protocol" => Cow::Borrowed("HTTP/1.1"),
            "requestId" | "extendedRequestId" => Cow::Borrowed(self.request_id),
            "requestTime" => Cow::Owned(self.access_time()),
            "requestTimeEpoch" => Cow::Owned(self.time.as_millis().to_string()),
            "resourcePath" => Cow::Borrowed(&self.found.route.resource),
            "routeKey" => self.route_key(),
            "stage" => Cow::Borrowed(&self.api.stage),
            _ => return None,
        })
    }

    /// The body as the event has it, and whether that is base64.
    pub(crate) fn body<'b>(&self, body: &'b Bytes) -> (Option<Cow<'b, str>>, bool) {
        if body.is_empty() {
            return (None, false);
        }
        let media = media_type(self.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default());
        let is_binary = match self.front {
            Front::Rest => is_any_of(&self.api.binary, media),
            Front::Http | Front::Url => !is_text(media),
        };
        if is_binary {
            return (Some(Cow::Owned(base64::engine::general_purpose::STANDARD.encode(body))), true);
        }
        // Bytes that are not UTF-8 are damaged, as at AWS.
        (Some(String::from_utf8_lossy(body)), false)
    }
}

/// The first media type of a `Content-Type` or `Accept`, without its parameters.
pub(crate) fn media_type(value: &str) -> &str {
    value.split([',', ';']).next().unwrap_or_default().trim()
}

/// Whether a media type is one of a REST API's `BinaryMediaTypes`: `*/*` is any, also a missing one.
pub(crate) fn is_any_of(binary: &[String], media: &str) -> bool {
    binary.iter().any(|declared| match declared.strip_suffix("/*") {
        Some("*") => true,
        Some(kind) => media.split_once('/').is_some_and(|(own, _)| own.eq_ignore_ascii_case(kind)),
        None => declared.eq_ignore_ascii_case(media),
    })
}

/// Which bodies HTTP APIs and URLs hand on as text. AWS does not say; measured there by
/// github.com/ministackorg/ministack/pull/766: all others are base64, forms and those without a type too.
fn is_text(media: &str) -> bool {
    let media = media.to_ascii_lowercase();
    media.starts_with("text/") || matches!(media.as_str(), "application/json" | "application/xml" | "application/javascript")
}

/// The parameters of a query, decoded, as the gateway passes them on.
fn query(text: &str) -> Multi<'_> {
    let mut all = Multi::new();
    for (name, value) in form_urlencoded::parse(text.as_bytes()) {
        all.entry(name).or_default().push(value);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::super::sample::{with_call, with_nothing};
    use super::*;

    #[test]
    fn identity_sources_are_read_from_where_they_are() {
        with_call(Front::Http, &[("x-key", "k"), ("x-empty", "")], |call| {
            for (source, value) in [
                (Identity::Header("X-Key".into()), Some("k")),
                (Identity::Header("x-empty".into()), None),
                (Identity::Query("parameter1".into()), Some("value1")),
                (Identity::Query("Parameter1".into()), None),
                (Identity::StageVariable("v".into()), Some("1")),
                (Identity::Context("routeKey".into()), Some("GET /my/{id}")),
                (Identity::Context("identity.sourceIp".into()), Some("192.0.2.1")),
                (Identity::Context("unknown".into()), None),
            ] {
                assert_eq!(call.identity(&source).as_deref(), value, "{source:?}");
            }
        });
    }

    #[test]
    fn a_body_is_text_or_base64_as_each_front_decides() {
        let bytes = Bytes::from_static(b"a\xff");
        for (front, media, text, is_base64) in [
            (Front::Rest, "application/octet-stream", "a\u{fffd}", false),
            (Front::Http, "application/octet-stream", "Yf8=", true),
            (Front::Http, "application/json; charset=utf-8", "a\u{fffd}", false),
            (Front::Url, "application/x-www-form-urlencoded", "Yf8=", true),
        ] {
            let body = with_call(front, &[("content-type", media)], |call| {
                let (body, is_base64) = call.body(&bytes);
                (body.unwrap().into_owned(), is_base64)
            });
            assert_eq!(body, (text.to_owned(), is_base64), "{front:?} {media}");
        }
        assert!(!with_nothing(Front::Http, |call| call.body(&Bytes::new()).1));
    }

    #[test]
    fn a_query_is_decoded_and_all_values_are_kept() {
        let all = query("a=1&a=%32&b=x+y&c&%zz=%4");
        assert_eq!(all["a"], ["1", "2"]);
        assert_eq!(all["b"], ["x y"]);
        assert_eq!(all["c"], [""]);
        assert_eq!(all["%zz"], ["%4"]);
    }

    #[test]
    fn media_types_are_matched_as_declared() {
        let binary = ["image/*".to_owned(), "application/pdf".to_owned()];
        for (media, yes) in
            [("image/png", true), ("IMAGE/gif", true), ("application/pdf", true), ("text/plain", false), ("", false), ("*/*", false)]
        {
            assert_eq!(is_any_of(&binary, media), yes, "{media}");
            assert!(is_any_of(&["*/*".to_owned()], media), "{media}");
        }
        assert_eq!(media_type("application/json; charset=utf-8, */*"), "application/json");
        for (media, yes) in [("text/csv", true), ("application/json", true), ("application/x-www-form-urlencoded", false), ("", false)] {
            assert_eq!(is_text(media), yes, "{media}");
        }
    }
}
