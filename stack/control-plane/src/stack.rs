//! A stack of CloudFormation.

use crate::arn::{ACCOUNT, REGION};

/// A stack, with its own resources; a nested stack is a resource, and a stack of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stack {
    /// Its name, unique among stacks that are not deleted.
    pub name: String,
    /// Such as `UPDATE_COMPLETE`.
    pub status: String,
    /// What the template declares, and what it declared before and is deleted.
    pub resources: Vec<StackResource>,
}

/// A resource of a stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StackResource {
    /// Its name in the template.
    pub logical: String,
    /// Its name, id or ARN; there is none until it is created.
    pub physical: Option<String>,
    /// Such as `AWS::Lambda::Function`.
    pub kind: String,
    /// Such as `CREATE_COMPLETE`.
    pub status: String,
}

impl Stack {
    /// A stack that is deployed, with these resources: logical id, type, physical id.
    pub fn new(name: &str, resources: &[(&str, &str, &str)]) -> Self {
        let resource = |(logical, kind, physical): &(&str, &str, &str)| StackResource {
            logical: (*logical).to_owned(),
            physical: Some((*physical).to_owned()),
            kind: (*kind).to_owned(),
            status: "CREATE_COMPLETE".to_owned(),
        };
        Self { name: name.to_owned(), status: "CREATE_COMPLETE".to_owned(), resources: resources.iter().map(resource).collect() }
    }

    /// Its ARN.
    pub fn arn(&self) -> String {
        format!("arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{}/00000000-0000-4000-8000-000000000000", self.name)
    }
}
