//! Conditions of policies. An operator or a key that is not understood is no condition: then the
//! policy is not read, so that it cannot allow more than at AWS. Source: "IAM JSON policy elements:
//! Condition operators", and "AWS condition keys that can be used in API Gateway resource policies".

use std::net::IpAddr;

use serde_json::Value;

use super::policy::{fits, texts};

/// What conditions look at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Facts<'a> {
    pub source: IpAddr,
    pub agent: Option<&'a str>,
    pub referer: Option<&'a str>,
    /// The names of the caller, if it has signed.
    pub principal: Option<&'a [&'a str]>,
}

/// One condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Condition {
    test: Test,
    /// `Not...`: none of the values may match, and a missing key is right.
    negated: bool,
    /// `...IfExists`: a missing key is right.
    if_exists: bool,
    key: Key,
    values: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Test {
    Ip,
    Equal,
    EqualIgnoringCase,
    Like,
    Bool,
    Null,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    SourceIp,
    UserAgent,
    Referer,
    SecureTransport,
    /// A key that a request from outside a VPC does not have.
    Absent,
}

impl Condition {
    /// All conditions of a statement.
    pub(crate) fn read_all(value: &Value) -> Option<Vec<Self>> {
        let mut all = Vec::new();
        for (operator, keys) in value.as_object()? {
            let (test, negated, if_exists) = operator_of(operator)?;
            for (key, values) in keys.as_object()? {
                let values = match values {
                    Value::Bool(value) => vec![value.to_string()],
                    values => texts(values)?,
                };
                let is_valid = test != Test::Ip || values.iter().all(|range| range_of(range).is_some());
                all.push(Self { test, negated, if_exists, key: Key::read(key)?, values: is_valid.then_some(values)? });
            }
        }
        Some(all)
    }

    /// Whether it holds.
    pub(crate) fn holds(&self, facts: &Facts<'_>) -> bool {
        let value = self.key.value(facts);
        if self.test == Test::Null {
            return self.values.iter().any(|wanted| wanted.eq_ignore_ascii_case(if value.is_none() { "true" } else { "false" }));
        }
        let Some(value) = value else { return self.negated || self.if_exists };
        self.values.iter().any(|wanted| self.test.matches(wanted, &value)) != self.negated
    }
}

fn operator_of(text: &str) -> Option<(Test, bool, bool)> {
    let (text, if_exists) = text.strip_suffix("IfExists").map_or((text, false), |text| (text, true));
    let (test, negated) = match text {
        "IpAddress" => (Test::Ip, false),
        "NotIpAddress" => (Test::Ip, true),
        "StringEquals" => (Test::Equal, false),
        "StringNotEquals" => (Test::Equal, true),
        "StringEqualsIgnoreCase" => (Test::EqualIgnoringCase, false),
        "StringNotEqualsIgnoreCase" => (Test::EqualIgnoringCase, true),
        "StringLike" => (Test::Like, false),
        "StringNotLike" => (Test::Like, true),
        "Bool" => (Test::Bool, false),
        "Null" if !if_exists => (Test::Null, false),
        _ => return None,
    };
    Some((test, negated, if_exists))
}

impl Test {
    fn matches(self, wanted: &str, value: &str) -> bool {
        match self {
            Self::Ip => value.parse().is_ok_and(|address| range_of(wanted).is_some_and(|range| is_within(address, range))),
            Self::Equal => wanted == value,
            Self::EqualIgnoringCase | Self::Bool => wanted.eq_ignore_ascii_case(value),
            Self::Like => fits(wanted, value),
            Self::Null => false,
        }
    }
}

impl Key {
    fn read(text: &str) -> Option<Self> {
        Some(match text.to_ascii_lowercase().as_str() {
            "aws:sourceip" => Self::SourceIp,
            "aws:useragent" => Self::UserAgent,
            "aws:referer" => Self::Referer,
            "aws:securetransport" => Self::SecureTransport,
            "aws:sourcevpc" | "aws:sourcevpce" | "aws:vpcsourceip" => Self::Absent,
            _ => return None,
        })
    }

    fn value(self, facts: &Facts<'_>) -> Option<String> {
        match self {
            Self::SourceIp => Some(facts.source.to_string()),
            Self::UserAgent => facts.agent.map(str::to_owned),
            Self::Referer => facts.referer.map(str::to_owned),
            // At AWS a request that is not encrypted does not arrive.
            Self::SecureTransport => Some("true".to_owned()),
            Self::Absent => None,
        }
    }
}

/// An address or a range such as `192.0.2.0/24`.
fn range_of(text: &str) -> Option<(IpAddr, u32)> {
    let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
    let address: IpAddr = address.parse().ok()?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let bits = bits.map_or(Some(most), |bits| bits.parse().ok())?;
    (bits <= most).then_some((address, bits))
}

fn is_within(address: IpAddr, (range, bits): (IpAddr, u32)) -> bool {
    match (address, range) {
        (IpAddr::V4(address), IpAddr::V4(range)) => (address.to_bits() ^ range.to_bits()).checked_shr(32 - bits).unwrap_or(0) == 0,
        (IpAddr::V6(address), IpAddr::V6(range)) => (address.to_bits() ^ range.to_bits()).checked_shr(128 - bits).unwrap_or(0) == 0,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn conditions_hold_as_iam_says() {
        let facts = Facts { source: "198.51.100.7".parse().unwrap(), agent: Some("curl/8"), referer: None, principal: None };
        for (condition, holds) in [
            (json!({ "IpAddress": { "aws:SourceIp": "198.51.100.0/24" } }), Some(true)),
            (json!({ "IpAddress": { "aws:sourceip": ["192.0.2.1", "198.51.100.7"] } }), Some(true)),
            (json!({ "IpAddress": { "aws:SourceIp": "0.0.0.0/0" } }), Some(true)),
            (json!({ "IpAddress": { "aws:SourceIp": "2001:db8::/32" } }), Some(false)),
            (json!({ "NotIpAddress": { "aws:SourceIp": ["192.0.2.0/24", "198.51.100.0/24"] } }), Some(false)),
            (json!({ "StringLike": { "aws:UserAgent": "curl/*" } }), Some(true)),
            (json!({ "StringEquals": { "aws:Referer": "x" } }), Some(false)),
            (json!({ "StringEqualsIfExists": { "aws:Referer": "x" } }), Some(true)),
            (json!({ "StringNotEquals": { "aws:SourceVpce": "vpce-1" } }), Some(true)),
            (json!({ "StringEquals": { "aws:SourceVpc": "vpc-1" } }), Some(false)),
            (json!({ "Bool": { "aws:SecureTransport": "false" } }), Some(false)),
            (json!({ "Bool": { "aws:SecureTransport": true } }), Some(true)),
            (json!({ "Null": { "aws:SourceVpc": "true" } }), Some(true)),
            (json!({ "IpAddress": { "aws:SourceIp": "198.51.100.0/24" }, "StringLike": { "aws:UserAgent": "wget/*" } }), Some(false)),
            (json!({}), Some(true)),
            (json!({ "DateLessThan": { "aws:CurrentTime": "2030-01-01T00:00:00Z" } }), None),
            (json!({ "StringEquals": { "aws:PrincipalTag/team": "x" } }), None),
            (json!({ "IpAddress": { "aws:SourceIp": "198.51.100.0/33" } }), None),
        ] {
            let read = Condition::read_all(&condition);
            assert_eq!(read.map(|all| all.iter().all(|it| it.holds(&facts))), holds, "{condition}");
        }
    }
}
