//! A decision request in the service's JSON, and its conversion to Cedar.

use std::collections::{BTreeMap, HashMap, HashSet};

use cedar_policy::{Context, Entities, Entity, EntityUid, Request, RestrictedExpression};
use serde::{Deserialize, Serialize};

use super::store::uid;

/// `IsAuthorized`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IsAuthorized {
    /// The store.
    pub policy_store_id: String,
    /// The principal.
    pub principal: Option<EntityIdentifier>,
    /// The action.
    pub action: Option<ActionIdentifier>,
    /// The resource.
    pub resource: Option<EntityIdentifier>,
    /// The context.
    pub context: Option<ContextDefinition>,
    /// The attributes and parents of entities.
    pub entities: Option<EntitiesDefinition>,
}

/// `BatchIsAuthorized`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchIsAuthorized {
    /// The store.
    pub policy_store_id: String,
    /// The questions.
    pub requests: Vec<Question>,
    /// The attributes and parents of entities, for all requests.
    pub entities: Option<EntitiesDefinition>,
}

/// One request of a batch.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Question {
    /// The principal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub principal: Option<EntityIdentifier>,
    /// The action.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<ActionIdentifier>,
    /// The resource.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<EntityIdentifier>,
    /// The context.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<ContextDefinition>,
}

/// An entity's name.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EntityIdentifier {
    /// Its type.
    pub entity_type: String,
    /// Its id.
    pub entity_id: String,
}

/// An action's name.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ActionIdentifier {
    /// Its type.
    pub action_type: String,
    /// Its id.
    pub action_id: String,
}

/// The context, in either form.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ContextDefinition {
    /// Typed values.
    ContextMap(BTreeMap<String, AttributeValue>),
    /// In Cedar's JSON, as text.
    CedarJson(String),
}

/// The entities, in either form.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum EntitiesDefinition {
    /// Typed values.
    EntityList(Vec<EntityItem>),
    /// In Cedar's JSON, as text.
    CedarJson(String),
}

/// One entity.
#[derive(Debug, Deserialize)]
pub struct EntityItem {
    identifier: EntityIdentifier,
    #[serde(default)]
    attributes: BTreeMap<String, AttributeValue>,
    #[serde(default)]
    parents: Vec<EntityIdentifier>,
}

/// A value with its type.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum AttributeValue {
    /// True or false.
    Boolean(bool),
    /// Another entity.
    EntityIdentifier(EntityIdentifier),
    /// A whole number.
    Long(i64),
    /// Text.
    String(String),
    /// A set of values.
    Set(Vec<AttributeValue>),
    /// Values by name.
    Record(BTreeMap<String, AttributeValue>),
}

impl IsAuthorized {
    /// The request without its store.
    pub fn question(self) -> Question {
        Question { principal: self.principal, action: self.action, resource: self.resource, context: self.context }
    }
}

impl EntityIdentifier {
    fn uid(&self) -> Result<EntityUid, String> {
        uid(&self.entity_type, &self.entity_id)
    }
}

impl AttributeValue {
    fn expression(&self) -> Result<RestrictedExpression, String> {
        Ok(match self {
            Self::Boolean(value) => RestrictedExpression::new_bool(*value),
            Self::EntityIdentifier(entity) => RestrictedExpression::new_entity_uid(entity.uid()?),
            Self::Long(value) => RestrictedExpression::new_long(*value),
            Self::String(value) => RestrictedExpression::new_string(value.clone()),
            Self::Set(values) => RestrictedExpression::new_set(values.iter().map(Self::expression).collect::<Result<Vec<_>, _>>()?),
            Self::Record(values) => RestrictedExpression::new_record(pairs(values)?).map_err(|e| e.to_string())?,
        })
    }
}

impl Question {
    /// The request for Cedar, without a schema: a Get has no temperature.
    ///
    /// # Errors
    /// If a part is missing or not a valid Cedar name or value.
    pub fn request(&self) -> Result<Request, String> {
        let (Some(principal), Some(action), Some(resource)) = (&self.principal, &self.action, &self.resource) else {
            return Err("a request needs a principal, an action and a resource".to_owned());
        };
        let context = match &self.context {
            None => Context::empty(),
            Some(ContextDefinition::ContextMap(values)) => Context::from_pairs(pairs(values)?).map_err(|e| e.to_string())?,
            Some(ContextDefinition::CedarJson(text)) => Context::from_json_str(text, None).map_err(|e| e.to_string())?,
        };
        let action = uid(&action.action_type, &action.action_id)?;
        Request::new(principal.uid()?, action, resource.uid()?, context, None).map_err(|e| e.to_string())
    }
}

/// The entities for Cedar; of two with the same name the last counts, as at AWS.
///
/// # Errors
/// If one is not a valid Cedar entity.
pub fn entities(definition: Option<&EntitiesDefinition>) -> Result<Entities, String> {
    let list = match definition {
        None => return Ok(Entities::empty()),
        Some(EntitiesDefinition::CedarJson(text)) => return Entities::from_json_str(text, None).map_err(|e| e.to_string()),
        Some(EntitiesDefinition::EntityList(list)) => list,
    };
    let mut by_name = HashMap::new();
    for item in list {
        let name = item.identifier.uid()?;
        let parents = item.parents.iter().map(EntityIdentifier::uid).collect::<Result<HashSet<_>, _>>()?;
        let entity = Entity::new(name.clone(), pairs(&item.attributes)?.into_iter().collect(), parents).map_err(|e| e.to_string())?;
        by_name.insert(name, entity);
    }
    Entities::from_entities(by_name.into_values(), None).map_err(|e| e.to_string())
}

fn pairs(values: &BTreeMap<String, AttributeValue>) -> Result<Vec<(String, RestrictedExpression)>, String> {
    values.iter().map(|(key, value)| Ok((key.clone(), value.expression()?))).collect()
}
