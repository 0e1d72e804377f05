//! Keys of KMS: symmetric ones, made anew for each process, by which data is encrypted with AES-GCM
//! and an encryption context. Own code on `aws-lc-rs`. There are no signatures, grants and imported
//! keys.

mod sealed;
mod shown;

use std::collections::BTreeMap;
use std::io;

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use template::blueprint::EncryptionKey;

use self::sealed::Sealer;
use super::described::{Described, Protocol};
use super::shows::Shows;
use super::wire::{Answer, Call, JSON_1_1, Refused, Service, json_answer, no_such_operation, parsed};
use crate::platform::names::{ACCOUNT, REGION};

/// The description of this service.
pub const DESCRIBED: Described = Described {
    name: "kms",
    title: "KMS",
    protocol: Protocol::Json11("TrentService", |_, _| None),
    operations: &["Encrypt", "Decrypt", "GenerateDataKey"],
};

/// The most bytes that a call encrypts. Source: KMS API reference, Encrypt.
const LARGEST: usize = 4096;

/// The key of the aliases `alias/aws/...`, which an account has without declaring it.
const OF_SERVICES: &str = "00000000-0000-4000-8000-000000000000";

/// The keys of this machine.
pub struct Kms {
    keys: BTreeMap<String, Sealer>,
    /// The key's id by the alias.
    aliases: BTreeMap<String, String>,
}

impl Kms {
    /// The declared keys, and the one of the services.
    ///
    /// # Errors
    /// If the system provides no randomness.
    pub fn new(declared: &[EncryptionKey]) -> io::Result<Self> {
        let mut keys = BTreeMap::from([(OF_SERVICES.to_owned(), Sealer::new(OF_SERVICES)?)]);
        let mut aliases = BTreeMap::new();
        for key in declared {
            keys.insert(key.id.clone(), Sealer::new(&key.id)?);
            aliases.extend(key.aliases.iter().map(|alias| (alias.clone(), key.id.clone())));
        }
        Ok(Self { keys, aliases })
    }

    /// A key by its id, its ARN, its alias or its alias's ARN.
    fn key(&self, asked: &str) -> Result<(&str, &Sealer), Refused> {
        let prefix = format!("arn:aws:kms:{REGION}:{ACCOUNT}:");
        let name = asked.strip_prefix(&prefix).unwrap_or(asked);
        let name = name.strip_prefix("key/").unwrap_or(name);
        let id = match self.aliases.get(name) {
            Some(id) => id.as_str(),
            None if name.starts_with("alias/aws/") => OF_SERVICES,
            None => name,
        };
        let found = self.keys.get_key_value(id).map(|(id, sealer)| (id.as_str(), sealer));
        found.ok_or_else(|| {
            let what = if name.starts_with("alias/") { "Alias" } else { "Key" };
            let kind = if what == "Key" { "key/" } else { "" };
            Refused::new("NotFoundException", format!("{what} '{prefix}{kind}{name}' does not exist"))
        })
    }

    fn asked(&self, body: &Value) -> Result<(&str, &Sealer), Refused> {
        let id = body.get("KeyId").and_then(Value::as_str);
        self.key(id.ok_or_else(|| Refused::new("ValidationException", "1 validation error detected: Value null at 'keyId'"))?)
    }

    fn act(&self, operation: &str, body: &Value) -> Result<Value, Refused> {
        match operation {
            "Encrypt" => {
                let (id, sealer) = self.asked(body)?;
                let plain = bytes(body, "Plaintext")?;
                if !(1..=LARGEST).contains(&plain.len()) {
                    let message = "1 validation error detected: Value at 'plaintext' failed to satisfy constraint: Member must have \
                                   length between 1 and 4096";
                    return Err(Refused::new("ValidationException", message));
                }
                let sealed = sealer.seal(plain, &context(body)?)?;
                Ok(json!({"CiphertextBlob": STANDARD.encode(sealed), "KeyId": arn(id), "EncryptionAlgorithm": "SYMMETRIC_DEFAULT"}))
            }
            "Decrypt" => {
                let (id, plain) = self.decrypt(body)?;
                Ok(json!({"Plaintext": STANDARD.encode(plain), "KeyId": arn(&id), "EncryptionAlgorithm": "SYMMETRIC_DEFAULT"}))
            }
            "GenerateDataKey" | "GenerateDataKeyWithoutPlaintext" => self.data_key(body, operation == "GenerateDataKey"),
            "GenerateRandom" => {
                let count = body.get("NumberOfBytes").and_then(Value::as_u64).and_then(|count| usize::try_from(count).ok()).unwrap_or(0);
                if !(1..=1024).contains(&count) {
                    return Err(Refused::new("ValidationException", "NumberOfBytes must be between 1 and 1024"));
                }
                Ok(json!({"Plaintext": STANDARD.encode(random(count)?)}))
            }
            "DescribeKey" => {
                let (id, _) = self.asked(body)?;
                let manager = if id == OF_SERVICES { "AWS" } else { "CUSTOMER" };
                Ok(json!({"KeyMetadata": {
                    "AWSAccountId": ACCOUNT, "KeyId": id, "Arn": arn(id), "Enabled": true, "KeyState": "Enabled", "Description": "",
                    "KeyUsage": "ENCRYPT_DECRYPT", "KeySpec": "SYMMETRIC_DEFAULT", "KeyManager": manager, "Origin": "AWS_KMS",
                    "EncryptionAlgorithms": ["SYMMETRIC_DEFAULT"], "MultiRegion": false,
                }}))
            }
            _ => Err(no_such_operation(operation)),
        }
    }

    /// The id of the key, which is in the text, and the plain text.
    fn decrypt(&self, body: &Value) -> Result<(String, Vec<u8>), Refused> {
        let sealed = bytes(body, "CiphertextBlob")?;
        let invalid = || Refused::new("InvalidCiphertextException", "");
        let id = sealed::key_of(&sealed).ok_or_else(invalid)?.to_owned();
        if let Some(asked) = body.get("KeyId").and_then(Value::as_str)
            && self.key(asked)?.0 != id
        {
            let message = "The key ID in the request does not identify a CMK that can perform this operation.";
            return Err(Refused::new("IncorrectKeyException", message));
        }
        let sealer = self.keys.get(&id).ok_or_else(invalid)?;
        let plain = sealer.open(&sealed, &context(body)?).ok_or_else(invalid)?;
        Ok((id, plain))
    }

    fn data_key(&self, body: &Value, with_plain_text: bool) -> Result<Value, Refused> {
        let (id, sealer) = self.asked(body)?;
        let count = match (body.get("KeySpec").and_then(Value::as_str), body.get("NumberOfBytes").and_then(Value::as_u64)) {
            (Some("AES_256"), None) => 32,
            (Some("AES_128"), None) => 16,
            (None, Some(count @ 1..=1024)) => usize::try_from(count).unwrap_or(32),
            _ => {
                let message = "Please specify either number of bytes or key spec.";
                return Err(Refused::new("ValidationException", message));
            }
        };
        let plain = random(count)?;
        let sealed = sealer.seal(plain.clone(), &context(body)?)?;
        let mut answer = json!({"CiphertextBlob": STANDARD.encode(sealed), "KeyId": arn(id)});
        if let (true, Some(answer)) = (with_plain_text, answer.as_object_mut()) {
            answer.insert("Plaintext".to_owned(), json!(STANDARD.encode(plain)));
        }
        Ok(answer)
    }
}

fn arn(id: &str) -> String {
    format!("arn:aws:kms:{REGION}:{ACCOUNT}:key/{id}")
}

fn bytes(body: &Value, name: &str) -> Result<Vec<u8>, Refused> {
    let text: String = parsed(body.get(name).unwrap_or(&Value::Null))?;
    STANDARD.decode(text).map_err(|why| Refused::new("SerializationException", why.to_string()))
}

/// The encryption context in one form for every order of its entries.
fn context(body: &Value) -> Result<Vec<u8>, Refused> {
    let context: BTreeMap<String, String> = body.get("EncryptionContext").map(parsed).transpose()?.unwrap_or_default();
    Ok(json!(context).to_string().into_bytes())
}

fn random(count: usize) -> Result<Vec<u8>, Refused> {
    let mut bytes = vec![0; count];
    crate::random::fill(&mut bytes).map_err(|why| Refused::new("KMSInternalException", why.to_string()))?;
    Ok(bytes)
}

#[async_trait]
impl Service for Kms {
    fn described(&self) -> &'static Described {
        &DESCRIBED
    }

    fn shows(&self) -> Option<&dyn Shows> {
        Some(self)
    }

    async fn answer(&self, call: &Call) -> Answer {
        json_answer(JSON_1_1, call, |body| self.act(&call.operation, body))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kms() -> Kms {
        let key = |id: &str, alias: &str| EncryptionKey { id: id.into(), aliases: vec![alias.into()] };
        Kms::new(&[key("one", "alias/orders"), key("two", "alias/other")]).unwrap()
    }

    #[test]
    fn what_was_encrypted_is_decrypted_only_with_its_context_and_its_key() {
        let kms = kms();
        let context = json!({"a": "1", "b": "2"});
        let encrypt = json!({"KeyId": "alias/orders", "Plaintext": "c2VjcmV0", "EncryptionContext": context});
        let sealed = kms.act("Encrypt", &encrypt).unwrap();
        assert_eq!(sealed["KeyId"], "arn:aws:kms:us-east-1:123456789012:key/one");
        let blob = &sealed["CiphertextBlob"];
        let opened = kms.act("Decrypt", &json!({"CiphertextBlob": blob, "EncryptionContext": {"b": "2", "a": "1"}})).unwrap();
        assert_eq!((&opened["Plaintext"], &opened["KeyId"]), (&json!("c2VjcmV0"), &sealed["KeyId"]));
        let mut damaged = STANDARD.decode(blob.as_str().unwrap()).unwrap();
        *damaged.last_mut().unwrap() ^= 1;
        for (body, kind) in [
            (json!({"CiphertextBlob": blob}), "InvalidCiphertextException"),
            (json!({"CiphertextBlob": blob, "EncryptionContext": {"a": "1"}}), "InvalidCiphertextException"),
            (json!({"CiphertextBlob": STANDARD.encode(damaged), "EncryptionContext": context}), "InvalidCiphertextException"),
            (json!({"CiphertextBlob": "AAAA"}), "InvalidCiphertextException"),
            (json!({"CiphertextBlob": blob, "EncryptionContext": context, "KeyId": "two"}), "IncorrectKeyException"),
            (json!({"CiphertextBlob": blob, "EncryptionContext": context, "KeyId": "three"}), "NotFoundException"),
        ] {
            assert_eq!(kms.act("Decrypt", &body).unwrap_err().0, kind, "{body}");
        }
        let again = kms.act("Encrypt", &encrypt).unwrap();
        assert_ne!(&again["CiphertextBlob"], blob, "each has a nonce of its own");
    }

    #[test]
    fn a_data_key_is_given_plain_and_encrypted() {
        let kms = kms();
        for (spec, size) in [(json!({"KeySpec": "AES_256"}), 32), (json!({"KeySpec": "AES_128"}), 16), (json!({"NumberOfBytes": 7}), 7)] {
            let mut body = spec;
            body["KeyId"] = json!("alias/aws/s3");
            let made = kms.act("GenerateDataKey", &body).unwrap();
            let plain = STANDARD.decode(made["Plaintext"].as_str().unwrap()).unwrap();
            assert_eq!(plain.len(), size);
            let opened = kms.act("Decrypt", &json!({"CiphertextBlob": made["CiphertextBlob"]})).unwrap();
            assert_eq!(opened["Plaintext"], made["Plaintext"]);
            assert_eq!(kms.act("GenerateDataKeyWithoutPlaintext", &body).unwrap().get("Plaintext"), None);
        }
        for (operation, body, kind) in [
            ("Encrypt", json!({"KeyId": "alias/none", "Plaintext": "AA=="}), "NotFoundException"),
            ("Encrypt", json!({"Plaintext": "AA=="}), "ValidationException"),
            ("Encrypt", json!({"KeyId": "one", "Plaintext": STANDARD.encode([0; 4097])}), "ValidationException"),
            ("GenerateDataKey", json!({"KeyId": "one"}), "ValidationException"),
            ("Sign", json!({"KeyId": "one"}), "UnknownOperationException"),
        ] {
            assert_eq!(kms.act(operation, &body).unwrap_err().0, kind, "{operation} {body}");
        }
    }
}
