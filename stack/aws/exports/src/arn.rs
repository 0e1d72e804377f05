//! Parses Amazon Resource Names. It knows nothing about the resources of a service.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An ARN with all of its parts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Arn {
    /// `aws`, `aws-cn`, `aws-us-gov`.
    pub partition: String,
    /// `lambda`.
    pub service: String,
    /// The region; empty if the service is global.
    pub region: String,
    /// The account's twelve digits; empty if the resource belongs to no account.
    pub account: String,
    /// Everything after the account.
    pub resource: String,
}

impl Arn {
    /// The resource's name after `kind:` or `kind/`, if it is of that kind.
    pub fn named(&self, service: &str, kind: &str) -> Option<&str> {
        let rest = self.resource.strip_prefix(kind)?;
        let name = rest.strip_prefix(':').or_else(|| rest.strip_prefix('/'))?;
        (self.service == service && !name.is_empty()).then_some(name)
    }

    /// Another resource in the same account and region.
    pub fn beside(&self, service: &str, resource: impl Into<String>) -> Self {
        Self { service: service.to_owned(), resource: resource.into(), ..self.clone() }
    }

    /// A role in the same account.
    pub fn role(&self, name: &str) -> Self {
        Self { region: String::new(), ..self.beside("iam", format!("role/{name}")) }
    }
}

impl fmt::Display for Arn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "arn:{}:{}:{}:{}:{}", self.partition, self.service, self.region, self.account, self.resource)
    }
}

impl FromStr for Arn {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not an ARN; it is `arn:<partition>:<service>:<region>:<account>:<resource>`");
        let parts: Vec<_> = text.splitn(6, ':').collect();
        let &["arn", partition, service, region, account, resource] = parts.as_slice() else { return Err(wrong()) };
        let word = |part: &str| part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        let number = account.is_empty() || (account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit()));
        let plain = resource.chars().all(|c| !c.is_control() && !c.is_whitespace());
        if !partition.starts_with("aws") || ![partition, service, region].into_iter().all(word) || service.is_empty() || !number {
            return Err(wrong());
        }
        if resource.is_empty() || !plain {
            return Err(wrong());
        }
        let [partition, service, region, account, resource] = [partition, service, region, account, resource].map(str::to_owned);
        Ok(Self { partition, service, region, account, resource })
    }
}

impl TryFrom<String> for Arn {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Arn> for String {
    fn from(arn: Arn) -> Self {
        arn.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_reads_back_as_it_was_written() {
        for text in [
            "arn:aws:lambda:eu-west-1:123456789012:function:authorizer",
            "arn:aws-cn:iam::123456789012:role/service-role/a",
            "arn:aws:s3:::bucket",
        ] {
            assert_eq!(text.parse::<Arn>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn an_invalid_arn_is_refused() {
        for text in [
            "",
            "arn",
            "arn:aws:lambda:eu-west-1:1:function:a",
            "arn:gcp:a:b::c",
            "arn:aws:::123456789012:x",
            "arn:aws:s3:::",
            "arn:aws:s3:::a b",
        ] {
            assert!(text.parse::<Arn>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_resource_is_named_only_for_its_own_kind() {
        let arn: Arn = "arn:aws:lambda:eu-west-1:123456789012:function:authorizer".parse().unwrap();
        assert_eq!(arn.named("lambda", "function"), Some("authorizer"));
        assert_eq!(arn.named("lambda", "layer"), None);
        assert_eq!(arn.named("s3", "function"), None);
        assert_eq!(arn.role("r").to_string(), "arn:aws:iam::123456789012:role/r");
    }
}
