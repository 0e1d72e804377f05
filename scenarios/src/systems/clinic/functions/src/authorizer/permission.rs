//! Asks the policy store about appointments. Only an explicit ALLOW for exactly the requested
//! appointment allows it.

use super::Pool;
use super::appointments_table::Appointment;
use aws_config::SdkConfig;
use aws_sdk_verifiedpermissions::Client;
use aws_sdk_verifiedpermissions::error::BuildError;
use aws_sdk_verifiedpermissions::types::{
    ActionIdentifier, AttributeValue, BatchIsAuthorizedInputItem, BatchIsAuthorizedOutputItem, Decision, EntitiesDefinition,
    EntityIdentifier, EntityItem,
};
use functions::failure::DependencyFailure;
use std::collections::HashMap;

const SERVICE: &str = "verifiedpermissions";
const ACTION: &str = "Clinic::Action";
const READ: &str = "GET/appointment";
const APPOINTMENT: &str = "Clinic::Appointment";

/// The most requests in one BatchIsAuthorized call.
const BATCH: usize = 30;

/// The entity types of the two pools' users.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct EntityTypes {
    internal: &'static str,
    external: &'static str,
}

impl EntityTypes {
    /// One type per pool, so that users of the same name are different users.
    pub(super) const BY_POOL: Self = Self { internal: "Clinic::InternalUser", external: "Clinic::ExternalUser" };
    /// One type for both pools: the weakness `one-namespace-for-both-pools`.
    pub(super) const SHARED: Self = Self { internal: "Clinic::User", external: "Clinic::User" };

    const fn of(self, pool: Pool) -> &'static str {
        match pool {
            Pool::Internal => self.internal,
            Pool::External => self.external,
        }
    }
}

pub(super) struct Permissions {
    client: Client,
    policy_store: String,
    types: EntityTypes,
}

impl Permissions {
    pub(super) fn new(config: &SdkConfig, policy_store: String, types: EntityTypes) -> Self {
        Self { client: Client::new(config), policy_store, types }
    }

    /// The appointments that `user` may read.
    pub(super) async fn those_permitted<'a>(
        &self,
        pool: Pool,
        user: &str,
        appointments: &'a [Appointment],
    ) -> Result<Vec<&'a Appointment>, DependencyFailure> {
        let mut permitted = Vec::new();
        for chunk in appointments.chunks(BATCH) {
            let requests = chunk.iter().map(|appointment| self.request(pool, user, appointment)).collect::<Result<Vec<_>, _>>();
            let output = self
                .client
                .batch_is_authorized()
                .policy_store_id(&self.policy_store)
                .set_requests(Some(requests.map_err(not_made)?))
                .entities(EntitiesDefinition::EntityList(self.entities(chunk).map_err(not_made)?))
                .send()
                .await
                .map_err(|error| DependencyFailure::of(SERVICE, &error))?;
            if output.results().len() != chunk.len() {
                return Err(DependencyFailure::new(SERVICE, "not as many decisions as requests"));
            }
            for (appointment, result) in chunk.iter().zip(output.results()) {
                permitted.extend(is_allowed(result, appointment)?.then_some(appointment));
            }
        }
        Ok(permitted)
    }

    /// Whether `user` may do `action` with one appointment.
    pub(super) async fn is_permitted(
        &self,
        pool: Pool,
        user: &str,
        action: &str,
        appointment: &Appointment,
    ) -> Result<bool, DependencyFailure> {
        let entities = self.entities(std::slice::from_ref(appointment)).map_err(not_made)?;
        let output = self
            .client
            .is_authorized()
            .policy_store_id(&self.policy_store)
            .principal(entity(self.types.of(pool), user).map_err(not_made)?)
            .action(ActionIdentifier::builder().action_type(ACTION).action_id(action).build().map_err(not_made)?)
            .resource(entity(APPOINTMENT, &appointment.id).map_err(not_made)?)
            .entities(EntitiesDefinition::EntityList(entities))
            .send()
            .await
            .map_err(|error| DependencyFailure::of(SERVICE, &error))?;
        read(output.decision())
    }

    fn request(&self, pool: Pool, user: &str, appointment: &Appointment) -> Result<BatchIsAuthorizedInputItem, BuildError> {
        Ok(BatchIsAuthorizedInputItem::builder()
            .principal(entity(self.types.of(pool), user)?)
            .action(ActionIdentifier::builder().action_type(ACTION).action_id(READ).build()?)
            .resource(entity(APPOINTMENT, &appointment.id)?)
            .build())
    }

    fn entities(&self, appointments: &[Appointment]) -> Result<Vec<EntityItem>, BuildError> {
        appointments.iter().map(|appointment| self.item(appointment)).collect()
    }

    fn item(&self, appointment: &Appointment) -> Result<EntityItem, BuildError> {
        let people = [("owner", self.types.external, &appointment.owner), ("veterinarian", self.types.internal, &appointment.veterinarian)];
        let mut attributes = HashMap::new();
        for (name, kind, id) in people {
            if let Some(id) = id {
                attributes.insert(name.to_owned(), AttributeValue::EntityIdentifier(entity(kind, id)?));
            }
        }
        Ok(EntityItem::builder().identifier(entity(APPOINTMENT, &appointment.id)?).set_attributes(Some(attributes)).build())
    }
}

/// Decisions come in the order of the requests. Each also repeats its request, so a mix-up is
/// noticed.
fn is_allowed(result: &BatchIsAuthorizedOutputItem, appointment: &Appointment) -> Result<bool, DependencyFailure> {
    let about = result.request().and_then(|request| request.resource()).map(|resource| resource.entity_id());
    if about.is_some_and(|id| id != appointment.id) {
        return Err(DependencyFailure::new(SERVICE, "a decision about something else"));
    }
    read(result.decision())
}

fn read(decision: &Decision) -> Result<bool, DependencyFailure> {
    match decision {
        Decision::Allow => Ok(true),
        Decision::Deny => Ok(false),
        _ => Err(DependencyFailure::new(SERVICE, "neither ALLOW nor DENY")),
    }
}

fn entity(kind: &str, id: &str) -> Result<EntityIdentifier, BuildError> {
    EntityIdentifier::builder().entity_type(kind).entity_id(id).build()
}

fn not_made(_: BuildError) -> DependencyFailure {
    DependencyFailure::new(SERVICE, "the request could not be made")
}
