//! `AWS::Serverless::Function`: the function itself, its version, alias, URL and the settings of
//! asynchronous events. Its events are in `events.rs`.

use serde_json::{Map, Value, json};

use super::tree::{attribute, field, kind, reference, resource};
use super::{Expansion, alphanumeric};

/// Properties that only SAM has; all others are those of `AWS::Lambda::Function`.
const OF_SAM: [&str; 24] = [
    "CodeUri",
    "InlineCode",
    "ImageUri",
    "Events",
    "Policies",
    "DeadLetterQueue",
    "Tracing",
    "AutoPublishAlias",
    "AutoPublishAliasAllProperties",
    "AutoPublishCodeSha256",
    "DeploymentPreference",
    "RolePath",
    "PermissionsBoundary",
    "AssumeRolePolicyDocument",
    "ProvisionedConcurrencyConfig",
    "EventInvokeConfig",
    "FunctionUrlConfig",
    "PropagateTags",
    "VersionDescription",
    "VersionDeletionPolicy",
    "PublishToLatestPublished",
    "FunctionScalingConfig",
    "SourceKMSKeyArn",
    "Code",
];

impl Expansion<'_> {
    pub(super) fn function(&mut self, id: &str, declared: &Value, fields: &Map<String, Value>) {
        let mut function: Map<String, Value> =
            fields.iter().filter(|(key, _)| !OF_SAM.contains(&key.as_str())).map(|(key, value)| (key.clone(), value.clone())).collect();
        function.insert("Code".to_owned(), self.code(id, fields));
        if let Some(target) = fields.get("DeadLetterQueue") {
            function.insert("DeadLetterConfig".to_owned(), json!({"TargetArn": target.get("TargetArn")}));
        }
        if let Some(mode) = fields.get("Tracing") {
            function.insert("TracingConfig".to_owned(), json!({"Mode": mode}));
        }
        if !function.contains_key("Role") {
            let role = self.role(id);
            function.insert("Role".to_owned(), role);
        }
        let mut made = resource("AWS::Lambda::Function", Value::Object(function));
        if let (Some(metadata), Some(made)) = (declared.get("Metadata"), made.as_object_mut()) {
            made.insert("Metadata".to_owned(), metadata.clone());
        }
        self.add(id, made);
        let alias = self.alias(id, fields);
        self.asynchronous(id, fields.get("AutoPublishAlias"), fields.get("EventInvokeConfig"));
        if let Some(url) = fields.get("FunctionUrlConfig") {
            self.url(id, alias.as_deref(), fields.get("AutoPublishAlias"), url);
        }
        for (name, event) in fields.get("Events").and_then(Value::as_object).into_iter().flatten() {
            self.event(id, alias.as_deref(), name, kind(event), event.get("Properties"));
        }
    }

    fn code(&mut self, id: &str, fields: &Map<String, Value>) -> Value {
        if let Some(text) = fields.get("InlineCode") {
            return json!({"ZipFile": text});
        }
        if let Some(image) = fields.get("ImageUri") {
            return json!({"ImageUri": image});
        }
        match fields.get("CodeUri") {
            Some(code) => stored(code, ("S3Bucket", "S3Key", "S3ObjectVersion")),
            // `sam build` makes an image from the metadata; it is not served anyhow.
            None if fields.get("PackageType").is_some_and(|kind| kind == "Image") => json!({"ImageUri": ""}),
            None => {
                self.findings.complain(format!("{id}.CodeUri"), "found none, expected `CodeUri`, `InlineCode` or `ImageUri`");
                json!(".")
            }
        }
    }

    /// The version and the alias of `AutoPublishAlias`; the alias's logical id.
    fn alias(&mut self, id: &str, fields: &Map<String, Value>) -> Option<String> {
        let name = fields.get("AutoPublishAlias")?;
        let version = format!("{id}Version");
        let alias = format!("{id}Alias{}", alphanumeric(name.as_str()));
        self.renamed.insert(format!("{id}.Version"), version.clone());
        self.renamed.insert(format!("{id}.Alias"), alias.clone());
        self.add(&version, resource("AWS::Lambda::Version", json!({"FunctionName": reference(id)})));
        let properties = json!({
            "Name": name,
            "FunctionName": reference(id),
            "FunctionVersion": attribute(&version, "Version"),
            "ProvisionedConcurrencyConfig": field(fields, "ProvisionedConcurrencyConfig"),
        });
        self.add(&alias, resource("AWS::Lambda::Alias", properties));
        Some(alias)
    }

    fn asynchronous(&mut self, id: &str, alias: Option<&Value>, config: Option<&Value>) {
        let Some(config) = config.and_then(Value::as_object) else { return };
        let mut made = config.clone();
        for event in ["OnSuccess", "OnFailure"] {
            let Some(destination) = made.get_mut("DestinationConfig").and_then(|it| it.get_mut(event)).and_then(Value::as_object_mut)
            else {
                continue;
            };
            let kind = destination.remove("Type").unwrap_or_default();
            if destination.contains_key("Destination") {
                continue;
            }
            // SAM makes the queue or topic that is not named.
            let name = format!("{id}EventInvokeConfig{event}");
            let (name, made, arn) = match kind.as_str() {
                Some("SQS") => (format!("{name}Queue"), "AWS::SQS::Queue", attribute(&format!("{name}Queue"), "Arn")),
                Some("SNS") => (format!("{name}Topic"), "AWS::SNS::Topic", reference(&format!("{name}Topic"))),
                _ => {
                    self.findings.complain(format!("{id}.EventInvokeConfig.DestinationConfig.{event}.Destination"), "found none");
                    continue;
                }
            };
            destination.insert("Destination".to_owned(), arn);
            self.add(name, resource(made, json!({})));
        }
        made.insert("FunctionName".to_owned(), reference(id));
        made.insert("Qualifier".to_owned(), alias.cloned().unwrap_or_else(|| json!("$LATEST")));
        self.add(format!("{id}EventInvokeConfig"), resource("AWS::Lambda::EventInvokeConfig", Value::Object(made)));
    }

    fn url(&mut self, id: &str, alias: Option<&str>, name: Option<&Value>, config: &Value) {
        let Some(config) = config.as_object() else {
            self.findings.complain(format!("{id}.FunctionUrlConfig"), "expected a map");
            return;
        };
        let mut made = config.clone();
        made.insert("TargetFunctionArn".to_owned(), reference(alias.unwrap_or(id)));
        if let Some(name) = name {
            made.insert("TargetFunctionArn".to_owned(), reference(id));
            made.insert("Qualifier".to_owned(), name.clone());
        }
        self.add(format!("{id}Url"), resource("AWS::Lambda::Url", Value::Object(made)));
    }
}

/// Where code or a file is stored: a path stays a text, an address of S3 becomes its parts under
/// these names.
pub(super) fn stored(found: &Value, (bucket, key, version): (&str, &str, &str)) -> Value {
    let parts = match found {
        Value::String(text) => {
            text.strip_prefix("s3://").and_then(|rest| rest.split_once('/')).map(|(bucket, key)| (json!(bucket), json!(key), Value::Null))
        }
        Value::Object(fields) if fields.contains_key("Bucket") => {
            Some((field(fields, "Bucket"), field(fields, "Key"), field(fields, "Version")))
        }
        _ => None,
    };
    let Some((in_bucket, with_key, of_version)) = parts else { return found.clone() };
    let mut made = Map::from_iter([(bucket.to_owned(), in_bucket), (key.to_owned(), with_key), (version.to_owned(), of_version)]);
    made.retain(|_, value| !value.is_null());
    Value::Object(made)
}
