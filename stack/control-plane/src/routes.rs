//! Routes the requests of Lambda's and FIS's rest-json protocol, of SSM, and of CloudWatch.

use serde_json::json;

use crate::answer::{Answer, Request};
use crate::arn::layer_arn;
use crate::function::Signing;
use crate::state::ControlPlane;

/// Answers one call. The state changes only if the call succeeds, or if it reads an update in
/// progress.
pub fn answer(plane: &mut ControlPlane, request: &Request<'_>) -> Answer {
    let answered = match plane.authorize(request) {
        Ok(()) => routed(plane, request),
        Err(refusal) => refusal,
    };
    plane.witness();
    answered
}

fn routed(plane: &mut ControlPlane, request: &Request<'_>) -> Answer {
    if let Some(operation) = request.target.and_then(|target| target.strip_prefix("AmazonSSM.")) {
        return plane.ssm(operation, &request.json()).unwrap_or_else(|refusal| refusal);
    }
    if let Some(operation) = request.target.and_then(|target| target.strip_prefix("Logs_20140328.")) {
        return plane.cloudwatch_logs(operation, &request.json()).unwrap_or_else(|refusal| refusal);
    }
    if let Some(operation) = request.target.and_then(|target| target.strip_prefix("AWSCognitoIdentityProviderService.")) {
        return plane.cognito(operation, &request.json()).unwrap_or_else(|refusal| refusal);
    }
    if let Some(operation) = request.action() {
        return plane.cloudformation(&operation, request).unwrap_or_else(|refusal| refusal);
    }
    if let Some(operation) = request.target.and_then(|target| target.strip_prefix("VerifiedPermissions.")) {
        return plane.verified_permissions(operation, &request.json()).unwrap_or_else(|refusal| refusal);
    }
    if request.target == Some("GraniteServiceVersion20100801.DescribeAlarms") {
        return plane.describe_alarms(&request.json()).unwrap_or_else(|refusal| refusal);
    }
    let parts = parts(request);
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    if let Some(answered) = plane.apis.answer(request, &parts) {
        return answered.unwrap_or_else(|refusal| refusal);
    }
    if let Some(answered) = plane.fis(request, &parts) {
        return answered.unwrap_or_else(|refusal| refusal);
    }
    if let Some(answered) = plane.iot(request, &parts) {
        return answered.unwrap_or_else(|refusal| refusal);
    }
    let answered = match parts.as_slice() {
        ["2015-03-31", "functions", rest @ ..] => functions(plane, request, rest),
        ["2018-10-31", "layers"] => plane.get_layer(&request.parameter("Arn").unwrap_or_default()),
        ["2018-10-31", "layers", name, "versions"] if request.method == "POST" => plane.publish_layer(name, &request.json()),
        ["2018-10-31", "layers", name, "versions"] => {
            Ok(plane.list_layer_versions(name, request.parameter("Marker").as_deref(), size(request)))
        }
        ["2018-10-31", "layers", name, "versions", number] => plane.get_layer(&layer_arn(name, number)),
        ["2016-08-19", "account-settings"] => Ok(account(plane)),
        ["2019-09-30", "functions", name, "concurrency"] => concurrency(plane, name),
        ["2020-06-30", "functions", name, "code-signing-config"] => signing_of(plane, name),
        ["2020-04-22", "code-signing-configs", arn] => Ok(signing(arn)),
        ["endpoint"] if request.parameter("endpointType").as_deref() == Some("iot:Data-ATS") => {
            Ok(Answer::ok(200, json!({"endpointAddress": plane.broker})))
        }
        ["2017-03-31", "tags", arn] => plane.function(arn).map(|function| Answer::ok(200, json!({"Tags": function.tags}))),
        _ => Err(unknown(request)),
    };
    answered.unwrap_or_else(|refusal| refusal)
}

fn functions(plane: &mut ControlPlane, request: &Request<'_>, rest: &[&str]) -> Result<Answer, Answer> {
    let qualifier = request.parameter("Qualifier");
    let size = size(request);
    match (request.method, rest) {
        ("GET", []) => {
            let all = request.parameter("FunctionVersion").as_deref() == Some("ALL");
            Ok(plane.list_functions(request.parameter("Marker").as_deref(), size, all))
        }
        ("POST", []) => plane.create_function(&request.json()),
        ("DELETE", [name]) => plane.delete_function(name, qualifier.as_deref()),
        ("GET", [name, "configuration"]) => plane.get_configuration(name, qualifier.as_deref()),
        ("PUT", [name, "configuration"]) => plane.update_configuration(name, &request.json()),
        ("POST", [name, "versions"]) => plane.publish_version(name, &request.json()),
        ("GET", [name, "versions"]) => plane.list_versions(name, request.parameter("Marker").as_deref(), size),
        ("POST", [name, "aliases"]) => plane.create_alias(name, &request.json()),
        ("GET", [name, "aliases"]) => plane.list_aliases(name),
        ("GET", [name, "aliases", alias]) => plane.get_alias(name, alias),
        ("PUT", [name, "aliases", alias]) => plane.update_alias(name, alias, &request.json()),
        ("DELETE", [name, "aliases", alias]) => plane.delete_alias(name, alias),
        _ => Err(unknown(request)),
    }
}

/// How many items a page of Lambda has.
fn size(request: &Request<'_>) -> usize {
    request.parameter("MaxItems").and_then(|size| size.parse().ok()).unwrap_or(50).clamp(1, 50)
}

fn concurrency(plane: &mut ControlPlane, name: &str) -> Result<Answer, Answer> {
    let reserved = plane.function(name)?.concurrency;
    Ok(Answer::ok(200, reserved.map_or_else(|| json!({}), |reserved| json!({"ReservedConcurrentExecutions": reserved}))))
}

/// The account's limit of 1,000, less what functions reserve.
fn account(plane: &ControlPlane) -> Answer {
    let reserved: u32 = plane.functions.values().filter_map(|function| function.concurrency).sum();
    let limit = json!({"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": 1000 - i64::from(reserved)});
    Answer::ok(200, json!({"AccountLimit": limit, "AccountUsage": {"FunctionCount": plane.functions.len()}}))
}

fn signing_of(plane: &mut ControlPlane, name: &str) -> Result<Answer, Answer> {
    let function = plane.function(name)?;
    let arn = match function.signing {
        Signing::None => return Ok(Answer::ok(200, json!({"FunctionName": function.latest.name}))),
        Signing::Warn => "arn:aws:lambda:eu-central-1:123456789012:code-signing-config:csc-0000000000000warn",
        Signing::Enforce => "arn:aws:lambda:eu-central-1:123456789012:code-signing-config:csc-0000000000enforce",
    };
    Ok(Answer::ok(200, json!({"FunctionName": function.latest.name, "CodeSigningConfigArn": arn})))
}

fn signing(arn: &str) -> Answer {
    let policy = if arn.ends_with("enforce") { "Enforce" } else { "Warn" };
    let config = json!({
        "CodeSigningConfigId": arn.rsplit(':').next(), "CodeSigningConfigArn": arn, "LastModified": "2026-01-01T00:00:00.000+0000",
        "AllowedPublishers": {"SigningProfileVersionArns": []}, "CodeSigningPolicies": {"UntrustedArtifactOnDeployment": policy},
    });
    Answer::ok(200, json!({"CodeSigningConfig": config}))
}

/// The parts of the path.
pub(crate) fn parts(request: &Request<'_>) -> Vec<String> {
    request.path.trim_matches('/').split('/').map(decoded).collect()
}

fn unknown(request: &Request<'_>) -> Answer {
    Answer::refused(404, "UnknownOperationException", format!("`{} {}` is not served here", request.method, request.path))
}

fn decoded(part: &str) -> String {
    // In a path, a plus is a plus.
    let part = part.replace('+', "%2B");
    form_urlencoded::parse(part.as_bytes()).next().map(|(key, _)| key.into_owned()).unwrap_or_default()
}
