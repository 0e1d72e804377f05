//! The permissions that reading a stack needs. Source: Service Authorization Reference, of CloudFormation, API Gateway Management, Cognito,
//! IoT and Lambda.

use serde_json::Value;

use crate::answer::Request;
use crate::arn::{ACCOUNT, REGION};
use crate::need::Need;
use crate::routes::parts;

fn arn(service: &str, resource: &str) -> String {
    format!("arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}")
}

/// The permissions of a call that reads a stack or its parts; `None` if it is another.
pub(crate) fn needs(request: &Request<'_>) -> Option<Vec<Need>> {
    if let Some(operation) = request.action() {
        return Some(cloudformation(&operation, request));
    }
    if let Some(operation) = request.target.and_then(|target| target.strip_prefix("AWSCognitoIdentityProviderService.")) {
        return Some(cognito(operation, request));
    }
    let parts = parts(request);
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    match (request.method, parts.as_slice()) {
        // A method of API Gateway is an action, and the path the resource, without `v2`.
        ("GET", ["v2", path @ ..]) | ("GET", path @ ["restapis" | "usageplans" | "apikeys", ..]) => {
            Some(vec![Need::new("apigateway:GET", format!("arn:aws:apigateway:{REGION}::/{}", path.join("/")))])
        }
        ("GET", ["endpoint"]) => Some(vec![Need::new("iot:DescribeEndpoint", "*")]),
        ("GET", ["2018-10-31", "layers", _, "versions"]) => Some(vec![Need::new("lambda:ListLayerVersions", "*")]),
        _ => None,
    }
}

fn cloudformation(operation: &str, request: &Request<'_>) -> Vec<Need> {
    let named = request.form("StackName").unwrap_or_default();
    let stack = if named.starts_with("arn:") { named } else { arn("cloudformation", &format!("stack/{named}/*")) };
    match operation {
        "DescribeStacks" => vec![Need::new("cloudformation:DescribeStacks", stack)],
        "ListStackResources" => vec![Need::new("cloudformation:ListStackResources", stack)],
        _ => Vec::new(),
    }
}

fn cognito(operation: &str, request: &Request<'_>) -> Vec<Need> {
    let wish = request.json();
    let id = wish.get("UserPoolId").and_then(Value::as_str).unwrap_or_default();
    let pool = arn("cognito-idp", &format!("userpool/{id}"));
    match operation {
        "DescribeUserPool" => vec![Need::new("cognito-idp:DescribeUserPool", pool)],
        "ListUserPoolClients" => vec![Need::new("cognito-idp:ListUserPoolClients", pool)],
        _ => Vec::new(),
    }
}
