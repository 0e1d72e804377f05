//! A policy store, compiled once: parsing a policy costs more than a decision, so nothing is parsed on a request's way but the request.

use std::collections::{BTreeSet, HashMap};

use cedar_policy::{
    Authorizer, Decision, Entities, EntityUid, Policy, PolicyId, PolicySet, Request, ResourceConstraint, Schema, SlotId, Template,
    ValidationMode, Validator,
};

use crate::world::policies::PolicyStore;

/// Why a store's policies cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("policy store `{store}`: {what}")]
pub struct StoreError {
    /// The store's id.
    pub store: String,
    /// What is wrong with which policy.
    pub what: String,
}

/// One decision and what led to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// Whether the request is allowed.
    pub allowed: bool,
    /// The policies that led to it, sorted.
    pub policies: BTreeSet<String>,
    /// The policies that could not be evaluated, and why.
    pub errors: Vec<String>,
}

/// A policy store ready to decide.
pub struct CompiledStore {
    /// The policies that may speak about any resource.
    general: PolicySet,
    /// For each resource that a policy names with `==`: the general ones and its own. A policy about another resource cannot
    /// be satisfied, so leaving it out changes nothing but the time, which would rise with the number of homes.
    by_resource: HashMap<EntityUid, PolicySet>,
    schema: Schema,
}

impl CompiledStore {
    /// Compiles and strictly validates a store.
    ///
    /// # Errors
    /// Where a policy, a template, a link or the schema is not understood, or the policies do not validate.
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

    /// Decides one request. It is not validated against the schema: a Get carries no temperature.
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

/// An entity's name made of its type and its id.
///
/// # Errors
/// Where the type is not a Cedar name.
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

/// Adds one policy of `all`; where it is linked, its template first.
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
    use std::collections::HashSet;

    use cedar_policy::{Context, Entity, RestrictedExpression};

    use super::*;
    use crate::world::{clinic, policies, thermostat};

    type Row = (&'static str, u8, &'static str, Option<i64>, Option<i64>, bool);
    type Case<'a> = (&'a str, &'a str, &'a str, Option<i64>, Option<i64>, bool);

    fn device(id: &str, owner: &str) -> Entities {
        let owner = uid("AwsIotAvpWebApp::User", owner).unwrap();
        let attributes = HashMap::from([("primaryOwner".to_owned(), RestrictedExpression::new_entity_uid(owner))]);
        let device = Entity::new(uid("AwsIotAvpWebApp::Device", id).unwrap(), attributes, HashSet::new()).unwrap();
        Entities::from_entities([device], None).unwrap()
    }

    fn judge(store: &CompiledStore, owner: &str, (user, device_id, action, temperature, time, _): Case<'_>) -> Judgement {
        let long = |key: &str, value: Option<i64>| value.map(|v| (key.to_owned(), RestrictedExpression::new_long(v)));
        let context = Context::from_pairs(long("desiredTemperature", temperature).into_iter().chain(long("time", time))).unwrap();
        let request = Request::new(
            uid("AwsIotAvpWebApp::User", user).unwrap(),
            uid("AwsIotAvpWebApp::Action", action).unwrap(),
            uid("AwsIotAvpWebApp::Device", device_id).unwrap(),
            context,
            None,
        )
        .unwrap();
        store.judge(&request, &device(device_id, owner))
    }

    /// Who asks, on which device (1 or 2), for what, with which temperature and time, and what the contract says.
    const TABLE: [Row; 48] = [
        ("john_doe", 1, "GetTemperature", None, None, true),
        ("john_doe", 1, "SetTemperature", Some(10), None, true),
        ("john_doe", 1, "SetTemperature", None, Some(0), true),
        ("jane_doe", 1, "GetTemperature", None, None, true),
        ("jane_doe", 1, "GetTemperature", Some(99), Some(5), true),
        ("jane_doe", 1, "SetTemperature", Some(71), Some(900), false),
        ("jane_doe", 1, "SetTemperature", Some(72), None, true),
        ("jane_doe", 1, "SetTemperature", Some(75), Some(900), true),
        ("jane_doe", 1, "SetTemperature", Some(78), None, true),
        ("jane_doe", 1, "SetTemperature", Some(79), None, false),
        ("jane_doe", 1, "SetTemperature", None, Some(900), false),
        ("powercompany", 1, "GetTemperature", None, Some(839), false),
        ("powercompany", 1, "GetTemperature", None, Some(840), true),
        ("powercompany", 1, "GetTemperature", None, Some(1019), true),
        ("powercompany", 1, "GetTemperature", None, Some(1020), false),
        ("powercompany", 1, "GetTemperature", None, None, false),
        ("powercompany", 1, "SetTemperature", Some(75), Some(839), false),
        ("powercompany", 1, "SetTemperature", Some(75), Some(840), true),
        ("powercompany", 1, "SetTemperature", Some(200), Some(1019), true),
        ("powercompany", 1, "SetTemperature", Some(75), Some(1020), false),
        ("powercompany", 1, "SetTemperature", Some(75), None, false),
        ("jane_doe", 2, "GetTemperature", None, None, true),
        ("jane_doe", 2, "SetTemperature", Some(100), None, true),
        ("jane_doe", 2, "SetTemperature", None, None, true),
        ("powercompany", 2, "GetTemperature", None, None, true),
        ("powercompany", 2, "GetTemperature", None, Some(0), true),
        ("powercompany", 2, "SetTemperature", Some(75), Some(900), false),
        ("powercompany", 2, "SetTemperature", None, None, false),
        ("john_doe", 2, "GetTemperature", None, None, false),
        ("john_doe", 2, "GetTemperature", Some(70), Some(1000), false),
        ("john_doe", 2, "SetTemperature", Some(67), Some(1000), false),
        ("john_doe", 2, "SetTemperature", Some(68), Some(1000), true),
        ("john_doe", 2, "SetTemperature", Some(72), Some(1000), true),
        ("john_doe", 2, "SetTemperature", Some(73), Some(1000), false),
        ("john_doe", 2, "SetTemperature", Some(70), Some(959), false),
        ("john_doe", 2, "SetTemperature", Some(70), Some(960), true),
        ("john_doe", 2, "SetTemperature", Some(70), Some(1079), true),
        ("john_doe", 2, "SetTemperature", Some(70), Some(1080), false),
        ("john_doe", 2, "SetTemperature", Some(70), None, false),
        ("john_doe", 2, "SetTemperature", None, Some(1000), false),
        ("stranger", 1, "GetTemperature", None, Some(900), false),
        ("stranger", 1, "SetTemperature", Some(75), Some(900), false),
        ("stranger", 2, "GetTemperature", None, Some(900), false),
        ("stranger", 2, "SetTemperature", Some(70), Some(1000), false),
        ("john_doe", 1, "DeleteDevice", None, None, false),
        ("jane_doe", 2, "DeleteDevice", None, None, false),
        ("powercompany", 1, "DeleteDevice", None, Some(900), false),
        ("jane_doe", 1, "SetTemperature", Some(-1), Some(900), false),
    ];

    #[test]
    fn the_contract_s_table_holds_for_every_home() {
        let homes = thermostat::homes(3);
        let store = CompiledStore::compile("ps", &policies::thermostat(3)).unwrap();
        for home in &homes {
            for (user, which, action, temperature, time, allowed) in TABLE {
                let name = match user {
                    "john_doe" => &home.john,
                    "jane_doe" => &home.jane,
                    "powercompany" => &home.power_company,
                    other => other,
                };
                let device = if which == 1 { &home.first } else { &home.second };
                let case = (name, device.id.as_str(), action, temperature, time, allowed);
                let judged = judge(&store, &device.primary_owner, case);
                assert_eq!(judged.allowed, allowed, "{case:?} {judged:?}");
                assert_eq!(judged.errors, Vec::<String>::new(), "{case:?}");
                assert_eq!(!judged.policies.is_empty(), allowed, "{case:?} {judged:?}");
            }
        }
    }

    #[test]
    fn nobody_has_rights_in_another_home() {
        let homes = thermostat::homes(2);
        let store = CompiledStore::compile("ps", &policies::thermostat(2)).unwrap();
        for user in homes[1].users() {
            for device in homes[0].devices() {
                for action in ["GetTemperature", "SetTemperature"] {
                    let case = (user, device.id.as_str(), action, Some(72), Some(1000), false);
                    assert!(!judge(&store, &device.primary_owner, case).allowed, "{case:?}");
                }
            }
        }
    }

    #[test]
    fn the_clinic_s_table_holds_and_namesakes_see_nothing() {
        let store = CompiledStore::compile("ps", &policies::clinic()).unwrap();
        for user in clinic::USERS.into_iter().chain(clinic::NAMESAKES) {
            for appointment in &clinic::APPOINTMENTS {
                for (action, known) in [("GET/appointment", true), ("DELETE/appointment", false)] {
                    let entity = |name: &str, kind: &str| RestrictedExpression::new_entity_uid(uid(kind, name).unwrap());
                    let resource = uid("Clinic::Appointment", appointment.id).unwrap();
                    let attributes = HashMap::from([
                        ("owner".to_owned(), entity(appointment.owner, "Clinic::ExternalUser")),
                        ("veterinarian".to_owned(), entity(appointment.veterinarian, "Clinic::InternalUser")),
                    ]);
                    let entities = [Entity::new(resource.clone(), attributes, HashSet::new()).unwrap()];
                    let principal = uid(user.pool.entity_type(), user.name).unwrap();
                    let request =
                        Request::new(principal, uid("Clinic::Action", action).unwrap(), resource, Context::empty(), None).unwrap();
                    let judged = store.judge(&request, &Entities::from_entities(entities, None).unwrap());
                    assert_eq!(judged.allowed, known && clinic::may_see(user, appointment.id), "{user:?} {appointment:?} {judged:?}");
                }
            }
        }
    }

    #[test]
    fn a_policy_that_does_not_validate_is_refused_by_name() {
        let mut source = policies::clinic();
        source.policies.push(("typo".into(), "permit(principal, action, resource) when { resource.ower == principal };".into()));
        assert!(CompiledStore::compile("ps", &source).is_err_and(|e| e.to_string().contains("typo")));
    }
}
