//! The permissions that the calls of a seed need. Source: Service Authorization Reference, of DynamoDB, Amazon Cognito user pools, Amazon Verified
//! Permissions and AWS IoT.

use serde_json::Value;

use crate::arn::ACCOUNT;
use crate::need::Need;
use crate::rights::arn;

/// Services whose calls name the operation in the header `x-amz-target`, with the prefix of their actions.
const TARGETS: [(&str, &str); 3] = [
    ("DynamoDB_20120810", "dynamodb"),
    ("AWSCognitoIdentityProviderService", "cognito-idp"),
    ("VerifiedPermissions", "verifiedpermissions"),
];

/// The permissions that a call by its target needs; `None` if it is not one of these services.
pub(crate) fn of_target(target: &str, wish: &Value) -> Option<Vec<Need>> {
    let (prefix, operation) = target.split_once('.')?;
    let (_, service) = TARGETS.iter().find(|(known, _)| *known == prefix)?;
    let text = |name: &str| wish[name].as_str().unwrap_or_default().to_owned();
    let resource = match *service {
        "dynamodb" => arn("dynamodb", &format!("table/{}", text("TableName"))),
        // What a look-up of the stack reads is not a seed's.
        "cognito-idp" if !operation.starts_with("Admin") && !operation.ends_with("Group") => return None,
        "cognito-idp" => arn("cognito-idp", &format!("userpool/{}", text("UserPoolId"))),
        _ => format!("arn:aws:verifiedpermissions::{ACCOUNT}:policy-store/{}", text("policyStoreId")),
    };
    Some(vec![Need::new(format!("{service}:{operation}"), resource)])
}

/// The permissions that a call of AWS IoT needs; empty if it is not one.
pub(crate) fn of_iot(method: &str, parts: &[&str]) -> Vec<Need> {
    let any = "*".to_owned();
    let (action, resource) = match (method, parts) {
        ("POST", ["things", name]) => ("CreateThing", arn("iot", &format!("thing/{name}"))),
        ("GET", ["things", name]) => ("DescribeThing", arn("iot", &format!("thing/{name}"))),
        ("DELETE", ["things", name]) => ("DeleteThing", arn("iot", &format!("thing/{name}"))),
        ("PUT", ["things", _, "principals"]) => ("AttachThingPrincipal", any),
        ("DELETE", ["things", _, "principals"]) => ("DetachThingPrincipal", any),
        ("GET", ["things", name, "shadow"]) => ("GetThingShadow", arn("iot", &format!("thing/{name}"))),
        ("POST", ["things", name, "shadow"]) => ("UpdateThingShadow", arn("iot", &format!("thing/{name}"))),
        ("DELETE", ["things", name, "shadow"]) => ("DeleteThingShadow", arn("iot", &format!("thing/{name}"))),
        ("POST", ["certificates"]) => ("CreateCertificateFromCsr", any),
        ("GET", ["certificates"]) => ("ListCertificates", any),
        ("GET", ["certificates", id]) => ("DescribeCertificate", arn("iot", &format!("cert/{id}"))),
        ("PUT", ["certificates", id]) => ("UpdateCertificate", arn("iot", &format!("cert/{id}"))),
        ("DELETE", ["certificates", id]) => ("DeleteCertificate", arn("iot", &format!("cert/{id}"))),
        ("POST", ["policies", name]) => ("CreatePolicy", arn("iot", &format!("policy/{name}"))),
        ("DELETE", ["policies", name]) => ("DeletePolicy", arn("iot", &format!("policy/{name}"))),
        // The target is a certificate in the body.
        ("PUT", ["target-policies", _]) => ("AttachPolicy", arn("iot", "cert/*")),
        ("POST", ["target-policies", _]) => ("DetachPolicy", arn("iot", "cert/*")),
        _ => return Vec::new(),
    };
    vec![Need::new(format!("iot:{action}"), resource)]
}
