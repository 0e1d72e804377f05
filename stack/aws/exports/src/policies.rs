//! IAM policies and trust by ARN, with nothing that an experiment does not need. `ACTIONS` lists
//! every action that is ever allowed.

use serde_json::{Value, json};

use super::alarms::Alarm;
use super::arn::Arn;
use super::experiment::{Experiment, Function};
use super::mark::RUN_TAG;

/// Every action that any exported policy allows.
pub const ACTIONS: &[&str] = &[
    "apigateway:GET",
    "cloudformation:DescribeStacks",
    "cloudformation:ListStackResources",
    "cloudwatch:DescribeAlarms",
    "cognito-idp:DescribeUserPool",
    "cognito-idp:ListUserPoolClients",
    "fis:CreateExperimentTemplate",
    "fis:DeleteExperimentTemplate",
    "fis:GetExperiment",
    "fis:ListExperimentTemplates",
    "fis:StartExperiment",
    "fis:StopExperiment",
    "fis:TagResource",
    "iam:CreateServiceLinkedRole",
    "iam:PassRole",
    "iot:DescribeEndpoint",
    "kms:CreateGrant",
    "kms:Decrypt",
    "kms:Encrypt",
    "lambda:DeleteFunction",
    "lambda:GetAccountSettings",
    "lambda:GetAlias",
    "lambda:GetCodeSigningConfig",
    "lambda:GetFunctionCodeSigningConfig",
    "lambda:GetFunctionConcurrency",
    "lambda:GetFunctionConfiguration",
    "lambda:GetLayerVersion",
    "lambda:ListFunctions",
    "lambda:ListLayerVersions",
    "lambda:ListTags",
    "lambda:ListVersionsByFunction",
    "lambda:PublishLayerVersion",
    "lambda:PublishVersion",
    "lambda:UpdateAlias",
    "lambda:UpdateFunctionConfiguration",
    "logs:CreateLogDelivery",
    "logs:DescribeLogGroups",
    "logs:DescribeResourcePolicies",
    "logs:FilterLogEvents",
    "logs:PutResourcePolicy",
    "ssm:AddTagsToResource",
    "ssm:CreateDocument",
    "ssm:DeleteDocument",
    "ssm:DeleteParameter",
    "ssm:DescribeDocument",
    "ssm:GetAutomationExecution",
    "ssm:GetParameter",
    "ssm:ListDocumentVersions",
    "ssm:ListDocuments",
    "ssm:PutParameter",
    "ssm:StartAutomationExecution",
    "ssm:StopAutomationExecution",
    "ssm:UpdateDocument",
    "sts:AssumeRole",
];

/// A policy with these statements.
pub fn policy(statements: Vec<Value>) -> Value {
    json!({"Version": "2012-10-17", "Statement": statements})
}

/// Trust in a service, only for this account and these sources, so that no other execution can
/// assume the role.
pub fn trust(experiment: &Experiment, service: &str, source: &str) -> Value {
    let home = experiment.home();
    let source = home.beside(service, source).to_string();
    policy(vec![json!({
        "Effect": "Allow",
        "Principal": {"Service": format!("{service}.amazonaws.com")},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"aws:SourceAccount": home.account}, "ArnLike": {"aws:SourceArn": source}},
    })])
}

pub(crate) fn allow(sid: &str, actions: &[&str], resources: impl IntoIterator<Item = String>) -> Value {
    let resources: Vec<_> = resources.into_iter().collect();
    json!({"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resources})
}

fn with_condition(mut statement: Value, condition: Value) -> Value {
    if let Value::Object(map) = &mut statement {
        map.insert("Condition".to_owned(), condition);
    }
    statement
}

/// Any version of the layer.
fn any_version(layer: &Arn) -> String {
    let text = layer.to_string();
    text.rsplit_once(':').map_or(text.clone(), |(name, _)| format!("{name}:*"))
}

/// brownout's layer and the functions' own layers in any version: an undo must keep a layer version
/// that another user changed meanwhile.
fn layers(experiment: &Experiment) -> Vec<String> {
    let mut layers: Vec<_> =
        experiment.functions.iter().flat_map(|f| &f.layers).filter(|l| **l != experiment.layer).map(any_version).collect();
    layers.push(experiment.layer.to_string());
    layers.sort();
    layers.dedup();
    layers
}

/// Permissions to attach and to undo.
pub fn attach(experiment: &Experiment) -> Vec<Value> {
    let arns = || experiment.functions.iter().map(|function| function.arn.to_string());
    let layers = layers(experiment);
    let mut statements = vec![
        allow("ReadFunctions", &["lambda:GetFunctionConfiguration", "lambda:ListTags"], arns()),
        with_condition(
            allow("ChangeFunctions", &["lambda:UpdateFunctionConfiguration"], arns()),
            json!({"ForAllValues:StringLike": {"lambda:Layer": layers}}),
        ),
        allow("UseLayers", &["lambda:GetLayerVersion"], layers.clone()),
    ];
    let mut keys: Vec<_> = experiment.functions.iter().filter_map(|function| function.key.as_ref()).map(Arn::to_string).collect();
    keys.sort();
    keys.dedup();
    if !keys.is_empty() {
        let home = experiment.home();
        let suffix = if home.partition == "aws-cn" { "amazonaws.com.cn" } else { "amazonaws.com" };
        statements.push(with_condition(
            allow("ReadAndWriteVariables", &["kms:CreateGrant", "kms:Decrypt", "kms:Encrypt"], keys),
            json!({"StringEquals": {"kms:ViaService": format!("lambda.{}.{suffix}", home.region)}}),
        ));
    }
    statements
}

/// Permissions to strike and calm with the plan in this parameter.
fn strike(experiment: &Experiment, plan: &str) -> Value {
    allow("StrikeAndCalm", &["ssm:DeleteParameter", "ssm:GetParameter", "ssm:PutParameter"], [experiment.parameter_arn(plan)])
}

/// The permissions of the automation's role.
pub fn of_the_automation(experiment: &Experiment) -> Value {
    let mut statements = attach(experiment);
    statements.push(allow("ReadFaults", &["ssm:GetParameter"], [experiment.parameter_arn(&experiment.faults_parameter())]));
    statements.push(strike(experiment, &experiment.plan_parameter()));
    statements.extend(share_an_alias(
        experiment,
        &["lambda:GetAlias", "lambda:ListVersionsByFunction", "lambda:PublishVersion", "lambda:UpdateAlias"],
    ));
    policy(statements)
}

/// The permissions of FIS's role: start, watch and stop these experiments' documents, and write its
/// log. `StartAutomationExecution` is authorised on the document, which IAM calls `document` or
/// `automation-definition`, and on the execution that it creates (managed policy
/// `AWSFaultInjectionSimulatorSSMAccess`).
pub fn of_fis(experiments: &[Experiment]) -> Value {
    let Some(home) = experiments.first().map(Experiment::home) else { return policy(Vec::new()) };
    let executions = home.beside("ssm", "automation-execution/*").to_string();
    let documents = experiments.iter().flat_map(|experiment| {
        let definition = home.beside("ssm", format!("automation-definition/{}:*", experiment.named("strike")));
        [definition.to_string(), document(experiment)]
    });
    let roles = experiments.iter().map(|experiment| home.role(&experiment.named("automation")).to_string());
    policy(vec![
        allow("StartTheDocument", &["ssm:StartAutomationExecution"], documents.chain([executions.clone()])),
        allow("WatchAndStopIt", &["ssm:GetAutomationExecution", "ssm:StopAutomationExecution"], [executions]),
        with_condition(
            allow("HandTheRoleOver", &["iam:PassRole"], roles),
            json!({"StringEquals": {"iam:PassedToService": "ssm.amazonaws.com"}}),
        ),
        allow(
            "WriteTheLog",
            &["logs:CreateLogDelivery", "logs:DescribeLogGroups", "logs:DescribeResourcePolicies", "logs:PutResourcePolicy"],
            ["*".to_owned()],
        ),
    ])
}

/// The permission that the functions' roles need in addition: to read the plan.
pub fn of_the_functions(experiment: &Experiment) -> Value {
    let plans = [experiment.plan_parameter(), experiment.plan_parameter_of("*")].map(|plan| experiment.parameter_arn(&plan));
    policy(vec![allow("ReadThePlan", &["ssm:GetParameter"], plans)])
}

/// The permissions of `brownout run`, `detach` and `recover` without FIS: those of the automation,
/// and to find functions that were left attached, and to read their ledgers.
pub fn of_brownout(experiment: &Experiment) -> Value {
    let mut statements = attach(experiment);
    let arns = experiment.functions.iter().map(|function| function.arn.to_string());
    statements.push(allow(
        "LookAround",
        &["lambda:GetFunctionCodeSigningConfig", "lambda:GetFunctionConcurrency", "lambda:ListVersionsByFunction"],
        arns,
    ));
    let signing = experiment.home().beside("lambda", "code-signing-config:*").to_string();
    statements.push(allow("LookAtSigning", &["lambda:GetCodeSigningConfig"], [signing]));
    statements.extend(share_an_alias(experiment, &["lambda:GetAlias", "lambda:PublishVersion", "lambda:UpdateAlias"]));
    statements.push(strike(experiment, &experiment.plan_parameter_of("*")));
    statements.push(allow("FindWhatIsAttached", &["lambda:GetAccountSettings", "lambda:ListFunctions"], ["*".to_owned()]));
    statements.extend(delete_what_runs_made(experiment));
    statements.push(read_ledgers(experiment));
    policy(statements)
}

/// The permissions that a run on a stack by its name needs in addition: to look the stack up. A policy cannot know the ids in it, so it is for
/// the account's stacks in one Region.
pub fn of_the_lookup(experiment: &Experiment) -> Value {
    let home = experiment.home();
    let here = |service: &str, resource: &str| home.beside(service, resource).to_string();
    // API Gateway's resources are paths, which belong to no account.
    let path = |path: &str| Arn { account: String::new(), ..home.beside("apigateway", path) }.to_string();
    policy(vec![
        allow("ReadStacks", &["cloudformation:DescribeStacks", "cloudformation:ListStackResources"], [here("cloudformation", "stack/*")]),
        allow("ReadApis", &["apigateway:GET"], ["/restapis/*/stages", "/apis/*", "/usageplans/*", "/apikeys/*"].map(path)),
        allow("ReadPools", &["cognito-idp:DescribeUserPool", "cognito-idp:ListUserPoolClients"], [here("cognito-idp", "userpool/*")]),
        allow("FindLayerAndBroker", &["iot:DescribeEndpoint", "lambda:ListLayerVersions"], ["*".to_owned()]),
    ])
}

/// The permissions of `brownout layer publish` for the experiment's layer.
pub fn of_the_layer(experiment: &Experiment) -> Value {
    let any = any_version(&experiment.layer);
    let name = any.strip_suffix(":*").unwrap_or(&any).to_owned();
    policy(vec![
        allow("PublishLayer", &["lambda:PublishLayerVersion"], [name]),
        allow("CompareLayer", &["lambda:GetLayerVersion"], [any]),
        allow("ListLayer", &["lambda:ListLayerVersions"], ["*".to_owned()]),
    ])
}

/// The ARN of the document.
fn document(experiment: &Experiment) -> String {
    experiment.home().beside("ssm", format!("document/{}", experiment.named("strike"))).to_string()
}

/// Permissions to find and delete what runs that FIS drove made for themselves. They allow deleting
/// a template only if it carries a run's mark.
fn delete_what_runs_made(experiment: &Experiment) -> Vec<Value> {
    let templates = experiment.home().beside("fis", "experiment-template/*").to_string();
    let marked = json!({"StringLike": {format!("aws:ResourceTag/{RUN_TAG}"): "*"}});
    vec![
        allow("FindWhatRunsMade", &["fis:ListExperimentTemplates", "ssm:ListDocuments"], ["*".to_owned()]),
        with_condition(allow("DeleteTheirTemplates", &["fis:DeleteExperimentTemplate"], [templates]), marked),
        allow("DeleteTheirVersions", &["ssm:DeleteDocument", "ssm:ListDocumentVersions"], [document(experiment)]),
    ]
}

/// Permissions to read the functions' ledgers.
fn read_ledgers(experiment: &Experiment) -> Value {
    let logs = |function: &Function| function.arn.beside("logs", format!("log-group:{}:*", function.log_group())).to_string();
    allow("ReadLedgers", &["logs:FilterLogEvents"], experiment.functions.iter().map(logs))
}

/// The permissions of `brownout run --via fis`: to create what is missing, to start, watch and
/// stop, and to find and repair what a failed clean-up left.
pub fn of_the_driver(experiment: &Experiment) -> Value {
    let home = experiment.home();
    let of_fis = |kind: &str| home.beside("fis", format!("{kind}/*")).to_string();
    let mut statements = attach(experiment);
    let arns = experiment.functions.iter().map(|function| function.arn.to_string());
    let faults = experiment.parameter_arn(&experiment.faults_parameter());
    statements.push(allow("LookAround", &["lambda:ListVersionsByFunction"], arns));
    statements.extend(share_an_alias(experiment, &["lambda:GetAlias", "lambda:UpdateAlias"]));
    statements.push(strike(experiment, &experiment.plan_parameter()));
    statements.push(allow("KeepFaults", &["ssm:GetParameter", "ssm:PutParameter"], [faults]));
    let document_calls = ["ssm:AddTagsToResource", "ssm:CreateDocument", "ssm:DescribeDocument", "ssm:UpdateDocument"];
    statements.push(allow("MakeTheDocument", &document_calls, [document(experiment)]));
    statements.extend(delete_what_runs_made(experiment));
    let templates = ["fis:CreateExperimentTemplate", "fis:StartExperiment", "fis:TagResource"];
    // The action is a resource of the call too.
    let action = home.beside("fis", "action/aws:ssm:start-automation-execution").to_string();
    statements.push(allow("MakeAndStart", &templates, [of_fis("experiment-template"), of_fis("experiment"), action]));
    statements.push(allow("WatchAndStop", &["fis:GetExperiment", "fis:StopExperiment"], [of_fis("experiment")]));
    statements.push(with_condition(
        allow("HandTheRoleOver", &["iam:PassRole"], [home.role(&experiment.named("fis")).to_string()]),
        json!({"StringEquals": {"iam:PassedToService": "fis.amazonaws.com"}}),
    ));
    // The first experiment in an account creates the service-linked role that FIS uses to watch.
    let linked = home.role("aws-service-role/fis.amazonaws.com/AWSServiceRoleForFIS").to_string();
    statements.push(with_condition(
        allow("LetFisMakeItsRole", &["iam:CreateServiceLinkedRole"], [linked]),
        json!({"StringEquals": {"iam:AWSServiceName": "fis.amazonaws.com"}}),
    ));
    statements.push(read_ledgers(experiment));
    statements.extend(read_alarms(experiment));
    policy(statements)
}

/// The permission to read the stop alarms. Composite alarms are told only to a caller who may read
/// all alarms.
fn read_alarms(experiment: &Experiment) -> Option<Value> {
    let resources = match experiment.alarms.iter().any(Alarm::may_be_composite) {
        true => vec!["*".to_owned()],
        false => experiment.alarms.iter().map(|alarm| alarm.arn.clone()).collect(),
    };
    (!experiment.alarms.is_empty()).then(|| allow("ReadAlarms", &["cloudwatch:DescribeAlarms"], resources))
}

/// Permissions for these calls about an alias and its function, to read versions and to delete one,
/// never the function.
fn share_an_alias(experiment: &Experiment, calls: &[&str]) -> Vec<Value> {
    let shared: Vec<_> = experiment.functions.iter().filter(|function| function.alias.is_some()).map(|f| f.arn.to_string()).collect();
    if shared.is_empty() {
        return Vec::new();
    }
    let versions: Vec<_> = shared.iter().map(|arn| format!("{arn}:*")).collect();
    let both: Vec<_> = shared.iter().chain(&versions).cloned().collect();
    vec![
        allow("ShareTheAlias", calls, both),
        allow("ReadVersions", &["lambda:GetFunctionConfiguration"], versions.clone()),
        allow("DeleteTheVersion", &["lambda:DeleteFunction"], versions),
    ]
}

#[cfg(test)]
mod tests {
    use super::super::example::experiment;
    use super::*;

    fn statements(policy: &Value) -> Vec<Value> {
        policy["Statement"].as_array().unwrap().clone()
    }

    fn all() -> Vec<Value> {
        let experiment = experiment();
        let policies = [
            of_the_automation(&experiment),
            of_fis(std::slice::from_ref(&experiment)),
            of_the_functions(&experiment),
            of_brownout(&experiment),
            of_the_driver(&experiment),
            of_the_lookup(&experiment),
            of_the_layer(&experiment),
            trust(&experiment, "fis", "experiment/*"),
        ];
        policies.iter().flat_map(statements).collect()
    }

    #[test]
    fn every_action_is_in_the_list_and_the_list_has_no_other() {
        let mut used: Vec<String> = Vec::new();
        for statement in all() {
            match &statement["Action"] {
                Value::String(action) => used.push(action.clone()),
                actions => used.extend(actions.as_array().unwrap().iter().map(|action| action.as_str().unwrap().to_owned())),
            }
        }
        used.sort();
        used.dedup();
        assert_eq!(used, ACTIONS);
        let named = |action: &&str| action.split_once(':').is_some_and(|(_, name)| name.bytes().all(|b| b.is_ascii_alphabetic()));
        assert!(ACTIONS.iter().all(named));
    }

    #[test]
    fn only_actions_without_a_resource_are_allowed_on_all_resources() {
        for statement in all() {
            let on_all = statement["Resource"].as_array().is_some_and(|list| list.contains(&json!("*")));
            let sid = statement["Sid"].as_str().unwrap_or_default();
            assert!(
                !on_all || ["WriteTheLog", "FindWhatIsAttached", "FindWhatRunsMade", "FindLayerAndBroker", "ListLayer"].contains(&sid),
                "{statement}"
            );
        }
    }

    #[test]
    fn a_function_may_be_given_only_its_own_layers_and_brownouts() {
        let statements = attach(&experiment());
        let change = &statements[1];
        assert_eq!(
            change["Condition"],
            json!({"ForAllValues:StringLike": {"lambda:Layer": [
                "arn:aws:lambda:us-east-1:123456789012:layer:brownout:7",
                "arn:aws:lambda:us-east-1:123456789012:layer:tracing:*",
            ]}})
        );
        assert_eq!(change["Resource"].as_array().unwrap().len(), 2);
    }

    #[test]
    fn only_a_version_can_be_deleted_and_only_where_an_alias_is_shared() {
        let mut experiment = experiment();
        let delete = |experiment: &Experiment| statements(&of_brownout(experiment)).into_iter().find(|s| s["Sid"] == "DeleteTheVersion");
        assert_eq!(delete(&experiment).unwrap()["Resource"], json!(["arn:aws:lambda:us-east-1:123456789012:function:appointments:*"]));
        experiment.functions[1].alias = None;
        assert_eq!(delete(&experiment), None);
    }

    #[test]
    fn all_alarms_may_be_read_only_if_one_may_be_composite() {
        let mut experiment = experiment();
        let read = |experiment: &Experiment| statements(&of_the_driver(experiment)).into_iter().find(|s| s["Sid"] == "ReadAlarms");
        assert_eq!(read(&experiment).unwrap()["Resource"], json!([experiment.alarms[0].arn]));
        experiment.alarms[0].metric = crate::alarms::Metric::Other;
        assert_eq!(read(&experiment).unwrap()["Resource"], json!(["*"]));
        experiment.alarms.clear();
        assert_eq!(read(&experiment), None);
    }

    #[test]
    fn a_key_is_named_only_if_a_function_has_one() {
        let mut experiment = experiment();
        assert!(attach(&experiment).iter().any(|statement| statement["Sid"] == "ReadAndWriteVariables"));
        experiment.functions[1].key = None;
        assert!(!attach(&experiment).iter().any(|statement| statement["Sid"] == "ReadAndWriteVariables"));
    }

    #[test]
    fn a_service_is_trusted_only_for_this_account() {
        let trust = trust(&experiment(), "ssm", "automation-execution/*");
        let statement = &trust["Statement"][0];
        assert_eq!(statement["Condition"]["StringEquals"]["aws:SourceAccount"], "123456789012");
        let source = "arn:aws:ssm:us-east-1:123456789012:automation-execution/*";
        assert_eq!(statement["Condition"]["ArnLike"]["aws:SourceArn"], source);
    }
}
