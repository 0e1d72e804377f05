//! Random passwords. Source: Secrets Manager API reference, GetRandomPassword, and CloudFormation,
//! GenerateSecretString.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::random::random;
use crate::services::wire::{Refused, parsed};

const PUNCTUATION: &str = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";

/// How a password is made.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Settings {
    password_length: usize,
    exclude_characters: String,
    exclude_lowercase: bool,
    exclude_uppercase: bool,
    exclude_numbers: bool,
    exclude_punctuation: bool,
    include_space: bool,
    require_each_included_type: bool,
    secret_string_template: Option<String>,
    generate_string_key: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            password_length: 32,
            exclude_characters: String::new(),
            exclude_lowercase: false,
            exclude_uppercase: false,
            exclude_numbers: false,
            exclude_punctuation: false,
            include_space: false,
            require_each_included_type: true,
            secret_string_template: None,
            generate_string_key: None,
        }
    }
}

/// The value that `GenerateSecretString` makes.
///
/// # Errors
/// If it cannot be made.
pub fn value(settings: &Value) -> Result<String, Refused> {
    let settings: Settings = parsed(settings)?;
    let password = password(&settings)?;
    match (&settings.secret_string_template, &settings.generate_string_key) {
        (None, None) => Ok(password),
        (Some(template), Some(key)) => {
            let mut template: Map<String, Value> =
                serde_json::from_str(template).map_err(|why| invalid(format!("SecretStringTemplate is no JSON object: {why}")))?;
            template.insert(key.clone(), json!(password));
            Ok(Value::Object(template).to_string())
        }
        _ => Err(invalid("SecretStringTemplate and GenerateStringKey are given together".to_owned())),
    }
}

fn invalid(message: String) -> Refused {
    Refused::new("InvalidParameterException", message)
}

/// A password.
///
/// # Errors
/// If no letter is left, or its length is not possible.
pub fn password(settings: &Settings) -> Result<String, Refused> {
    let kinds: Vec<Vec<char>> = [
        (!settings.exclude_lowercase, ('a'..='z').collect::<String>()),
        (!settings.exclude_uppercase, ('A'..='Z').collect()),
        (!settings.exclude_numbers, ('0'..='9').collect()),
        (!settings.exclude_punctuation, PUNCTUATION.to_owned()),
        (settings.include_space, " ".to_owned()),
    ]
    .into_iter()
    .filter(|(included, _)| *included)
    .map(|(_, letters)| letters.chars().filter(|letter| !settings.exclude_characters.contains(*letter)).collect::<Vec<_>>())
    .filter(|letters| !letters.is_empty())
    .collect();
    let length = settings.password_length;
    let all: Vec<char> = kinds.iter().flatten().copied().collect();
    if all.is_empty() || !(1..=4096).contains(&length) {
        return Err(invalid("the password has no letters left, or its length is not 1 to 4096".to_owned()));
    }
    let mut letters = Vec::with_capacity(length);
    if settings.require_each_included_type {
        if kinds.len() > length {
            return Err(invalid("the password is too short for a letter of each type".to_owned()));
        }
        for kind in &kinds {
            letters.push(any(kind)?);
        }
    }
    while letters.len() < length {
        letters.push(any(&all)?);
    }
    for n in (1..letters.len()).rev() {
        letters.swap(n, below(n + 1)?);
    }
    Ok(letters.into_iter().collect())
}

fn any(letters: &[char]) -> Result<char, Refused> {
    letters.get(below(letters.len())?).copied().ok_or_else(|| invalid("the password has no letters".to_owned()))
}

/// A random number below `limit`.
fn below(limit: usize) -> Result<usize, Refused> {
    let bytes = random::<8>().map_err(|why| Refused::new("InternalServiceError", why.to_string()))?;
    let limit = u64::try_from(limit).unwrap_or(u64::MAX).max(1);
    // 64 bits are so many that the remainder's unevenness does not matter.
    Ok(usize::try_from(u64::from_le_bytes(bytes) % limit).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_has_the_letters_that_it_is_told_to_have() {
        let made = |settings: Value| value(&settings).map_err(|refused| refused.0);
        let default = made(json!({})).unwrap();
        assert_eq!(default.chars().count(), 32);
        assert!(default.chars().any(|c| c.is_ascii_digit()) && default.chars().any(|c| PUNCTUATION.contains(c)), "{default}");
        assert_ne!(default, made(json!({})).unwrap());
        let digits = made(
            json!({"PasswordLength": 500, "ExcludeLowercase": true, "ExcludeUppercase": true, "ExcludePunctuation": true, "ExcludeCharacters": "01"}),
        );
        assert!(digits.as_ref().unwrap().chars().all(|c| ('2'..='9').contains(&c)), "{digits:?}");
        for settings in [
            json!({"PasswordLength": 3}),
            json!({"PasswordLength": 0}),
            json!({"PasswordLength": 5000}),
            json!({"GenerateStringKey": "password"}),
            json!({"GenerateStringKey": "password", "SecretStringTemplate": "no"}),
        ] {
            assert_eq!(made(settings.clone()), Err("InvalidParameterException"), "{settings}");
        }
    }
}
