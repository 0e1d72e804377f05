//! The source of the plan, as the extension's setting names it.

/// A source that is read over TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// `ssm:<name>`: a parameter of Systems Manager, by name (with an optional `:version` or
    /// `:label`) or ARN.
    Parameter(String),
    /// `s3://<bucket>/<key>`: an object of S3.
    Object {
        /// The bucket's name.
        bucket: String,
        /// The object's key.
        key: String,
    },
}

impl Address {
    /// Reads the setting; `None` if it names neither.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(path) = text.strip_prefix("s3://") {
            let (bucket, key) = path.split_once('/').filter(|(bucket, key)| !bucket.is_empty() && !key.is_empty())?;
            return Some(Self::Object { bucket: bucket.to_owned(), key: key.to_owned() });
        }
        text.strip_prefix("ssm:").filter(|name| !name.is_empty()).map(|name| Self::Parameter(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_a_parameter_or_an_object() {
        let object = |bucket: &str, key: &str| Some(Address::Object { bucket: bucket.into(), key: key.into() });
        let parameter = |name: &str| Some(Address::Parameter(name.into()));
        for (text, expected) in [
            ("ssm:/plans/one", parameter("/plans/one")),
            ("ssm:arn:aws:ssm:us-east-1:123456789012:parameter/one", parameter("arn:aws:ssm:us-east-1:123456789012:parameter/one")),
            ("s3://bucket/a/b.json", object("bucket", "a/b.json")),
            ("s3://bucket/", None),
            ("s3:///key", None),
            ("s3://bucket", None),
            ("ssm:", None),
            ("file:/plan", None),
            ("", None),
        ] {
            assert_eq!(Address::parse(text), expected, "{text}");
        }
    }
}
