//! State machines, user pools, parameters, secrets and keys.

use std::collections::BTreeMap;

use states::Definition;

/// A state machine.
#[derive(Debug, Clone, PartialEq)]
pub struct Machine {
    /// `StateMachineName`.
    pub name: String,
    /// The parsed definition; or what of it is not served here, so that it cannot be started.
    pub definition: Result<Definition, String>,
    /// `StateMachineType`.
    pub kind: MachineKind,
}

impl Eq for Machine {}

/// `StateMachineType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MachineKind {
    /// `STANDARD`.
    #[default]
    Standard,
    /// `EXPRESS`: it may be started and waited for.
    Express,
}

/// A user pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserPool {
    /// `UserPoolName`.
    pub name: String,
    /// The names of the functions that the pool invokes.
    pub triggers: BTreeMap<PoolEvent, String>,
}

/// What a user pool invokes a function for, of `LambdaConfig`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PoolEvent {
    /// `PreAuthentication`.
    PreAuthentication,
    /// `PostAuthentication`.
    PostAuthentication,
    /// `PreTokenGeneration`, or `PreTokenGenerationConfig` with `V1_0`.
    PreTokenGeneration,
    /// `PreTokenGenerationConfig` with `V2_0`.
    PreTokenGenerationV2,
    /// `UserMigration`.
    UserMigration,
}

/// A parameter of Systems Manager.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// `Name`.
    pub name: String,
    /// `Value`.
    pub value: String,
    /// Whether `Type` is `StringList`; else it is `String`.
    pub list: bool,
}

/// A secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secret {
    /// `Name`.
    pub name: String,
    /// `SecretString`; or what `GenerateSecretString` makes.
    pub value: Option<String>,
    /// `GenerateSecretString`, if the value must be made: an object as in the template.
    pub generate: Option<serde_json::Value>,
}

/// A symmetric key of KMS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncryptionKey {
    /// Its id: the last part of its ARN.
    pub id: String,
    /// The `AliasName`s of its aliases, such as `alias/orders`.
    pub aliases: Vec<String>,
}
