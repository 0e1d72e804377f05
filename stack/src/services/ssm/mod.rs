//! Parameters of Systems Manager: values with versions and labels, in memory. Own code. Policies,
//! filters and history are not served.

mod shown;
mod store;

use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Value, json};
use template::blueprint::Parameter;

use self::store::{Kind, Store, Version};
use super::described::{Described, Protocol};
use super::shows::Shows;
use super::wire::{Answer, Call, JSON_1_1, Refused, Service, json_answer, no_such_operation, parsed};
use crate::platform::names::{ACCOUNT, REGION};

/// The description of this service.
pub const DESCRIBED: Described = Described {
    name: "ssm",
    title: "SSM parameters",
    protocol: Protocol::Json11("AmazonSSM", |_, _| None),
    operations: &["GetParameter", "GetParameters", "GetParametersByPath", "PutParameter"],
};

/// The most parameters of one answer, and names of one call. Source: Systems Manager API reference,
/// GetParametersByPath and GetParameters.
const MOST: usize = 10;

/// The most bytes of a value of the standard tier, and of the advanced one. Source: Systems
/// Manager, "Managing parameter tiers".
const LARGEST: [usize; 2] = [4096, 8192];

/// The parameters of this machine.
pub struct Parameters(Mutex<Store>);

impl Parameters {
    /// The declared parameters.
    pub fn new(declared: &[Parameter]) -> Self {
        let mut store = Store::default();
        for parameter in declared {
            let kind = if parameter.list { Kind::StringList } else { Kind::String };
            store.put(&parameter.name, kind, parameter.value.clone());
        }
        Self(Mutex::new(store))
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn act(&self, operation: &str, body: &Value) -> Result<Value, Refused> {
        let decrypted = body.get("WithDecryption").and_then(Value::as_bool).unwrap_or_default();
        match operation {
            "GetParameter" => {
                let name: String = parsed(body.get("Name").unwrap_or(&Value::Null))?;
                Ok(json!({"Parameter": self.one(&name, decrypted)?}))
            }
            "GetParameters" => self.several(&names(body)?, decrypted),
            "GetParametersByPath" => self.by_path(parsed(body)?),
            "PutParameter" => self.put(parsed(body)?),
            "DeleteParameter" => {
                let name: String = parsed(body.get("Name").unwrap_or(&Value::Null))?;
                if self.store().delete(plain(&name)) { Ok(json!({})) } else { Err(not_found()) }
            }
            "DeleteParameters" => {
                let (mut store, names) = (self.store(), names(body)?);
                let (gone, invalid): (Vec<_>, Vec<_>) = names.into_iter().partition(|name| store.delete(plain(name)));
                Ok(json!({"DeletedParameters": gone, "InvalidParameters": invalid}))
            }
            "LabelParameterVersion" => self.label(parsed(body)?),
            _ => Err(no_such_operation(operation)),
        }
    }

    /// A parameter by its name or ARN, which may end with `:version` or `:label`.
    fn one(&self, asked: &str, decrypted: bool) -> Result<Value, Refused> {
        let whole = plain(asked);
        let (name, selector) = whole.split_once(':').map_or((whole, None), |(name, selector)| (name, Some(selector)));
        let store = self.store();
        let versions = store.versions(name).ok_or_else(not_found)?;
        let found = match selector {
            None => versions.last(),
            Some(selector) => versions.iter().find(|version| version.is(selector)),
        };
        let version = found.ok_or_else(|| {
            let message = format!(
                "Systems Manager could not find version {} of {name}. Verify the version and try again.",
                selector.unwrap_or_default()
            );
            Refused::new("ParameterVersionNotFound", message)
        })?;
        let mut shown = shown(name, version, decrypted);
        if let (Some(selector), Some(shown)) = (selector, shown.as_object_mut()) {
            shown.insert("Selector".to_owned(), json!(format!(":{selector}")));
        }
        Ok(shown)
    }

    fn several(&self, names: &[String], decrypted: bool) -> Result<Value, Refused> {
        let (mut found, mut invalid) = (Vec::new(), Vec::new());
        for name in names {
            match self.one(name, decrypted) {
                Ok(parameter) => found.push(parameter),
                Err(_) => invalid.push(name),
            }
        }
        Ok(json!({"Parameters": found, "InvalidParameters": invalid}))
    }

    fn by_path(&self, asked: ByPath) -> Result<Value, Refused> {
        if !asked.path.starts_with('/') {
            return Err(Refused::new(
                "ValidationException",
                "The parameter doesn't meet the parameter name requirements. The parameter name must begin with a forward slash \"/\".",
            ));
        }
        if asked.parameter_filters.is_some_and(|filters| !filters.is_empty()) {
            return Err(Refused::new("InvalidFilterKey", "filters of parameters are not served on this machine"));
        }
        let most = asked.max_results.unwrap_or(MOST);
        if !(1..=MOST).contains(&most) {
            return Err(Refused::new("ValidationException", format!("MaxResults must be between 1 and {MOST}")));
        }
        let path = format!("{}/", asked.path.trim_end_matches('/'));
        let store = self.store();
        let within = |name: &str| name.strip_prefix(&path).is_some_and(|rest| asked.recursive || !rest.contains('/'));
        let after = asked.next_token.unwrap_or_default();
        let mut rest = store.names().filter(|name| within(name) && *name > after.as_str());
        let names: Vec<&str> = rest.by_ref().take(most).collect();
        let latest = |name: &&str| Some(shown(name, store.versions(name)?.last()?, asked.with_decryption));
        let mut answer = json!({"Parameters": names.iter().filter_map(latest).collect::<Vec<_>>()});
        if let (Some(_), Some(last), Some(answer)) = (rest.next(), names.last(), answer.as_object_mut()) {
            answer.insert("NextToken".to_owned(), json!(last));
        }
        Ok(answer)
    }

    fn put(&self, asked: Put) -> Result<Value, Refused> {
        let invalid = |message: String| Err(Refused::new("ValidationException", message));
        let name = plain(&asked.name);
        let allowed = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-' | '_' | '/');
        if name.is_empty() || !name.chars().all(allowed) {
            return invalid("Parameter name must be of a-zA-Z0-9_.-/".to_owned());
        }
        let first = name.trim_start_matches('/').to_ascii_lowercase();
        if first.starts_with("aws") || first.starts_with("ssm") {
            return invalid("Parameter name: can't be prefixed with \"aws\" or \"ssm\" (case-insensitive).".to_owned());
        }
        let advanced = asked.tier.as_deref() == Some("Advanced");
        let [standard, most] = LARGEST;
        if asked.value.is_empty() || asked.value.len() > if advanced { most } else { standard } {
            return invalid(format!(
                "Standard tier parameters support a maximum parameter value of {standard} characters, advanced ones of {most}, and no \
                 value is empty."
            ));
        }
        let mut store = self.store();
        let before = store.versions(name).and_then(|versions| Some(versions.last()?.kind));
        let kind = match (asked.r#type, before) {
            (_, Some(_)) if !asked.overwrite => {
                let message = "The parameter already exists. To overwrite this value, set the overwrite option in the request to true.";
                return Err(Refused::new("ParameterAlreadyExists", message));
            }
            (Some(kind), _) => kind,
            (None, Some(kind)) => kind,
            (None, None) => return invalid("A parameter type is required when you create a parameter.".to_owned()),
        };
        let version = store.put(name, kind, asked.value);
        Ok(json!({"Version": version, "Tier": if advanced { "Advanced" } else { "Standard" }}))
    }

    fn label(&self, asked: Label) -> Result<Value, Refused> {
        let mut store = self.store();
        let name = plain(&asked.name);
        let versions = store.versions(name).ok_or_else(not_found)?;
        let number = asked.parameter_version.or_else(|| Some(versions.last()?.number)).unwrap_or_default();
        if !versions.iter().any(|version| version.number == number) {
            return Err(Refused::new("ParameterVersionNotFound", format!("there is no version {number} of {name}")));
        }
        let is_label = |label: &String| !label.is_empty() && !label.starts_with(|c: char| c.is_ascii_digit());
        let (labels, invalid): (Vec<_>, Vec<_>) = asked.labels.into_iter().partition(is_label);
        store.label(name, number, labels);
        Ok(json!({"InvalidLabels": invalid, "ParameterVersion": number}))
    }
}

fn names(body: &Value) -> Result<Vec<String>, Refused> {
    let names: Vec<String> = parsed(body.get("Names").unwrap_or(&Value::Null))?;
    if (1..=MOST).contains(&names.len()) {
        return Ok(names);
    }
    let message = format!(
        "1 validation error detected: Value at 'names' failed to satisfy constraint: Member must have length less than or equal to {MOST}"
    );
    Err(Refused::new("ValidationException", message))
}

fn not_found() -> Refused {
    Refused::new("ParameterNotFound", "")
}

/// The name, of which a call may give the ARN. In an ARN every name follows a `/`.
fn plain(name: &str) -> &str {
    name.strip_prefix(&format!("arn:aws:ssm:{REGION}:{ACCOUNT}:parameter")).map_or(name, |rest| {
        let inner = rest.trim_start_matches('/');
        if inner.contains('/') { rest } else { inner }
    })
}

fn shown(name: &str, version: &Version, decrypted: bool) -> Value {
    let slash = if name.starts_with('/') { "" } else { "/" };
    let value = if version.kind == Kind::SecureString && !decrypted {
        // Not the plain text: who forgets to decrypt must notice.
        format!("kms:alias/aws/ssm:{}", version.value)
    } else {
        version.value.clone()
    };
    json!({
        "Name": name,
        "Type": version.kind,
        "Value": value,
        "Version": version.number,
        "LastModifiedDate": version.written,
        "ARN": format!("arn:aws:ssm:{REGION}:{ACCOUNT}:parameter{slash}{name}"),
        "DataType": "text",
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ByPath {
    path: String,
    #[serde(default)]
    recursive: bool,
    #[serde(default)]
    with_decryption: bool,
    max_results: Option<usize>,
    next_token: Option<String>,
    parameter_filters: Option<Vec<Value>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Put {
    name: String,
    value: String,
    r#type: Option<Kind>,
    #[serde(default)]
    overwrite: bool,
    tier: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Label {
    name: String,
    parameter_version: Option<u64>,
    labels: Vec<String>,
}

#[async_trait]
impl Service for Parameters {
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

    fn parameters() -> Parameters {
        let parameter = |name: &str, value: &str, list| Parameter { name: name.into(), value: value.into(), list };
        Parameters::new(&[parameter("plain", "1", false), parameter("/app/list", "a,b", true), parameter("/app/db/url", "u", false)])
    }

    #[test]
    fn a_parameter_is_found_by_name_arn_version_and_label() {
        let parameters = parameters();
        let put = |value: &str| json!({"Name": "/app/db/url", "Value": value, "Overwrite": true});
        assert_eq!(parameters.act("PutParameter", &put("v")).unwrap()["Version"], 2);
        let label = json!({"Name": "/app/db/url", "ParameterVersion": 1, "Labels": ["old", "9"]});
        assert_eq!(parameters.act("LabelParameterVersion", &label).unwrap()["InvalidLabels"], json!(["9"]));
        for (name, value) in [
            ("plain", Ok("1")),
            ("arn:aws:ssm:us-east-1:123456789012:parameter/plain", Ok("1")),
            ("/app/db/url", Ok("v")),
            ("arn:aws:ssm:us-east-1:123456789012:parameter/app/db/url", Ok("v")),
            ("/app/db/url:1", Ok("u")),
            ("/app/db/url:2", Ok("v")),
            ("/app/db/url:old", Ok("u")),
            ("/app/db/url:3", Err("ParameterVersionNotFound")),
            ("/plain", Err("ParameterNotFound")),
            ("none", Err("ParameterNotFound")),
        ] {
            let got = parameters.act("GetParameter", &json!({"Name": name}));
            let got = got.as_ref().map(|answer| answer["Parameter"]["Value"].as_str().unwrap()).map_err(|refused| refused.0);
            assert_eq!(got, value, "{name}");
        }
        let several = parameters.act("GetParameters", &json!({"Names": ["plain", "none"]})).unwrap();
        assert_eq!((&several["Parameters"][0]["Type"], &several["InvalidParameters"]), (&json!("String"), &json!(["none"])));
    }

    #[test]
    fn a_path_is_read_in_pages_and_flat_unless_recursive() {
        let parameters = parameters();
        for n in 0..12 {
            let put = json!({"Name": format!("/many/{n:02}"), "Value": "x", "Type": "String"});
            parameters.act("PutParameter", &put).unwrap();
        }
        let by_path = |body: Value| parameters.act("GetParametersByPath", &body).unwrap();
        let names = |answer: &Value| answer["Parameters"].as_array().unwrap().iter().map(|it| it["Name"].clone()).collect::<Vec<_>>();
        assert_eq!(names(&by_path(json!({"Path": "/app"}))), ["/app/list"]);
        assert_eq!(names(&by_path(json!({"Path": "/app/", "Recursive": true}))), ["/app/db/url", "/app/list"]);
        let first = by_path(json!({"Path": "/many"}));
        assert_eq!(names(&first).len(), 10);
        let second = by_path(json!({"Path": "/many", "NextToken": first["NextToken"]}));
        assert_eq!((names(&second), second.get("NextToken")), (vec![json!("/many/10"), json!("/many/11")], None));
    }

    #[test]
    fn what_aws_refuses_is_refused_and_a_secret_is_no_plain_text_unless_decrypted() {
        let parameters = parameters();
        for (operation, body, kind) in [
            ("PutParameter", json!({"Name": "plain", "Value": "2", "Type": "String"}), "ParameterAlreadyExists"),
            ("PutParameter", json!({"Name": "new", "Value": "2"}), "ValidationException"),
            ("PutParameter", json!({"Name": "new", "Value": "", "Type": "String"}), "ValidationException"),
            ("PutParameter", json!({"Name": "new", "Value": "x".repeat(4097), "Type": "String"}), "ValidationException"),
            ("PutParameter", json!({"Name": "/aws/x", "Value": "x", "Type": "String"}), "ValidationException"),
            ("PutParameter", json!({"Name": "a b", "Value": "x", "Type": "String"}), "ValidationException"),
            ("PutParameter", json!({"Name": "new", "Value": "x", "Type": "Number"}), "SerializationException"),
            ("GetParametersByPath", json!({"Path": "app"}), "ValidationException"),
            ("GetParametersByPath", json!({"Path": "/", "MaxResults": 11}), "ValidationException"),
            ("GetParameters", json!({"Names": vec!["x"; 11]}), "ValidationException"),
            ("DeleteParameter", json!({"Name": "none"}), "ParameterNotFound"),
            ("GetParameterHistory", json!({"Name": "plain"}), "UnknownOperationException"),
        ] {
            assert_eq!(parameters.act(operation, &body).unwrap_err().0, kind, "{operation} {body}");
        }
        parameters.act("PutParameter", &json!({"Name": "key", "Value": "geheim", "Type": "SecureString"})).unwrap();
        let get = |decrypted: bool| parameters.act("GetParameter", &json!({"Name": "key", "WithDecryption": decrypted})).unwrap();
        assert_eq!(get(true)["Parameter"]["Value"], "geheim");
        assert_ne!(get(false)["Parameter"]["Value"], "geheim");
    }
}
