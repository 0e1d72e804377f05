//! Looks through the logs of an own stack's functions for what must not be there: secrets of the
//! template, and tokens of requests. No value is kept or shown.

use std::path::PathBuf;

use scenarios::leaks::{Leak, Leaks};
use scenarios::traffic::Tokens;

use super::own_stack::OwnStack;

/// A shorter secret may be in a log by chance.
const SHORTEST: usize = 8;

/// Looks through the log of each function, as far as there is one.
pub fn look(own: &OwnStack, tokens: &Tokens, log: impl Fn(&str) -> Option<PathBuf>) -> Leaks {
    let mut leaks = Leaks::default();
    let secrets: Vec<(&str, String)> =
        own.secrets.iter().flat_map(|(name, value)| texts(value).map(move |text| (name.as_str(), text))).collect();
    for function in own.functions.keys() {
        let Some(text) = log(function).and_then(|path| std::fs::read(path).ok()) else { continue };
        let text = String::from_utf8_lossy(&text);
        leaks.looked += (secrets.len() + tokens.count()) as u64;
        let mut found = |what: String, carrier| leaks.found.push(Leak { function: function.clone(), what, carrier });
        let mut named = Vec::new();
        for (name, secret) in &secrets {
            if text.contains(secret) && !named.contains(name) {
                named.push(*name);
                found(format!("the secret `{name}`"), None);
            }
        }
        for carrier in tokens.found_in(&text) {
            found("the token of a request".to_owned(), Some(carrier));
        }
    }
    leaks
}

/// What of a secret is secret: its text, or the texts of its JSON.
fn texts(value: &str) -> impl Iterator<Item = String> {
    let fields = match serde_json::from_str::<serde_json::Value>(value) {
        Ok(serde_json::Value::Object(fields)) => fields.into_iter().filter_map(|(_, field)| field.as_str().map(str::to_owned)).collect(),
        _ => vec![value.to_owned()],
    };
    fields.into_iter().filter(|text| text.len() >= SHORTEST)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_secret_is_found_in_the_log_that_has_it() {
        let folder = tempfile::tempdir().unwrap();
        let template = "
Resources:
  Key: {Type: AWS::SecretsManager::Secret, Properties: {Name: key, SecretString: '{\"user\":\"orders\",\"password\":\"correct-horse\"}'}}
  Api: {Type: AWS::Lambda::Function, Properties: {FunctionName: api, Runtime: python3.12, Handler: index.a, Role: r, Code: {ZipFile: pass}}}
  Work: {Type: AWS::Lambda::Function, Properties: {FunctionName: work, Runtime: python3.12, Handler: index.a, Role: r, Code: {ZipFile: pass}}}
";
        let path = folder.path().join("template.yaml");
        std::fs::write(&path, template).unwrap();
        let own = OwnStack::read(&path, &BTreeMap::new(), None, &BTreeMap::new()).unwrap();
        std::fs::write(folder.path().join("api.log"), "START\nconnected as orders\n").unwrap();
        std::fs::write(folder.path().join("work.log"), "config: {'password': 'correct-horse'}\n").unwrap();
        let log = |function: &str| Some(folder.path().join(format!("{function}.log")));
        let leaks = look(&own, &Tokens::default(), log);
        assert_eq!(leaks.looked, 2, "the password, in two logs");
        assert_eq!(leaks.found, [Leak { function: "work".into(), what: "the secret `key`".into(), carrier: None }]);
        assert_eq!(look(&own, &Tokens::default(), |_| None), Leaks::default());
    }
}
