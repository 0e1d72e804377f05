//! Asks the policy store. Only an explicit ALLOW allows; an answer that is neither ALLOW nor DENY
//! is a failure, not a denial.

use super::command::Command;
use super::devices::Device;
use aws_config::SdkConfig;
use aws_sdk_verifiedpermissions::Client;
use aws_sdk_verifiedpermissions::error::BuildError;
use aws_sdk_verifiedpermissions::operation::is_authorized::IsAuthorizedOutput;
use aws_sdk_verifiedpermissions::types::{
    ActionIdentifier, AttributeValue, ContextDefinition, Decision, EntitiesDefinition, EntityIdentifier, EntityItem,
};
use functions::failure::DependencyFailure;
use serde_json::{Value, json};
use std::collections::HashMap;

const SERVICE: &str = "verifiedpermissions";
const USER: &str = "AwsIotAvpWebApp::User";
const ACTION: &str = "AwsIotAvpWebApp::Action";
const DEVICE: &str = "AwsIotAvpWebApp::Device";

/// A decision, and the document that reports it to the caller.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Evaluation {
    pub(super) allowed: bool,
    pub(super) document: Value,
}

impl Evaluation {
    /// A denial that did not come from the policy store: the weakness `outage-reads-as-denial`.
    pub(super) fn denied() -> Self {
        Self { allowed: false, document: json!({"decision": "DENY", "determiningPolicies": [], "errors": []}) }
    }

    fn read(output: &IsAuthorizedOutput) -> Result<Self, DependencyFailure> {
        let allowed = match output.decision() {
            Decision::Allow => true,
            Decision::Deny => false,
            _ => return Err(DependencyFailure::new(SERVICE, "neither ALLOW nor DENY")),
        };
        let policies: Vec<Value> = output.determining_policies().iter().map(|policy| json!({"policyId": policy.policy_id()})).collect();
        let errors: Vec<Value> = output.errors().iter().map(|error| json!({"errorDescription": error.error_description()})).collect();
        let document = json!({"decision": output.decision().as_str(), "determiningPolicies": policies, "errors": errors});
        Ok(Self { allowed, document })
    }
}

pub(super) struct Permissions {
    client: Client,
    policy_store: String,
}

impl Permissions {
    pub(super) fn new(config: &SdkConfig, policy_store: String) -> Self {
        Self { client: Client::new(config), policy_store }
    }

    /// Whether `user` may carry out `command` on `device`.
    pub(super) async fn ask(&self, user: &str, command: &Command, device: &Device) -> Result<Evaluation, DependencyFailure> {
        let request = self.request(user, command, device).map_err(|_| DependencyFailure::new(SERVICE, "the request could not be made"))?;
        Evaluation::read(&request.send().await.map_err(|error| DependencyFailure::of(SERVICE, &error))?)
    }

    fn request(
        &self,
        user: &str,
        command: &Command,
        device: &Device,
    ) -> Result<aws_sdk_verifiedpermissions::operation::is_authorized::builders::IsAuthorizedFluentBuilder, BuildError> {
        let owner = AttributeValue::EntityIdentifier(entity(USER, &device.primary_owner)?);
        let item = EntityItem::builder().identifier(entity(DEVICE, &device.id)?).attributes("primaryOwner", owner).build();
        Ok(self
            .client
            .is_authorized()
            .policy_store_id(&self.policy_store)
            .principal(entity(USER, user)?)
            .action(ActionIdentifier::builder().action_type(ACTION).action_id(command.action_id()).build()?)
            .resource(entity(DEVICE, &device.id)?)
            .context(context(command))
            .entities(EntitiesDefinition::EntityList(vec![item])))
    }
}

/// A missing value is a missing key: a policy that needs it then denies.
fn context(command: &Command) -> ContextDefinition {
    let values = [("desiredTemperature", command.temperature), ("time", command.time)];
    let present = values.into_iter().filter_map(|(name, value)| Some((name.to_owned(), AttributeValue::Long(value?))));
    ContextDefinition::ContextMap(present.collect::<HashMap<_, _>>())
}

fn entity(kind: &str, id: &str) -> Result<EntityIdentifier, BuildError> {
    EntityIdentifier::builder().entity_type(kind).entity_id(id).build()
}
