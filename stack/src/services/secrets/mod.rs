//! Secrets Manager: values with versions and stages, in memory. Own code. Rotation, replication and
//! resource policies are not served.

mod generated;
mod secret;
mod shown;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Value, json};
use template::blueprint;

use self::secret::{CURRENT, Content, Held};
use super::described::{Described, Protocol};
use super::shows::Shows;
use super::wire::{Answer, Call, JSON_1_1, Refused, Service, json_answer, no_such_operation, parsed};
use crate::platform::names::{now, uuid};
use template::account;

/// The description of this service.
pub const DESCRIBED: Described = Described {
    name: "secretsmanager",
    title: "Secrets Manager",
    protocol: Protocol::Json11("secretsmanager", |_, _| None),
    operations: &["GetSecretValue", "PutSecretValue", "CreateSecret", "DescribeSecret"],
};

/// The secrets of this machine by name.
pub struct Secrets(Mutex<BTreeMap<String, Held>>);

impl Secrets {
    /// The declared secrets.
    ///
    /// # Errors
    /// If a value cannot be generated as it is declared.
    pub fn new(declared: &[blueprint::Secret]) -> Result<Self, String> {
        let mut secrets = BTreeMap::new();
        for secret in declared {
            let value = match (&secret.value, &secret.generate) {
                (Some(value), _) => Some(value.clone()),
                (None, Some(settings)) => {
                    Some(generated::value(settings).map_err(|why| format!("the secret `{}`: {}", secret.name, why.1))?)
                }
                (None, None) => None,
            };
            let mut held = Held::new(None);
            if let Some(value) = value {
                held.put(uuid(), Content::Text(value), &[CURRENT.to_owned()]).map_err(|why| why.1)?;
            }
            secrets.insert(secret.name.clone(), held);
        }
        Ok(Self(Mutex::new(secrets)))
    }

    fn secrets(&self) -> MutexGuard<'_, BTreeMap<String, Held>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn act(&self, operation: &str, body: &Value) -> Result<Value, Refused> {
        match operation {
            "GetSecretValue" => self.value(body),
            "PutSecretValue" => self.put(body),
            "UpdateSecret" => self.update(body),
            "CreateSecret" => self.create(body),
            "DescribeSecret" => self.on(body, |name, held| Ok(held.description(name))),
            "DeleteSecret" => self.delete(body),
            "RestoreSecret" => self.on(body, |name, held| {
                held.deleted = None;
                Ok(json!({"Name": name, "ARN": account::secret_arn(name)}))
            }),
            "ListSecrets" => {
                let secrets = self.secrets();
                let alive = secrets.iter().filter(|(_, held)| held.deleted.is_none());
                Ok(json!({"SecretList": alive.map(|(name, held)| held.listed(name)).collect::<Vec<_>>()}))
            }
            "GetRandomPassword" => Ok(json!({"RandomPassword": generated::password(&parsed(body)?)?})),
            _ => Err(no_such_operation(operation)),
        }
    }

    /// The secret that a call names, by its name, its ARN, or the ARN without its random end.
    fn on(&self, body: &Value, act: impl FnOnce(&str, &mut Held) -> Result<Value, Refused>) -> Result<Value, Refused> {
        let id: String = parsed(body.get("SecretId").unwrap_or(&Value::Null))?;
        let mut secrets = self.secrets();
        let found = secrets.iter_mut().find(|(name, _)| {
            let arn = account::secret_arn(name);
            let partial = arn.rsplit_once('-').map_or(arn.as_str(), |(partial, _)| partial);
            [name.as_str(), &arn, partial].contains(&id.as_str())
        });
        let (name, held) =
            found.ok_or_else(|| Refused::new("ResourceNotFoundException", "Secrets Manager can't find the specified secret."))?;
        act(name, held)
    }

    /// As [`Self::on`], but only a secret that is not deleted.
    fn alive(&self, body: &Value, act: impl FnOnce(&str, &mut Held) -> Result<Value, Refused>) -> Result<Value, Refused> {
        self.on(body, |name, held| {
            if held.deleted.is_some() {
                let message = "You can't perform this operation on the secret because it was marked for deletion.";
                return Err(Refused::new("InvalidRequestException", message));
            }
            act(name, held)
        })
    }

    fn value(&self, body: &Value) -> Result<Value, Refused> {
        let text = |name: &str| body.get(name).and_then(Value::as_str);
        self.alive(body, |name, held| {
            let version = held.find(text("VersionId"), text("VersionStage"))?;
            let mut answer = json!({
                "ARN": account::secret_arn(name), "Name": name, "VersionId": version.id, "VersionStages": version.stages,
                "CreatedDate": version.created,
            });
            if let Some(answer) = answer.as_object_mut() {
                let (field, content) = version.content.field();
                answer.insert(field.to_owned(), json!(content));
            }
            Ok(answer)
        })
    }

    fn put(&self, body: &Value) -> Result<Value, Refused> {
        let asked: Asked = parsed(body)?;
        let content = asked
            .content()?
            .ok_or_else(|| Refused::new("InvalidRequestException", "You must provide either SecretString or SecretBinary."))?;
        let stages = asked.version_stages.unwrap_or_else(|| vec![CURRENT.to_owned()]);
        let id = asked.client_request_token.unwrap_or_else(uuid);
        self.alive(body, |name, held| {
            held.put(id.clone(), content, &stages)?;
            let stages = held.find(Some(&id), None)?.stages.clone();
            Ok(json!({"ARN": account::secret_arn(name), "Name": name, "VersionId": id, "VersionStages": stages}))
        })
    }

    fn update(&self, body: &Value) -> Result<Value, Refused> {
        let asked: Asked = parsed(body)?;
        let content = asked.content()?;
        self.alive(body, |name, held| {
            if let Some(description) = asked.description {
                held.description = Some(description);
            }
            let mut answer = json!({"ARN": account::secret_arn(name), "Name": name});
            if let (Some(content), Some(answer)) = (content, answer.as_object_mut()) {
                let id = asked.client_request_token.unwrap_or_else(uuid);
                held.put(id.clone(), content, &[CURRENT.to_owned()])?;
                answer.insert("VersionId".to_owned(), json!(id));
            }
            Ok(answer)
        })
    }

    fn create(&self, body: &Value) -> Result<Value, Refused> {
        let asked: Asked = parsed(body)?;
        let name: String = parsed(body.get("Name").unwrap_or(&Value::Null))?;
        let allowed = |letter: char| letter.is_ascii_alphanumeric() || "/_+=.@-".contains(letter);
        if !(1..=512).contains(&name.len()) || !name.chars().all(allowed) {
            let message = "Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!";
            return Err(Refused::new("ValidationException", message));
        }
        let mut secrets = self.secrets();
        if let Some(held) = secrets.get(&name) {
            return Err(match held.deleted {
                Some(_) => Refused::new(
                    "InvalidRequestException",
                    "You can't create this secret because a secret with this name is already scheduled for deletion.",
                ),
                None => Refused::new("ResourceExistsException", format!("The operation failed because the secret {name} already exists.")),
            });
        }
        let mut held = Held::new(asked.description.clone());
        let mut answer = json!({"ARN": account::secret_arn(&name), "Name": name});
        if let (Some(content), Some(answer)) = (asked.content()?, answer.as_object_mut()) {
            let id = asked.client_request_token.unwrap_or_else(uuid);
            held.put(id.clone(), content, &[CURRENT.to_owned()])?;
            answer.insert("VersionId".to_owned(), json!(id));
        }
        secrets.insert(name, held);
        Ok(answer)
    }

    fn delete(&self, body: &Value) -> Result<Value, Refused> {
        let forced = body.get("ForceDeleteWithoutRecovery").and_then(Value::as_bool).unwrap_or_default();
        let days = body.get("RecoveryWindowInDays").and_then(Value::as_u64);
        if forced && days.is_some() || days.is_some_and(|days| !(7..=30).contains(&days)) {
            let message = "RecoveryWindowInDays must be between 7 and 30, and not be given with ForceDeleteWithoutRecovery.";
            return Err(Refused::new("InvalidParameterException", message));
        }
        let answer = self.alive(body, |name, held| {
            let at = now().as_secs_f64();
            held.deleted = Some(at);
            Ok(json!({"ARN": account::secret_arn(name), "Name": name, "DeletionDate": at}))
        })?;
        if let (true, Some(name)) = (forced, answer.get("Name").and_then(Value::as_str)) {
            self.secrets().remove(name);
        }
        Ok(answer)
    }
}

/// What is written.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Asked {
    client_request_token: Option<String>,
    secret_string: Option<String>,
    secret_binary: Option<String>,
    version_stages: Option<Vec<String>>,
    description: Option<String>,
}

impl Asked {
    fn content(&self) -> Result<Option<Content>, Refused> {
        /// The most bytes of a value. Source: Secrets Manager, quotas.
        const LARGEST: usize = 65_536;
        let content = match (&self.secret_string, &self.secret_binary) {
            (Some(_), Some(_)) => {
                return Err(Refused::new(
                    "InvalidParameterException",
                    "You can't specify both a binary secret value and a string secret value in the same secret.",
                ));
            }
            (Some(text), None) => Content::Text(text.clone()),
            (None, Some(bytes)) => Content::Binary(bytes.clone()),
            (None, None) => return Ok(None),
        };
        if content.field().1.len() > LARGEST {
            return Err(Refused::new("ValidationException", format!("the value of a secret has at most {LARGEST} bytes")));
        }
        Ok(Some(content))
    }
}

#[async_trait]
impl Service for Secrets {
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

    fn secrets() -> Secrets {
        let secret =
            |name: &str, value: Option<&str>, generate| blueprint::Secret { name: name.into(), value: value.map(Into::into), generate };
        let generate = json!({"SecretStringTemplate": "{\"user\":\"admin\"}", "GenerateStringKey": "password", "PasswordLength": 20, "ExcludePunctuation": true});
        Secrets::new(&[secret("plain", Some("geheim"), None), secret("app/db", None, Some(generate)), secret("empty", None, None)]).unwrap()
    }

    fn get(secrets: &Secrets, body: Value) -> Result<String, &'static str> {
        let answer = secrets.act("GetSecretValue", &body);
        answer.map(|answer| answer["SecretString"].as_str().unwrap().to_owned()).map_err(|refused| refused.0)
    }

    #[test]
    fn a_secret_is_found_by_its_name_its_arn_and_the_arn_without_its_end() {
        let secrets = secrets();
        let arn = account::secret_arn("plain");
        let partial = arn[..arn.len() - 7].to_owned();
        assert!(partial.ends_with(":secret:plain"), "{arn}");
        for (id, value) in [
            ("plain", Ok("geheim".to_owned())),
            (&arn, Ok("geheim".to_owned())),
            (&partial, Ok("geheim".to_owned())),
            ("plai", Err("ResourceNotFoundException")),
            (&format!("{partial}-abcdef"), Err("ResourceNotFoundException")),
            ("empty", Err("ResourceNotFoundException")),
        ] {
            assert_eq!(get(&secrets, json!({"SecretId": id})), value, "{id}");
        }
        let made: Value = serde_json::from_str(&get(&secrets, json!({"SecretId": "app/db"})).unwrap()).unwrap();
        assert_eq!((&made["user"], made["password"].as_str().unwrap().len()), (&json!("admin"), 20));
    }

    #[test]
    fn the_value_before_the_current_one_stays_as_the_previous() {
        let secrets = secrets();
        let put = |value: &str, token: &str| {
            secrets.act("PutSecretValue", &json!({"SecretId": "plain", "SecretString": value, "ClientRequestToken": token}))
        };
        let (second, third) = ("00000000-0000-4000-8000-000000000002", "00000000-0000-4000-8000-000000000003");
        assert_eq!(put("two", second).unwrap()["VersionStages"], json!(["AWSCURRENT"]));
        put("three", third).unwrap();
        for (body, value) in [
            (json!({}), Ok("three".to_owned())),
            (json!({"VersionStage": "AWSPREVIOUS"}), Ok("two".to_owned())),
            (json!({"VersionId": second}), Ok("two".to_owned())),
            (json!({"VersionId": second, "VersionStage": "AWSCURRENT"}), Err("InvalidRequestException")),
            (json!({"VersionStage": "AWSPENDING"}), Err("ResourceNotFoundException")),
            (json!({"VersionId": "none"}), Err("ResourceNotFoundException")),
        ] {
            let mut body = body;
            body["SecretId"] = json!("plain");
            assert_eq!(get(&secrets, body.clone()), value, "{body}");
        }
        assert!(put("three", third).is_ok(), "the same value again is the same version");
        assert_eq!(put("other", third).unwrap_err().0, "ResourceExistsException");
        let pending = json!({"SecretId": "plain", "SecretString": "four", "VersionStages": ["AWSPENDING"]});
        secrets.act("PutSecretValue", &pending).unwrap();
        assert_eq!(get(&secrets, json!({"SecretId": "plain"})), Ok("three".to_owned()));
        assert_eq!(get(&secrets, json!({"SecretId": "plain", "VersionStage": "AWSPENDING"})), Ok("four".to_owned()));
        let described = secrets.act("DescribeSecret", &json!({"SecretId": "plain"})).unwrap();
        assert_eq!(described["VersionIdsToStages"][second], json!(["AWSPREVIOUS"]));
    }

    #[test]
    fn a_secret_is_created_once_and_gone_when_it_is_deleted() {
        let secrets = secrets();
        let create = json!({"Name": "new", "SecretBinary": "AAE="});
        secrets.act("CreateSecret", &create).unwrap();
        assert_eq!(secrets.act("GetSecretValue", &json!({"SecretId": "new"})).unwrap()["SecretBinary"], "AAE=");
        assert_eq!(secrets.act("CreateSecret", &create).unwrap_err().0, "ResourceExistsException");
        let id = json!({"SecretId": "new"});
        secrets.act("DeleteSecret", &id).unwrap();
        assert_eq!(secrets.act("GetSecretValue", &id).unwrap_err().0, "InvalidRequestException");
        assert_eq!(secrets.act("CreateSecret", &create).unwrap_err().0, "InvalidRequestException");
        secrets.act("RestoreSecret", &id).unwrap();
        secrets.act("DeleteSecret", &json!({"SecretId": "new", "ForceDeleteWithoutRecovery": true})).unwrap();
        secrets.act("CreateSecret", &create).unwrap();
        for (operation, body, kind) in [
            ("CreateSecret", json!({"Name": "a b"}), "ValidationException"),
            ("PutSecretValue", json!({"SecretId": "new"}), "InvalidRequestException"),
            ("PutSecretValue", json!({"SecretId": "new", "SecretString": "a", "SecretBinary": "AA=="}), "InvalidParameterException"),
            ("PutSecretValue", json!({"SecretId": "new", "SecretString": "x".repeat(65_537)}), "ValidationException"),
            ("DeleteSecret", json!({"SecretId": "new", "RecoveryWindowInDays": 3}), "InvalidParameterException"),
            ("RotateSecret", json!({"SecretId": "new"}), "UnknownOperationException"),
        ] {
            assert_eq!(secrets.act(operation, &body).unwrap_err().0, kind, "{operation}");
        }
    }
}
