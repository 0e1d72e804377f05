//! The tags with which a team says that a function may be struck, or belongs to production.

use crate::call::CallError;
use crate::client::Lambda;
use crate::secret::Variables;

/// Words that mean that customers use a function.
const PRODUCTION: [&str; 4] = ["prod", "production", "prd", "live"];

/// A function's tags.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tags(Vec<(String, String)>);

impl Tags {
    /// Whether the function has the tag `key` with `value`.
    pub fn has(&self, key: &str, value: &str) -> bool {
        self.0.iter().any(|(name, found)| name == key && found == value)
    }

    /// A tag that means production, as `key=value`.
    pub fn production(&self) -> Option<String> {
        self.0.iter().find(|(_, value)| is_production(value)).map(|(key, value)| format!("{key}={value}"))
    }
}

/// Whether one of the words of a name means production: `prod-eu`, `orders_live`, `clinicProd2`,
/// but not `product`.
pub fn is_production(name: &str) -> bool {
    words(name).iter().any(|word| PRODUCTION.contains(&word.as_str()))
}

/// The words of a name in lower case: runs of letters; an upper-case letter after a lower-case one
/// begins a new word.
fn words(name: &str) -> Vec<String> {
    let (mut words, mut was_small) = (vec![String::new()], false);
    for c in name.chars() {
        if !c.is_ascii_alphabetic() || (was_small && c.is_ascii_uppercase()) {
            words.push(String::new());
        }
        was_small = c.is_ascii_lowercase();
        if let Some(word) = words.last_mut().filter(|_| c.is_ascii_alphabetic()) {
            word.push(c.to_ascii_lowercase());
        }
    }
    words
}

impl Lambda {
    /// The tags of the function with this ARN.
    ///
    /// # Errors
    /// The error of the last call.
    pub async fn tags(&self, arn: &str) -> Result<Tags, CallError> {
        let once = || async {
            let read = self.client.list_tags().resource(arn).send().await;
            let read = read.map_err(|error| CallError::read("ListTags", arn, &error, &Variables::default()))?;
            Ok(Tags(read.tags.into_iter().flatten().collect()))
        };
        self.patience.insist(once).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_production_tag_is_found_under_any_key() {
        let tags = |key: &str, value: &str| Tags(vec![("team".into(), "orders".into()), (key.into(), value.into())]);
        for (key, value, seen) in [
            ("env", "prod", true),
            ("Stage", "Production", true),
            ("env", "prod-eu", true),
            ("env", "eu_PROD_1", true),
            ("aws:cloudformation:stack-name", "clinicLive2", true),
            ("stack", "ordersProd", true),
            ("env", "test", false),
            ("team", "product", false),
            ("team", "delivery", false),
            ("env", "non-reproducible", false),
            ("prod", "no", false),
        ] {
            assert_eq!(tags(key, value).production().is_some(), seen, "{key}={value}");
        }
        assert!(tags("brownout", "allowed").has("brownout", "allowed"));
        assert!(!tags("brownout", "denied").has("brownout", "allowed"));
    }
}
