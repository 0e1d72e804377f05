//! The resources of a stack, in the order in which they are preferred: those of the outer stack
//! before those of the stacks nested in it.

use std::collections::BTreeMap;

/// The kinds of resources that are looked at closer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `AWS::Lambda::Function`.
    Function,
    /// `AWS::ApiGateway::RestApi`.
    RestApi,
    /// `AWS::ApiGateway::Stage`; its physical id is the stage's name.
    RestStage,
    /// `AWS::ApiGateway::UsagePlan`.
    UsagePlan,
    /// `AWS::ApiGateway::ApiKey`; its physical id is not the key.
    ApiKey,
    /// `AWS::ApiGatewayV2::Api`, for HTTP or WebSocket.
    Api,
    /// `AWS::ApiGatewayV2::Stage`; its physical id is the stage's name.
    Stage,
    /// `AWS::Cognito::UserPool`.
    UserPool,
    /// `AWS::Cognito::UserPoolClient`.
    UserPoolClient,
    /// Anything of AWS IoT.
    Iot,
    /// `AWS::CloudFormation::Stack`; its physical id is its ARN.
    Stack,
    /// All others.
    Other,
}

impl Kind {
    /// The kind of a resource type.
    pub fn of(resource_type: &str) -> Self {
        match resource_type {
            "AWS::Lambda::Function" => Self::Function,
            "AWS::ApiGateway::RestApi" => Self::RestApi,
            "AWS::ApiGateway::Stage" => Self::RestStage,
            "AWS::ApiGateway::UsagePlan" => Self::UsagePlan,
            "AWS::ApiGateway::ApiKey" => Self::ApiKey,
            "AWS::ApiGatewayV2::Api" => Self::Api,
            "AWS::ApiGatewayV2::Stage" => Self::Stage,
            "AWS::Cognito::UserPool" => Self::UserPool,
            "AWS::Cognito::UserPoolClient" => Self::UserPoolClient,
            "AWS::CloudFormation::Stack" => Self::Stack,
            other if other.starts_with("AWS::IoT::") => Self::Iot,
            _ => Self::Other,
        }
    }
}

/// One resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// Its name in the template.
    pub logical: String,
    /// Its name, id or ARN in the account.
    pub physical: String,
    /// Its kind.
    pub kind: Kind,
    /// How many stacks its own stack is nested in.
    pub depth: usize,
}

/// All resources of a stack and of the stacks nested in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resources(Vec<Resource>);

impl Resources {
    /// Adds a resource; outer ones come first.
    pub fn push(&mut self, resource: Resource) {
        self.0.push(resource);
    }

    /// Those of one kind, also where logical ids clash.
    pub fn of(&self, kind: Kind) -> impl Iterator<Item = &Resource> {
        self.0.iter().filter(move |resource| resource.kind == kind)
    }

    /// The physical ids of one kind.
    pub fn physical(&self, kind: Kind) -> Vec<&str> {
        self.of(kind).map(|resource| resource.physical.as_str()).collect()
    }

    /// The physical id by the logical one. Where two are the same, the outer stack's counts.
    pub fn by_logical_id(&self) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        for resource in &self.0 {
            found.entry(resource.logical.clone()).or_insert_with(|| resource.physical.clone());
        }
        found
    }
}
