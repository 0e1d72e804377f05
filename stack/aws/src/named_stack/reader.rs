//! Reads a stack, and the stacks nested in it, from CloudFormation.

use std::collections::VecDeque;

use aws_config::SdkConfig;
use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::types::{ResourceStatus, StackResourceSummary};
use exports::Arn;

use super::error::ResolveError;
use super::resource::{Kind, Resource, Resources};
use super::status::objection;
use crate::call::CallError;
use crate::patience::Patience;
use crate::secret::Variables;

/// How deep stacks may be nested. AWS names no limit; this ends a circle.
const DEEPEST: usize = 10;

/// A stack that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stack {
    /// Its name.
    pub name: String,
    /// Its ARN, which has its partition, Region and account.
    pub arn: Arn,
    /// Everything in it.
    pub resources: Resources,
}

/// Reads stacks.
#[derive(Debug, Clone)]
pub struct Reader {
    client: Client,
    patience: Patience,
    region: String,
}

impl Reader {
    /// Calls use `config`.
    pub fn new(config: &SdkConfig, patience: Patience) -> Self {
        let region = config.region().map(ToString::to_string).unwrap_or_default();
        Self { client: Client::new(config), patience, region }
    }

    /// The stack with this name or ARN.
    ///
    /// # Errors
    /// If it does not exist, or is not ready; the error of the last call.
    pub async fn read(&self, named: &str) -> Result<Stack, ResolveError> {
        let (name, arn) = self.describe(named).await?;
        let mut resources = Resources::default();
        let mut stacks = VecDeque::from([(arn.to_string(), 0)]);
        // Outer stacks first, so that their logical ids count.
        while let Some((stack, depth)) = stacks.pop_front() {
            if depth > DEEPEST {
                return Err(ResolveError::TooDeep { stack, deep: DEEPEST });
            }
            for listed in self.list(&stack).await? {
                let Some(resource) = resource(&listed, depth) else { continue };
                if resource.kind == Kind::Stack {
                    stacks.push_back((resource.physical.clone(), depth + 1));
                }
                resources.push(resource);
            }
        }
        Ok(Stack { name, arn, resources })
    }

    /// The name and ARN of a stack that can be used.
    async fn describe(&self, named: &str) -> Result<(String, Arn), ResolveError> {
        let call = || async {
            let call = self.client.describe_stacks().stack_name(named);
            call.send().await.map_err(|error| CallError::read("DescribeStacks", named, &error, &Variables::default()))
        };
        let described = self.patience.insist(call).await.map_err(|error| self.missing(named, error))?;
        let stack = described.stacks().first().ok_or_else(|| self.no_stack(named))?;
        let name = stack.stack_name().unwrap_or(named).to_owned();
        let status = stack.stack_status().map(|status| status.as_str()).unwrap_or_default();
        if let Some(fix) = objection(status) {
            return Err(ResolveError::NotReady { stack: name, status: status.to_owned(), fix });
        }
        let arn = stack.stack_id().and_then(|id| id.parse().ok());
        let arn = arn.ok_or_else(|| ResolveError::Incomplete { call: "DescribeStacks", of: name.clone(), what: "`StackId`" })?;
        Ok((name, arn))
    }

    /// CloudFormation has no error of its own for a stack that does not exist.
    fn missing(&self, named: &str, error: CallError) -> ResolveError {
        if error.code == "ValidationError" && error.message.contains("does not exist") { self.no_stack(named) } else { error.into() }
    }

    fn no_stack(&self, named: &str) -> ResolveError {
        ResolveError::NoStack { stack: named.to_owned(), region: self.region.clone() }
    }

    async fn list(&self, stack: &str) -> Result<Vec<StackResourceSummary>, CallError> {
        let (mut all, mut token) = (Vec::new(), None);
        loop {
            let page = self.patience.insist(|| async {
                let call = self.client.list_stack_resources().stack_name(stack).set_next_token(token.clone());
                call.send().await.map_err(|error| CallError::read("ListStackResources", stack, &error, &Variables::default()))
            });
            let page = page.await?;
            all.extend_from_slice(page.stack_resource_summaries());
            token = page.next_token().filter(|token| !token.is_empty()).map(str::to_owned);
            if token.is_none() {
                return Ok(all);
            }
        }
    }
}

/// A listed resource that exists: deleted ones stay in the list, and ones that were never created have no physical id.
fn resource(listed: &StackResourceSummary, depth: usize) -> Option<Resource> {
    if listed.resource_status() == Some(&ResourceStatus::DeleteComplete) {
        return None;
    }
    let physical = listed.physical_resource_id().filter(|id| !id.is_empty())?;
    let kind = Kind::of(listed.resource_type()?);
    Some(Resource { logical: listed.logical_resource_id()?.to_owned(), physical: physical.to_owned(), kind, depth })
}
