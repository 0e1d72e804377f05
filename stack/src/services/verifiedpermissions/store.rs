//! A policy store, compiled once: parsing a policy costs more than a decision, so a request parses
//! nothing but itself.

use std::collections::{BTreeSet, HashMap};

use cedar_policy::{
    Authorizer, Decision, Entities, EntityUid, Policy, PolicyId, PolicySet, Request, ResourceConstraint, Schema, SlotId, Template,
    ValidationMode, Validator,
};

use run_folder::deployment::PolicyStore;

/// Why a store's policies cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("policy store `{store}`: {what}")]
pub struct StoreError {
    /// The store's id.
    pub store: String,
    /// Which policy, and what is wrong with it.
    pub what: String,
}

/// One decision and its reasons.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// Whether the request is allowed.
    pub allowed: bool,
    /// The policies that determined it, sorted.
    pub policies: BTreeSet<String>,
    /// The policies that could not be evaluated, and why.
    pub errors: Vec<String>,
}

/// A policy store ready to decide.
pub struct CompiledStore {
    /// The policies that may apply to any resource.
    general: PolicySet,
    /// For each resource that a policy names with `==`: the general policies and its own. A policy
    /// about another resource cannot be satisfied, so leaving it out only saves time, which would
    /// otherwise grow with the number of homes.
    by_resource: HashMap<EntityUid, PolicySet>,
    schema: Schema,
}

impl CompiledStore {
    /// Compiles and strictly validates a store.
    ///
    /// # Errors
    /// If a policy, a template, a link or the schema is not understood, or the policies do not
    /// validate.
    pub fn compile(id: &str, source: &PolicyStore) -> Result<Self, StoreError> {
        let wrong = |what: String| StoreError { store: id.to_owned(), what };
        let (schema, _warnings) = Schema::from_cedarschema_str(&source.schema).map_err(|e| wrong(format!("the schema: {e}")))?;
        let all = policy_set(source).map_err(wrong)?;
        let report = Validator::new(schema.clone()).validate(&all, ValidationMode::Strict);
        if !report.validation_passed() {
            return Err(wrong(report.validation_errors().map(ToString::to_string).collect::<Vec<_>>().join("; ")));
        }
        let (general, by_resource) = sort_by_resource(&all).map_err(wrong)?;
        Ok(Self { general, by_resource, schema })
    }

    /// The schema that the policies were validated against.
    pub const fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Decides one request. It is not validated against the schema: a Get has no temperature.
    pub fn judge(&self, request: &Request, entities: &Entities) -> Judgement {
        let policies = request.resource().and_then(|resource| self.by_resource.get(resource)).unwrap_or(&self.general);
        let response = Authorizer::new().is_authorized(request, policies, entities);
        Judgement {
            allowed: response.decision() == Decision::Allow,
            policies: response.diagnostics().reason().map(ToString::to_string).collect(),
            errors: response.diagnostics().errors().map(ToString::to_string).collect(),
        }
    }
}

fn policy_set(source: &PolicyStore) -> Result<PolicySet, String> {
    let mut all = PolicySet::new();
    for (id, text) in &source.policies {
        let policy = Policy::parse(Some(PolicyId::new(id)), text).map_err(|e| format!("policy `{id}`: {e}"))?;
        all.add(policy).map_err(|e| format!("policy `{id}`: {e}"))?;
    }
    for (id, text) in &source.templates {
        let template = Template::parse(Some(PolicyId::new(id)), text).map_err(|e| format!("template `{id}`: {e}"))?;
        all.add_template(template).map_err(|e| format!("template `{id}`: {e}"))?;
    }
    for link in &source.links {
        let wrong = |e: &dyn std::fmt::Display| format!("link `{}`: {e}", link.id);
        let fills = HashMap::from([
            (SlotId::principal(), uid(&link.principal.0, &link.principal.1).map_err(|e| wrong(&e))?),
            (SlotId::resource(), uid(&link.resource.0, &link.resource.1).map_err(|e| wrong(&e))?),
        ]);
        all.link(PolicyId::new(&link.template), PolicyId::new(&link.id), fills).map_err(|e| wrong(&e))?;
    }
    Ok(all)
}

/// An entity's name from its type and its id.
///
/// # Errors
/// If the type is not a Cedar name.
pub fn uid(kind: &str, id: &str) -> Result<EntityUid, String> {
    let kind = kind.parse().map_err(|e| format!("`{kind}` is not an entity type: {e}"))?;
    Ok(EntityUid::from_type_name_and_id(kind, cedar_policy::EntityId::new(id)))
}

fn sort_by_resource(all: &PolicySet) -> Result<(PolicySet, HashMap<EntityUid, PolicySet>), String> {
    let mut general = Vec::new();
    let mut own: HashMap<EntityUid, Vec<Policy>> = HashMap::new();
    for policy in all.policies() {
        match policy.resource_constraint() {
            ResourceConstraint::Eq(resource) => own.entry(resource).or_default().push(policy.clone()),
            _ => general.push(policy.clone()),
        }
    }
    let set = |policies: Vec<&Policy>| {
        let mut set = PolicySet::new();
        for policy in policies {
            add(&mut set, all, policy)?;
        }
        Ok::<_, String>(set)
    };
    let by_resource = own
        .iter()
        .map(|(resource, policies)| Ok((resource.clone(), set(general.iter().chain(policies).collect())?)))
        .collect::<Result<_, String>>()?;
    Ok((set(general.iter().collect())?, by_resource))
}

/// Adds one policy of `all`; if it is linked, its template first.
fn add(set: &mut PolicySet, all: &PolicySet, policy: &Policy) -> Result<(), String> {
    let wrong = |e: &dyn std::fmt::Display| format!("policy `{}`: {e}", policy.id());
    let (Some(template), Some(fills)) = (policy.template_id(), policy.template_links()) else {
        return set.add(policy.clone()).map_err(|e| wrong(&e));
    };
    if set.template(template).is_none()
        && let Some(template) = all.template(template)
    {
        set.add_template(template.clone()).map_err(|e| wrong(&e))?;
    }
    set.link(template.clone(), policy.id().clone(), fills).map_err(|e| wrong(&e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_that_does_not_validate_is_refused_by_name() {
        let typo = "permit(principal, action, resource) when { resource.ower == principal };";
        let source = PolicyStore {
            policies: vec![("typo".into(), typo.into())],
            schema: "entity User; entity Thing = { owner: User }; action Look appliesTo { principal: User, resource: Thing };".into(),
            ..PolicyStore::default()
        };
        assert!(CompiledStore::compile("ps", &source).is_err_and(|e| e.to_string().contains("typo")));
    }
}
