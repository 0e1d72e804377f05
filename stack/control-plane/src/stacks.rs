//! CloudFormation, as far as a stack is read by its name: the query protocol, pages of 100.

use serde_json::{Value, json};

use crate::answer::{Answer, Request};
use crate::stack::Stack;
use crate::state::ControlPlane;

/// The most resources of one page. Source: CloudFormation API Reference, `ListStackResources`.
const PAGE: usize = 100;

/// A moment at which everything was made.
const MADE: &str = "2026-01-01T00:00:00Z";

impl ControlPlane {
    /// One call of CloudFormation.
    pub(crate) fn cloudformation(&mut self, operation: &str, request: &Request<'_>) -> Result<Answer, Answer> {
        if self.is_throttled(operation) {
            return Err(Answer::refused(400, "Throttling", "Rate exceeded"));
        }
        let named = request.form("StackName").ok_or_else(|| invalid("StackName is required here"))?;
        match operation {
            "DescribeStacks" => self.stack(&named).map(described),
            "ListStackResources" => listed(self.stack(&named)?, request.form("NextToken")),
            other => Err(Answer::refused(400, "InvalidAction", format!("Could not find operation {other} for version 2010-05-15"))),
        }
    }

    /// Whether this call of an operation is one that is to be throttled.
    fn is_throttled(&mut self, operation: &str) -> bool {
        let Some(left) = self.throttling.get_mut(operation).filter(|left| **left > 0) else { return false };
        *left -= 1;
        true
    }

    /// A stack by its name or ARN; one that is deleted only by its ARN.
    fn stack(&self, named: &str) -> Result<&Stack, Answer> {
        let is_named = |stack: &&Stack| stack.arn() == named || (stack.name == named && stack.status != "DELETE_COMPLETE");
        self.stacks.iter().find(is_named).ok_or_else(|| invalid(format!("Stack with id {named} does not exist")))
    }
}

fn described(stack: &Stack) -> Answer {
    let stack = json!({
        "StackId": stack.arn(), "StackName": stack.name, "StackStatus": stack.status, "CreationTime": MADE, "DisableRollback": false,
    });
    Answer::ok(200, json!({"Stacks": [stack]}))
}

fn listed(stack: &Stack, token: Option<String>) -> Result<Answer, Answer> {
    let start = match token {
        None => 0,
        // A token is valid only for the stack that it came from.
        Some(token) => {
            let start = token.strip_prefix(&format!("{}-", stack.name)).and_then(|start| start.parse().ok());
            start.ok_or_else(|| invalid("The token is not valid"))?
        }
    };
    let page: Vec<Value> = stack
        .resources
        .iter()
        .skip(start)
        .take(PAGE)
        .map(|resource| {
            json!({
                "LogicalResourceId": resource.logical, "PhysicalResourceId": resource.physical, "ResourceType": resource.kind,
                "ResourceStatus": resource.status, "LastUpdatedTimestamp": MADE,
            })
        })
        .collect();
    let end = start + page.len();
    let next = (end < stack.resources.len()).then(|| format!("{}-{end}", stack.name));
    Ok(Answer::ok(200, json!({"StackResourceSummaries": page, "NextToken": next})))
}

fn invalid(message: impl Into<String>) -> Answer {
    Answer::refused(400, "ValidationError", message)
}
