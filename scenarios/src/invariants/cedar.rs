//! The harness's own authorization decision: Cedar evaluates the policies that the systems use. It
//! never asks the systems under test.

use std::collections::{HashMap, HashSet};
use std::str::FromStr;
use std::sync::Mutex;

use crate::systems::clinic::{self, Pool, User};
use crate::systems::thermostat::{self, Device};
use cedar_policy::{
    Authorizer, Context, Decision, Entities, Entity, EntityId, EntityTypeName, EntityUid, Policy, PolicyId, PolicySet, Request,
    RestrictedExpression, SlotId, Template,
};
use run_folder::deployment::PolicyStore;

use crate::exchange::ThermostatRequest;

/// Why the harness cannot decide what is allowed.
#[derive(Debug, thiserror::Error)]
pub enum OracleError {
    /// A policy or template could not be parsed.
    #[error("policy `{id}` cannot be read: {why}")]
    Policy {
        /// Its id.
        id: String,
        /// What is wrong with it.
        why: String,
    },
    /// Cedar rejected a name, attribute or context.
    #[error("cedar refused a request: {0}")]
    Request(String),
}

/// A decision, with its reason in a short phrase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ruling {
    /// Whether the request is allowed.
    pub allowed: bool,
    /// For example `DENY: a guest may set 72 to 78, asked 79`.
    pub why: String,
}

/// A policy store, compiled once.
struct Policies {
    set: PolicySet,
    authorizer: Authorizer,
}

impl Policies {
    fn compile(store: &PolicyStore) -> Result<Self, OracleError> {
        let mut set = PolicySet::new();
        for (id, text) in &store.policies {
            let policy = Policy::parse(Some(PolicyId::new(id)), text).map_err(|error| unread(id, &error))?;
            set.add(policy).map_err(|error| unread(id, &error))?;
        }
        for (id, text) in &store.templates {
            let template = Template::parse(Some(PolicyId::new(id)), text).map_err(|error| unread(id, &error))?;
            set.add_template(template).map_err(|error| unread(id, &error))?;
        }
        for link in &store.links {
            // Cedar rejects a value for a slot that the template does not use.
            let mut slots = HashMap::new();
            let text = store.templates.iter().find(|(id, _)| *id == link.template).map_or("", |(_, text)| text.as_str());
            if text.contains("?principal") {
                slots.insert(SlotId::principal(), uid(&link.principal.0, &link.principal.1)?);
            }
            if text.contains("?resource") {
                slots.insert(SlotId::resource(), uid(&link.resource.0, &link.resource.1)?);
            }
            set.link(PolicyId::new(&link.template), PolicyId::new(&link.id), slots).map_err(|error| unread(&link.id, &error))?;
        }
        Ok(Self { set, authorizer: Authorizer::new() })
    }

    fn allow(&self, principal: EntityUid, action: EntityUid, resource: Entity, context: Context) -> Result<bool, OracleError> {
        let request = Request::new(principal, action, resource.uid(), context, None).map_err(|error| refused(&error))?;
        let entities = Entities::from_entities([resource], None).map_err(|error| refused(&error))?;
        Ok(self.authorizer.is_authorized(&request, &self.set, &entities).decision() == Decision::Allow)
    }
}

fn unread(id: &str, why: &dyn std::fmt::Display) -> OracleError {
    OracleError::Policy { id: id.to_owned(), why: why.to_string() }
}

fn refused(why: &dyn std::fmt::Display) -> OracleError {
    OracleError::Request(why.to_string())
}

fn uid(entity_type: &str, id: &str) -> Result<EntityUid, OracleError> {
    let name = EntityTypeName::from_str(entity_type).map_err(|error| refused(&error))?;
    Ok(EntityUid::from_type_name_and_id(name, EntityId::new(id)))
}

fn entity(uid: EntityUid, attributes: impl IntoIterator<Item = (&'static str, EntityUid)>) -> Result<Entity, OracleError> {
    let attributes = attributes.into_iter().map(|(name, value)| (name.to_owned(), RestrictedExpression::new_entity_uid(value))).collect();
    Entity::new(uid, attributes, HashSet::new()).map_err(|error| refused(&error))
}

/// Everything that a user's right to a device depends on.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Question {
    user: String,
    device: String,
    set: bool,
    temperature: Option<i64>,
    time: Option<i64>,
}

/// Who may do what with a thermostat.
pub struct ThermostatOracle {
    policies: Policies,
    devices: HashMap<String, (Device, bool)>,
    /// Several rules ask the same question about one exchange. Cleared completely when it grows too
    /// large.
    asked: Mutex<HashMap<Question, bool>>,
}

/// How many decisions are cached at most.
const REMEMBERED: usize = 16_384;

impl ThermostatOracle {
    /// Covers the homes 0 to `homes - 1`.
    ///
    /// # Errors
    /// If a policy cannot be read.
    pub fn new(homes: u32, store: &PolicyStore) -> Result<Self, OracleError> {
        let devices = thermostat::homes(homes)
            .into_iter()
            .flat_map(|home| [(home.first, true), (home.second, false)])
            .map(|(device, first)| (device.id.clone(), (device, first)))
            .collect();
        let oracle = Self { policies: Policies::compile(store)?, devices, asked: Mutex::default() };
        // Decide once now, so that a policy set that cannot decide at all is rejected before any
        // fault starts.
        for device in oracle.devices.values().take(1) {
            let owner = device.0.primary_owner.clone();
            oracle.decide(&Question { user: owner, device: device.0.id.clone(), set: false, temperature: None, time: None })?;
        }
        Ok(oracle)
    }

    /// Whether `user` may do what is requested; `None` if no policy covers the request.
    pub fn rule(&self, user: &str, request: &ThermostatRequest) -> Option<Ruling> {
        let question = match request {
            ThermostatRequest::Get { device, time } => {
                Question { user: user.to_owned(), device: device.clone(), set: false, temperature: None, time: *time }
            }
            ThermostatRequest::Set { device, time, temperature, .. } => {
                Question { user: user.to_owned(), device: device.clone(), set: true, temperature: Some(*temperature), time: *time }
            }
            ThermostatRequest::Items | ThermostatRequest::Malformed { .. } | ThermostatRequest::UnknownDevice => return None,
        };
        let known = self.asked.lock().ok().and_then(|asked| asked.get(&question).copied());
        let decided = known.map_or_else(|| self.decide(&question), Ok);
        if let (Ok(mut asked), Ok(allowed)) = (self.asked.lock(), &decided) {
            if asked.len() >= REMEMBERED {
                asked.clear();
            }
            asked.insert(question.clone(), *allowed);
        }
        Some(match decided {
            Ok(true) => Ruling { allowed: true, why: format!("ALLOW: {}", self.right(&question)) },
            Ok(false) => Ruling { allowed: false, why: format!("DENY: {}", self.right(&question)) },
            Err(error) => Ruling { allowed: false, why: format!("DENY: {error}") },
        })
    }

    /// Whether `GET /items` may name `device` to `user`.
    pub fn may_list(&self, user: &str, device: &str) -> bool {
        self.devices
            .get(device)
            .is_some_and(|(device, _)| device.primary_owner == user || device.additional_users.iter().any(|one| one == user))
    }

    fn decide(&self, question: &Question) -> Result<bool, OracleError> {
        let space = thermostat::NAMESPACE;
        let action = if question.set { "SetTemperature" } else { "GetTemperature" };
        let device = uid(&format!("{space}::Device"), &question.device)?;
        let owner = match self.devices.get(&question.device) {
            Some((device, _)) => Some(("primaryOwner", uid(&format!("{space}::User"), &device.primary_owner)?)),
            None => None,
        };
        let context = [("desiredTemperature", question.temperature), ("time", question.time)];
        let context = context.into_iter().filter_map(|(name, value)| value.map(|v| (name.to_owned(), RestrictedExpression::new_long(v))));
        let context = Context::from_pairs(context).map_err(|error| refused(&error))?;
        let principal = uid(&format!("{space}::User"), &question.user)?;
        self.policies.allow(principal, uid(&format!("{space}::Action"), action)?, entity(device, owner)?, context)
    }

    /// The row of the contract's table that applies to this question, with what was requested.
    fn right(&self, question: &Question) -> String {
        let Some((device, first)) = self.devices.get(&question.device) else {
            return "nobody may touch a device that does not exist".to_owned();
        };
        let asked = |value: Option<i64>| value.map_or_else(|| "none given".to_owned(), |v| format!("asked {v}"));
        let (temperature, time) = (asked(question.temperature), asked(question.time));
        if device.primary_owner == question.user {
            return "the owner may always".to_owned();
        }
        let power_company = question.user.starts_with("powercompany");
        match (first, self.may_list(&question.user, &question.device), power_company, question.set) {
            (true, true, false, false) => "a guest may always look".to_owned(),
            (true, true, false, true) => format!("a guest may set 72 to 78, {temperature}"),
            (true, true, true, _) => format!("the power company may from minute 840 up to 1020, {time}"),
            (false, true, _, false) => "the power company may always look at the second device".to_owned(),
            (false, true, _, true) => "the power company may never set the second device".to_owned(),
            (false, false, false, true) => {
                format!("only john of the house may set the second device, 68 to 72 ({temperature}) from minute 960 up to 1080 ({time})")
            }
            _ => "a stranger may never".to_owned(),
        }
    }
}

/// Who may see what in the clinic.
pub struct ClinicOracle {
    policies: Policies,
}

impl ClinicOracle {
    /// Compiles the policies.
    ///
    /// # Errors
    /// If a policy cannot be read, or if the policies and the contract's table disagree: one of
    /// them is wrong then, and the harness cannot tell which.
    pub fn new(store: &PolicyStore) -> Result<Self, OracleError> {
        let oracle = Self { policies: Policies::compile(store)? };
        for user in clinic::USERS.into_iter().chain(clinic::NAMESAKES) {
            for appointment in &clinic::APPOINTMENTS {
                for method in ["GET", "POST"] {
                    let by_table = method == "GET" && clinic::may_see(user, appointment.id);
                    if oracle.decide(user, method, appointment)? != by_table {
                        return Err(OracleError::Request(format!(
                            "the policies and the contract's table differ about {method} {} by {} of {}",
                            appointment.id,
                            user.name,
                            user.pool.client_type()
                        )));
                    }
                }
            }
        }
        Ok(oracle)
    }

    /// Whether `user` may see `appointment`, according to the contract's table. The policies agree
    /// with it.
    pub fn rule(&self, user: User, method: &str, appointment: &str) -> Ruling {
        let known = clinic::APPOINTMENTS.iter().find(|one| one.id == appointment);
        let decided = known.map_or(Ok(false), |known| self.decide(user, method, known));
        let (name, pool) = (user.name, user.pool.client_type());
        match decided {
            Ok(true) => Ruling { allowed: true, why: format!("ALLOW: {appointment} is one of {name}'s ({pool})") },
            Ok(false) if method != "GET" => Ruling { allowed: false, why: format!("DENY: nobody may {method}") },
            Ok(false) => Ruling { allowed: false, why: format!("DENY: {appointment} is none of {name}'s ({pool})") },
            Err(error) => Ruling { allowed: false, why: format!("DENY: {error}") },
        }
    }

    fn decide(&self, user: User, method: &str, appointment: &clinic::Appointment) -> Result<bool, OracleError> {
        let space = clinic::NAMESPACE;
        let resource = entity(
            uid(&format!("{space}::Appointment"), appointment.id)?,
            [
                ("owner", uid(Pool::External.entity_type(), appointment.owner)?),
                ("veterinarian", uid(Pool::Internal.entity_type(), appointment.veterinarian)?),
            ],
        )?;
        let action = uid(&format!("{space}::Action"), &format!("{method}/appointment"))?;
        self.policies.allow(uid(user.pool.entity_type(), user.name)?, action, resource, Context::empty())
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures;
    use super::*;

    #[test]
    fn the_policies_agree_with_the_thermostats_table() {
        let oracle = fixtures::thermostat();
        let (one, two) = ("Thermostat1", "Thermostat2");
        let get = |device: &str, time| ThermostatRequest::Get { device: device.into(), time };
        let set = |device: &str, temperature, time| ThermostatRequest::Set {
            device: device.into(),
            time,
            temperature,
            power: true,
            mode: "Auto",
        };
        let cases = [
            ("john_doe", get(one, None), true),
            ("john_doe", set(one, 99, None), true),
            ("jane_doe", get(one, None), true),
            ("jane_doe", set(one, 71, None), false),
            ("jane_doe", set(one, 72, None), true),
            ("jane_doe", set(one, 78, None), true),
            ("jane_doe", set(one, 79, None), false),
            ("powercompany", get(one, None), false),
            ("powercompany", get(one, Some(839)), false),
            ("powercompany", get(one, Some(840)), true),
            ("powercompany", set(one, 60, Some(1019)), true),
            ("powercompany", set(one, 60, Some(1020)), false),
            ("jane_doe", set(two, 99, None), true),
            ("powercompany", get(two, None), true),
            ("powercompany", set(two, 70, Some(900)), false),
            ("john_doe", get(two, Some(1000)), false),
            ("john_doe", set(two, 70, Some(960)), true),
            ("john_doe", set(two, 72, Some(1079)), true),
            ("john_doe", set(two, 73, Some(1000)), false),
            ("john_doe", set(two, 70, Some(1080)), false),
            ("john_doe", set(two, 70, None), false),
            ("mallory", get(one, Some(900)), false),
            ("john_doe", get("Thermostat-1", Some(900)), false),
            ("john_doe-1", set("Thermostat-1", 75, None), true),
            ("jane_doe-1", set("Thermostat-1", 80, None), false),
            ("john_doe", get("Thermostat-99", None), false),
        ];
        for (user, request, allowed) in cases {
            for _ in 0..2 {
                assert_eq!(oracle.rule(user, &request).unwrap().allowed, allowed, "{user} {request:?}");
            }
        }
        assert_eq!(oracle.rule("jane_doe", &set(one, 79, None)).unwrap().why, "DENY: a guest may set 72 to 78, asked 79");
        assert!(oracle.rule("john_doe", &ThermostatRequest::Items).is_none());
    }

    #[test]
    fn the_clinics_policies_agree_with_its_table() {
        assert!(ClinicOracle::new(&crate::systems::clinic::policies()).is_ok());
        let mut wrong = crate::systems::clinic::policies();
        wrong.policies.push(("too-much".into(), "permit(principal, action, resource);".into()));
        assert!(ClinicOracle::new(&wrong).is_err());
    }
}
