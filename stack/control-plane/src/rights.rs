//! The permissions that each call needs. Source: Service Authorization Reference, of Lambda, Systems Manager, CloudWatch Logs and FIS. Those of a
//! seed's calls are in `seed_rights`.

use serde_json::Value;

use crate::alarms::alarm_arn;
use crate::answer::Request;
use crate::arn::{ACCOUNT, REGION, arn_of, layer_arn};
use crate::need::Need;
use crate::routes::parts;
use crate::stack_rights;
use crate::state::ControlPlane;

pub(crate) fn arn(service: &str, resource: &str) -> String {
    format!("arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}")
}

/// The ARN of a function, from its name or its ARN.
fn function(named: &str) -> String {
    if named.starts_with("arn:") { named.to_owned() } else { arn_of(named) }
}

impl ControlPlane {
    /// The permissions that a call needs; empty if the call is not served here.
    pub(crate) fn needs(&self, request: &Request<'_>) -> Vec<Need> {
        let wish = &request.json();
        if let Some(operation) = request.target.and_then(|target| target.strip_prefix("AmazonSSM.")) {
            return ssm(operation, wish);
        }
        if let Some(needs) = request.target.and_then(|target| crate::seed_rights::of_target(target, wish)) {
            return needs;
        }
        if request.target == Some("GraniteServiceVersion20100801.DescribeAlarms") {
            return vec![describe_alarms(wish)];
        }
        if let Some(needs) = stack_rights::needs(request) {
            return needs;
        }
        if request.target.is_some() {
            let group = wish["logGroupName"].as_str().unwrap_or_default();
            return vec![Need::new("logs:FilterLogEvents", arn("logs", &format!("log-group:{group}:*")))];
        }
        let parts = parts(request);
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        match (request.method, parts.as_slice()) {
            (_, ["experimentTemplates" | "experiments", ..]) => self.fis_needs(request.method, &parts, wish),
            (_, ["2015-03-31", "functions", rest @ ..]) => functions(request, rest, wish),
            ("GET", ["2018-10-31", "layers"]) => {
                vec![Need::new("lambda:GetLayerVersion", request.parameter("Arn").unwrap_or_default())]
            }
            ("GET", ["2018-10-31", "layers", name, "versions", number]) => {
                vec![Need::new("lambda:GetLayerVersion", layer_arn(name, number))]
            }
            ("POST", ["2018-10-31", "layers", name, "versions"]) => {
                vec![Need::new("lambda:PublishLayerVersion", arn("lambda", &format!("layer:{name}")))]
            }
            (_, ["2016-08-19", "account-settings"]) => vec![Need::new("lambda:GetAccountSettings", "*")],
            (_, ["2019-09-30", "functions", name, "concurrency"]) => vec![Need::new("lambda:GetFunctionConcurrency", function(name))],
            (_, ["2020-06-30", "functions", name, "code-signing-config"]) => {
                vec![Need::new("lambda:GetFunctionCodeSigningConfig", function(name))]
            }
            (_, ["2020-04-22", "code-signing-configs", arn]) => vec![Need::new("lambda:GetCodeSigningConfig", *arn)],
            (_, ["2017-03-31", "tags", arn]) => vec![Need::new("lambda:ListTags", *arn)],
            (method, parts) => crate::seed_rights::of_iot(method, parts),
        }
    }

    fn fis_needs(&self, method: &str, parts: &[&str], wish: &Value) -> Vec<Need> {
        let experiment = |id: &str| arn("fis", &format!("experiment/{id}"));
        match (method, parts) {
            ("POST", ["experimentTemplates"]) => {
                let (template, role) = (arn("fis", "experiment-template/*"), wish["roleArn"].as_str().unwrap_or_default());
                let mut create = Need::new("fis:CreateExperimentTemplate", template.clone());
                let actions = wish["actions"].as_object().into_iter().flat_map(|actions| actions.values());
                create.resources.extend(actions.filter_map(|action| Some(arn("fis", &format!("action/{}", action["actionId"].as_str()?)))));
                let pass = Need::new("iam:PassRole", role).with("iam:PassedToService", ["fis.amazonaws.com".to_owned()]);
                vec![create, Need::new("fis:TagResource", template), pass]
            }
            ("GET", ["experimentTemplates"]) => vec![Need::new("fis:ListExperimentTemplates", "*")],
            ("DELETE", ["experimentTemplates", id]) => {
                let tags = self.templates.iter().find(|there| there.id == *id).and_then(|there| there.of("tags").as_object());
                let run = tags.and_then(|tags| tags.get("brownout-run")).and_then(Value::as_str).map(str::to_owned);
                let delete = Need::new("fis:DeleteExperimentTemplate", arn("fis", &format!("experiment-template/{id}")));
                vec![delete.with("aws:ResourceTag/brownout-run", run)]
            }
            ("POST", ["experiments"]) => {
                let template = wish["experimentTemplateId"].as_str().unwrap_or_default();
                let mut start = Need::new("fis:StartExperiment", experiment("*"));
                start.resources.push(arn("fis", &format!("experiment-template/{template}")));
                // The first experiment in an account creates the service-linked role that FIS uses
                // to watch.
                let role = format!("arn:aws:iam::{ACCOUNT}:role/aws-service-role/fis.amazonaws.com/AWSServiceRoleForFIS");
                let link = Need::new("iam:CreateServiceLinkedRole", role).with("iam:AWSServiceName", ["fis.amazonaws.com".to_owned()]);
                if self.experiments.is_empty() { vec![start, link] } else { vec![start] }
            }
            ("GET", ["experiments", id]) => vec![Need::new("fis:GetExperiment", experiment(id))],
            ("DELETE", ["experiments", id]) => vec![Need::new("fis:StopExperiment", experiment(id))],
            _ => Vec::new(),
        }
    }
}

fn ssm(operation: &str, wish: &Value) -> Vec<Need> {
    let name = wish["Name"].as_str().unwrap_or_default();
    let (parameter, document) = (arn("ssm", &format!("parameter{name}")), arn("ssm", &format!("document/{name}")));
    let need = match operation {
        "GetParameter" => Need::new("ssm:GetParameter", parameter),
        "PutParameter" => Need::new("ssm:PutParameter", parameter),
        "DeleteParameter" => Need::new("ssm:DeleteParameter", parameter),
        "CreateDocument" if wish["Tags"].is_array() => {
            return vec![Need::new("ssm:CreateDocument", document.clone()), Need::new("ssm:AddTagsToResource", document)];
        }
        "CreateDocument" => Need::new("ssm:CreateDocument", document),
        "DescribeDocument" => Need::new("ssm:DescribeDocument", document),
        "UpdateDocument" => Need::new("ssm:UpdateDocument", document),
        "ListDocuments" => Need::new("ssm:ListDocuments", "*"),
        "ListDocumentVersions" => Need::new("ssm:ListDocumentVersions", document),
        "DeleteDocument" => Need::new("ssm:DeleteDocument", document),
        _ => return Vec::new(),
    };
    vec![need]
}

/// Composite alarms are told only to a caller who may read all alarms. Source: Amazon CloudWatch API
/// Reference, `DescribeAlarms`.
fn describe_alarms(wish: &Value) -> Need {
    let texts = |key: &str| wish[key].as_array().into_iter().flatten().filter_map(Value::as_str);
    let resources = match texts("AlarmTypes").any(|kind| kind == "CompositeAlarm") {
        true => vec!["*".to_owned()],
        false => texts("AlarmNames").map(alarm_arn).collect(),
    };
    Need { action: "cloudwatch:DescribeAlarms".into(), resources, context: Vec::new() }
}

fn functions(request: &Request<'_>, rest: &[&str], wish: &Value) -> Vec<Need> {
    let qualified = |name: &str| match request.parameter("Qualifier") {
        Some(qualifier) => format!("{}:{qualifier}", function(name)),
        None => function(name),
    };
    let need = match (request.method, rest) {
        ("GET", []) => Need::new("lambda:ListFunctions", "*"),
        ("DELETE", [name]) => Need::new("lambda:DeleteFunction", qualified(name)),
        ("GET", [name, "configuration"]) => Need::new("lambda:GetFunctionConfiguration", qualified(name)),
        ("PUT", [name, "configuration"]) => return update(name, wish),
        ("POST", [name, "versions"]) => Need::new("lambda:PublishVersion", function(name)),
        ("GET", [name, "versions"]) => Need::new("lambda:ListVersionsByFunction", function(name)),
        ("GET", [name, "aliases", _]) => Need::new("lambda:GetAlias", function(name)),
        ("PUT", [name, "aliases", _]) => Need::new("lambda:UpdateAlias", function(name)),
        _ => return Vec::new(),
    };
    vec![need]
}

/// A caller that adds a layer to a function must be allowed to read the layer.
fn update(name: &str, wish: &Value) -> Vec<Need> {
    let layers: Vec<_> = wish["Layers"].as_array().into_iter().flatten().filter_map(|layer| layer.as_str().map(str::to_owned)).collect();
    let update = Need::new("lambda:UpdateFunctionConfiguration", function(name)).with("lambda:Layer", layers.clone());
    std::iter::once(update).chain(layers.into_iter().map(|layer| Need::new("lambda:GetLayerVersion", layer))).collect()
}
