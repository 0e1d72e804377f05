//! The `Resource`s of tasks that are supported here: a function, or one of the optimized
//! integrations `lambda:invoke`, `sqs:sendMessage` and `sns:publish`.

use faults::Complaint;
use serde_json::Value;
use states::{Definition, Payload, Task};

use crate::account::function_name;

/// What a task does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resource {
    /// Calls the function of this name; its answer is the result.
    Function(String),
    /// `lambda:invoke`: calls a function; its answer is the result's `Payload`.
    Invoke,
    /// `sqs:sendMessage`.
    Send,
    /// `sns:publish`.
    Publish,
}

/// A name or address of something that must exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Needs {
    /// A function, by name or ARN.
    Function(String),
    /// A queue, by its URL.
    Queue(String),
    /// A topic, by its ARN.
    Topic(String),
}

impl Resource {
    /// Reads a `Resource`.
    pub fn read(text: &str) -> Option<Self> {
        match text {
            "arn:aws:states:::lambda:invoke" => Some(Self::Invoke),
            "arn:aws:states:::sqs:sendMessage" => Some(Self::Send),
            "arn:aws:states:::sns:publish" => Some(Self::Publish),
            _ => {
                let name = function_name(text);
                (text.starts_with("arn:aws:lambda:") && text.contains(":function:") && !name.is_empty())
                    .then(|| Self::Function(name.to_owned()))
            }
        }
    }

    /// Service and action of an integration, as in events; `None` for a function.
    pub const fn integration(&self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Function(_) => None,
            Self::Invoke => Some(("lambda", "invoke")),
            Self::Send => Some(("sqs", "sendMessage")),
            Self::Publish => Some(("sns", "publish")),
        }
    }

    /// The required and the optional parameters.
    const fn parameters(&self) -> Option<(&'static [&'static str], &'static [&'static str])> {
        match self {
            Self::Function(_) => None,
            Self::Invoke => Some((&["FunctionName"], &["Payload"])),
            Self::Send => Some((&["QueueUrl", "MessageBody"], &[])),
            Self::Publish => Some((&["TopicArn", "Message"], &["Subject"])),
        }
    }
}

/// What was found in the tasks of a machine, each with its state.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// What Step Functions would refuse too.
    pub wrong: Vec<Complaint>,
    /// What is not served here.
    pub not_served: Vec<Complaint>,
}

/// What is wrong with the tasks of a machine and what is not served, as far as that is known without
/// running it.
pub fn findings(definition: &Definition) -> Findings {
    let mut findings = Findings::default();
    for (name, task) in definition.tasks() {
        let Findings { wrong, not_served } = of_task(task);
        findings.wrong.extend(wrong.into_iter().map(|complaint| complaint.within(name)));
        findings.not_served.extend(not_served.into_iter().map(|complaint| complaint.within(name)));
    }
    findings
}

fn of_task(task: &Task) -> Findings {
    let mut findings = Findings::default();
    let Some(resource) = Resource::read(&task.resource) else {
        let served =
            "the ARN of a function, arn:aws:states:::lambda:invoke, arn:aws:states:::sqs:sendMessage, arn:aws:states:::sns:publish";
        let what = Complaint::new("Resource", format!("found `{}`, there are: {served}", task.resource));
        // Whether a function's ARN is complete is known; of the integrations there are hundreds.
        let is_arn = task.resource.starts_with("arn:aws:states:");
        (if is_arn { &mut findings.not_served } else { &mut findings.wrong }).push(what);
        return findings;
    };
    let Some((needed, allowed)) = resource.parameters() else { return findings };
    let keys: Vec<&str> = task.shaping.parameters.iter().flat_map(Payload::keys).collect();
    let of = |key: &str, what: String| Complaint::new(format!("Parameters.{key}"), what);
    findings.wrong.extend(needed.iter().filter(|key| !keys.contains(*key)).map(|key| of(key, "found none".to_owned())));
    let known = || needed.iter().chain(allowed).copied().collect::<Vec<_>>().join(", ");
    let unknown = keys.iter().filter(|key| !needed.contains(*key) && !allowed.contains(*key));
    findings.not_served.extend(unknown.map(|key| of(key, format!("this parameter is not served here, there are: {}", known()))));
    findings
}

/// What the tasks of a machine need, each with its state, as far as it is literal and not taken
/// from the input.
pub fn needs(definition: &Definition) -> Vec<(String, Needs)> {
    let need = |task: &Task| {
        let text = |key: &str| task.shaping.parameters.as_ref()?.literal(key).and_then(Value::as_str).map(str::to_owned);
        match Resource::read(&task.resource)? {
            Resource::Function(_) => Some(Needs::Function(task.resource.to_string())),
            Resource::Invoke => text("FunctionName").map(Needs::Function),
            Resource::Send => text("QueueUrl").map(Needs::Queue),
            Resource::Publish => text("TopicArn").map(Needs::Topic),
        }
    };
    definition.tasks().into_iter().filter_map(|(name, task)| Some((name.to_string(), need(task)?))).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn machine(resource: &str, parameters: Option<Value>) -> Definition {
        let mut task = json!({"Type": "Task", "Resource": resource, "End": true});
        if let Some(parameters) = parameters {
            task["Parameters"] = parameters;
        }
        Definition::read(&json!({"StartAt": "T", "States": {"T": task}})).unwrap()
    }

    #[test]
    fn a_resource_is_a_function_or_one_of_three_integrations() {
        for (text, resource) in [
            ("arn:aws:lambda:us-east-1:123456789012:function:f", Some(Resource::Function("f".into()))),
            ("arn:aws:lambda:us-east-1:123456789012:function:f:live", Some(Resource::Function("f".into()))),
            ("arn:aws:states:::lambda:invoke", Some(Resource::Invoke)),
            ("arn:aws:states:::sqs:sendMessage", Some(Resource::Send)),
            ("arn:aws:states:::sns:publish", Some(Resource::Publish)),
            ("arn:aws:states:::lambda:invoke.waitForTaskToken", None),
            ("arn:aws:states:::dynamodb:putItem", None),
            ("arn:aws:lambda:us-east-1:123456789012:function:", None),
            ("f", None),
        ] {
            assert_eq!(Resource::read(text), resource, "{text}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_task_and_what_is_not_served_is_told_apart() {
        let send = "arn:aws:states:::sqs:sendMessage";
        for (resource, parameters, wrong, not_served) in [
            ("arn:aws:states:::sns:publish.waitForTaskToken", None, vec![], vec!["T.Resource"]),
            ("arn:aws:states:::dynamodb:putItem", None, vec![], vec!["T.Resource"]),
            ("f", None, vec!["T.Resource"], vec![]),
            (send, None, vec!["T.Parameters.QueueUrl", "T.Parameters.MessageBody"], vec![]),
            (send, Some(json!({"QueueUrl": "q", "MessageBody.$": "$", "DelaySeconds": 1})), vec![], vec!["T.Parameters.DelaySeconds"]),
            (send, Some(json!({"QueueUrl": "q", "MessageBody.$": "$"})), vec![], vec![]),
            ("arn:aws:lambda:us-east-1:1:function:f", Some(json!({"anything": 1})), vec![], vec![]),
        ] {
            let found = findings(&machine(resource, parameters.clone()));
            let keys = |all: Vec<Complaint>| all.into_iter().map(|complaint| complaint.key).collect::<Vec<_>>();
            assert_eq!(
                (keys(found.wrong), keys(found.not_served)),
                (wrong.into_iter().map(str::to_owned).collect(), not_served.into_iter().map(str::to_owned).collect()),
                "{resource} {parameters:?}"
            );
        }
    }

    #[test]
    fn literal_needs_of_a_machine_are_known() {
        let publish = "arn:aws:states:::sns:publish";
        let needs_of =
            |resource: &str, parameters: Value| needs(&machine(resource, Some(parameters))).into_iter().map(|(_, need)| need).next();
        assert_eq!(needs_of(publish, json!({"TopicArn": "t", "Message": "m"})), Some(Needs::Topic("t".into())));
        assert_eq!(needs_of(publish, json!({"TopicArn.$": "$.t", "Message": "m"})), None);
        let function = "arn:aws:lambda:us-east-1:1:function:f";
        assert_eq!(needs_of(function, json!({})), Some(Needs::Function(function.into())));
    }
}
