//! `AWS::SSM::Parameter` and `AWS::SecretsManager::Secret`.

use super::section::Section;
use crate::blueprint::{Parameter, Secret};

pub(crate) fn parameter(parameter: &Section<'_>, name: String) -> Parameter {
    parameter.only(&["Name", "Type", "Value"], &["AllowedPattern", "DataType", "Description", "Policies", "Tier", "Tags"]);
    // Source: CloudFormation, resource `AWS::SSM::Parameter`: no `SecureString`.
    parameter.needed("Type");
    let kind = parameter.one_of("Type", &["String", "StringList"]);
    Parameter { name, value: parameter.needed("Value"), list: kind.as_deref() == Some("StringList") }
}

pub(crate) fn secret(secret: &Section<'_>, name: String) -> Secret {
    secret.only(&["Name", "SecretString", "GenerateSecretString"], &["Description", "KmsKeyId", "ReplicaRegions", "Tags", "Type"]);
    if secret.has("SecretString") && secret.has("GenerateSecretString") {
        secret.complain("SecretString", "`SecretString` and `GenerateSecretString` cannot both be given");
    }
    let made = secret.value("GenerateSecretString").cloned();
    // Source: CloudFormation: without either, Secrets Manager makes a password.
    let generate = made.or_else(|| (!secret.has("SecretString")).then(|| serde_json::json!({})));
    Secret { name, value: secret.text("SecretString"), generate }
}
