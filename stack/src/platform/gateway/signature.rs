//! Signatures of requests (AWS Signature Version 4), checked against the account's one key. Source:
//! "Create a signed AWS API request" in the IAM guide. A presigned query is not accepted.

use std::collections::BTreeMap;
use std::time::{Duration, UNIX_EPOCH};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac;
use bytes::Bytes;
use hyper::header::HeaderMap;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::call::Call;
use super::refusal::Refusal;
use super::routes::Front;
use crate::account::{ACCESS_KEY, SECRET_KEY};
use crate::services::wire::hexadecimal;

/// What is not escaped: RFC 3986's unreserved characters.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// How old or new a signature may be.
const SKEW: Duration = Duration::from_secs(300);
const ALGORITHM: &str = "AWS4-HMAC-SHA256 ";

const INCOMPLETE: Refusal = Refusal::BadSignature(
    "IncompleteSignatureException",
    "Authorization header requires 'Credential', 'Signature' and 'SignedHeaders' parameters and a date.",
);
const UNKNOWN_KEY: Refusal = Refusal::BadSignature("UnrecognizedClientException", "The security token included in the request is invalid.");
const MISMATCH: Refusal = Refusal::BadSignature(
    "InvalidSignatureException",
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.",
);
const OUT_OF_TIME: Refusal = Refusal::BadSignature("InvalidSignatureException", "Signature expired or not yet current.");
const OUT_OF_SCOPE: Refusal =
    Refusal::BadSignature("InvalidSignatureException", "Credential should be scoped to a valid region and to the correct service.");

/// Whether the request is signed with the account's key, for this region and this service, now.
pub(crate) fn check(call: &Call<'_>, body: &Bytes) -> Result<(), Refusal> {
    let Some(authorization) = call.header("authorization") else { return Err(Refusal::NotSigned) };
    let fields = authorization.strip_prefix(ALGORITHM).ok_or(INCOMPLETE)?;
    let field = |name: &str| fields.split(',').find_map(|field| field.trim().strip_prefix(name)?.strip_prefix('='));
    let (Some(credential), Some(signed), Some(signature), Some(date)) =
        (field("Credential"), field("SignedHeaders"), field("Signature"), call.header("x-amz-date"))
    else {
        return Err(INCOMPLETE);
    };
    let (key, scope) = credential.split_once('/').ok_or(INCOMPLETE)?;
    if key != ACCESS_KEY {
        return Err(UNKNOWN_KEY);
    }
    let service = if call.front == Front::Url { "lambda" } else { "execute-api" };
    let day = date.get(..8).unwrap_or_default();
    if scope != format!("{day}/{}/{service}/aws4_request", call.region) {
        return Err(OUT_OF_SCOPE);
    }
    // Dates of this form are in the order of their letters.
    if !(basic(call.time.saturating_sub(SKEW))..=basic(call.time + SKEW)).contains(&date.to_owned()) {
        return Err(OUT_OF_TIME);
    }
    let hash = hexadecimal(digest(&SHA256, body).as_ref());
    // A hash that is signed must be the body's.
    if call.header("x-amz-content-sha256").is_some_and(|claimed| claimed != hash) {
        return Err(MISMATCH);
    }
    let canonical = canonical(call, signed, &hash).ok_or(INCOMPLETE)?;
    let text = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", hexadecimal(digest(&SHA256, canonical.as_bytes()).as_ref()));
    let expected = hexadecimal(seal(&signing_key(SECRET_KEY, scope), text.as_bytes()).as_ref());
    verify_slices_are_equal(expected.as_bytes(), signature.as_bytes()).map_err(|_| MISMATCH)
}

/// A time such as `20150830T123600Z`.
fn basic(time: Duration) -> String {
    dates::seconds(UNIX_EPOCH + time).chars().filter(|letter| !matches!(letter, '-' | ':')).take(15).chain(['Z']).collect()
}

/// The request in the form that is signed; `None` if a signed header is missing or `host` is not signed.
fn canonical(call: &Call<'_>, signed: &str, hash: &str) -> Option<String> {
    let names: Vec<&str> = signed.split(';').collect();
    if !names.contains(&"host") || !names.contains(&"x-amz-date") {
        return None;
    }
    let mut headers = String::new();
    for name in names {
        headers.push_str(&format!("{name}:{}\n", value_of(call.headers, name)?));
    }
    // All services but S3 escape the path as it is sent once more.
    let path = call.sent_path.split('/').map(|part| utf8_percent_encode(part, ESCAPED).to_string()).collect::<Vec<_>>().join("/");
    Some(format!("{}\n{path}\n{}\n{headers}\n{signed}\n{hash}", call.method, query(call.query.unwrap_or_default())))
}

fn value_of(headers: &HeaderMap, name: &str) -> Option<String> {
    let values =
        headers.get_all(name).into_iter().map(|value| value.to_str().map(|text| text.split_whitespace().collect::<Vec<_>>().join(" ")));
    let values: Vec<String> = values.collect::<Result<_, _>>().ok()?;
    (!values.is_empty()).then(|| values.join(","))
}

fn query(text: &str) -> String {
    let escaped = |text: &str| utf8_percent_encode(&percent_decode_str(text).decode_utf8_lossy(), ESCAPED).to_string();
    let mut pairs: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        pairs.entry(escaped(name)).or_default().push(escaped(value));
    }
    let sorted = pairs.into_iter().flat_map(|(name, mut values)| {
        values.sort();
        values.into_iter().map(move |value| format!("{name}={value}"))
    });
    sorted.collect::<Vec<_>>().join("&")
}

fn signing_key(secret: &str, scope: &str) -> hmac::Tag {
    let (day, rest) = scope.split_once('/').unwrap_or((scope, ""));
    let first = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, format!("AWS4{secret}").as_bytes()), day.as_bytes());
    rest.split('/').fold(first, |key, part| seal(&key, part.as_bytes()))
}

fn seal(key: &hmac::Tag, text: &[u8]) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key.as_ref()), text)
}

#[cfg(test)]
mod tests {
    use super::super::sample::with_call;
    use super::*;

    const DAY: &str = "20200304";
    const DATE: &str = "20200304T190358Z";

    /// Signs what a test call holds, by the same rules.
    fn authorization(service: &str, headers: &[(&str, &str)], body: &Bytes) -> String {
        let scope = format!("{DAY}/us-east-1/{service}/aws4_request");
        let front = if service == "lambda" { Front::Url } else { Front::Rest };
        let hash = hexadecimal(digest(&SHA256, body).as_ref());
        let canonical = with_call(front, headers, |call| canonical(call, "host;x-amz-date", &hash)).unwrap();
        let text = format!("AWS4-HMAC-SHA256\n{DATE}\n{scope}\n{}", hexadecimal(digest(&SHA256, canonical.as_bytes()).as_ref()));
        let signature = hexadecimal(seal(&signing_key(SECRET_KEY, &scope), text.as_bytes()).as_ref());
        format!("{ALGORITHM}Credential={ACCESS_KEY}/{scope}, SignedHeaders=host;x-amz-date, Signature={signature}")
    }

    fn checked(front: Front, headers: &[(&str, &str)], body: &Bytes) -> Result<(), Refusal> {
        with_call(front, headers, |call| check(call, body))
    }

    #[test]
    fn only_the_accounts_own_signature_of_this_request_passes() {
        let body = Bytes::from_static(b"{}");
        let sent = [("host", "localhost:80"), ("x-amz-date", DATE)];
        let good = authorization("execute-api", &sent, &body);
        let all = |authorization: &str| checked(Front::Rest, &[sent[0], sent[1], ("authorization", authorization)], &body);
        assert_eq!(all(&good), Ok(()));
        assert_eq!(all(&good.replace("Signature=", "Signature=0")), Err(MISMATCH));
        assert_eq!(all(&good.replace(ACCESS_KEY, "AKIAOTHER")), Err(UNKNOWN_KEY));
        assert_eq!(all("Bearer x"), Err(INCOMPLETE));
        assert_eq!(all(&good.replace("host;", "")), Err(INCOMPLETE));
        assert_eq!(all(&authorization("lambda", &sent, &body)), Err(OUT_OF_SCOPE));
        assert_eq!(checked(Front::Rest, &sent, &body), Err(Refusal::NotSigned));
        assert_eq!(checked(Front::Rest, &[sent[0], sent[1], ("authorization", &good)], &Bytes::from_static(b"other")), Err(MISMATCH));
        let late = [("host", "localhost:80"), ("x-amz-date", "20200304T184000Z")];
        assert_eq!(checked(Front::Rest, &[late[0], late[1], ("authorization", &good)], &body), Err(OUT_OF_TIME));
        let url = authorization("lambda", &sent, &body);
        assert_eq!(checked(Front::Url, &[sent[0], sent[1], ("authorization", &url)], &body), Ok(()));
    }

    /// The key is the example of "Examples of how to derive a signing key for Signature Version 4".
    #[test]
    fn keys_are_derived_and_queries_are_sorted_as_aws_says() {
        let key = signing_key("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "20150830/us-east-1/iam/aws4_request");
        assert_eq!(hexadecimal(key.as_ref()), "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9");
        assert_eq!(query("b=2&a=x%20y&a=%2F&c"), "a=%2F&a=x%20y&b=2&c=");
    }
}
