//! Values of variables: passed on, never shown.

use std::collections::{BTreeMap, HashMap};

/// A value that may be a password. It has no `Display` and no `Serialize`, and its `Debug` prints
/// nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The value itself, only to pass it on.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(value: String) -> Self {
        Self(value)
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// All variables of a function.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Variables(BTreeMap<String, Secret>);

/// Lambda's limit: 4 KB for all variables together, measured as compact JSON.
pub const MOST_BYTES: usize = 4096;

impl Variables {
    /// The value of a variable.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(Secret::expose)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Sets a variable and returns its previous value, if it had one.
    pub fn set(&mut self, name: &str, value: &str) -> Option<Secret> {
        self.0.insert(name.to_owned(), Secret(value.to_owned()))
    }

    /// Removes a variable.
    pub fn unset(&mut self, name: &str) {
        self.0.remove(name);
    }

    /// Their size in bytes as Lambda measures it against [`MOST_BYTES`].
    pub fn bytes(&self) -> usize {
        let plain: BTreeMap<_, _> = self.0.iter().map(|(name, value)| (name, value.expose())).collect();
        serde_json::to_string(&plain).map_or(usize::MAX, |json| json.len())
    }

    /// All variables in the SDK's type.
    pub fn plain(&self) -> HashMap<String, String> {
        self.0.iter().map(|(name, value)| (name.clone(), value.0.clone())).collect()
    }

    /// `text` with every value of four characters or more replaced, both raw and as JSON would
    /// write it.
    pub fn hide_in(&self, text: &str) -> String {
        let mut values: Vec<_> = self.0.values().map(Secret::expose).filter(|value| value.len() >= 4).collect();
        values.sort_by_key(|value| std::cmp::Reverse(value.len()));
        values.iter().fold(text.to_owned(), |text, value| {
            let quoted = serde_json::to_string(value).unwrap_or_default();
            text.replace(quoted.trim_matches('"'), "***").replace(*value, "***")
        })
    }
}

impl<const N: usize> From<[(&str, &str); N]> for Variables {
    fn from(pairs: [(&str, &str); N]) -> Self {
        pairs.into_iter().collect()
    }
}

impl<'a> FromIterator<(&'a str, &'a str)> for Variables {
    fn from_iter<I: IntoIterator<Item = (&'a str, &'a str)>>(pairs: I) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.to_owned(), Secret(value.to_owned()))).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_in_no_debug_output() {
        let variables = Variables::from([("PASSWORD", "hunter2-hunter2")]);
        assert_eq!(format!("{variables:?}"), r#"Variables({"PASSWORD": ***})"#);
        assert!(!format!("{variables:#?}").contains("hunter2"));
    }

    #[test]
    fn a_value_is_hidden_however_it_is_quoted() {
        let variables = Variables::from([("A", "pass\"word"), ("B", "pass"), ("C", "1")]);
        assert_eq!(variables.hide_in(r#"{"A":"pass\"word"} pass"word 1 pass"#), r#"{"A":"***"} *** 1 ***"#);
    }
}
