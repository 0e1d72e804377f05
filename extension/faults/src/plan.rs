//! A plan: the faults in force, for whom, and for how long at most.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Action, Arm, Complaint, Facts, Identity, Kind, Roll, Share, When};

/// The version of the plan's form that this code writes and reads.
pub const VERSION: u32 = 1;

/// How long a plan is in force from its receipt, on a monotonic clock: more than 0 and at most 60 s.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct Lease(u64);

impl Lease {
    /// The longest lease there is.
    pub const LONGEST: Self = Self(60_000);

    /// The lease as a span.
    pub const fn duration(self) -> Duration {
        Duration::from_millis(self.0)
    }
}

impl TryFrom<u64> for Lease {
    type Error = String;

    fn try_from(ms: u64) -> Result<Self, String> {
        if (1..=60_000).contains(&ms) { Ok(Self(ms)) } else { Err(format!("`{ms}` ms is not a lease; it is 1 to 60000 ms")) }
    }
}

impl From<Lease> for u64 {
    fn from(lease: Lease) -> Self {
        lease.0
    }
}

/// Where a fault strikes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// In front of a function's runtime.
    Function(String),
    /// In front of a cloud service that the functions call.
    Service {
        /// The service by its endpoint prefix, such as `verifiedpermissions`.
        name: String,
        /// One operation of it, such as `IsAuthorized`; none means all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        operation: Option<String>,
    },
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Function(name) | Self::Service { name, operation: None } => f.write_str(name),
            Self::Service { name, operation: Some(operation) } => write!(f, "{name}:{operation}"),
        }
    }
}

impl Place {
    /// Whether a call to `operation` of `service` is meant.
    pub fn is_service_call(&self, service: &str, called: &str) -> bool {
        matches!(self, Self::Service { name, operation } if name == service && operation.as_deref().is_none_or(|one| one == called))
    }

    /// Whether an invocation of `function` is meant.
    pub fn is_function(&self, function: &str) -> bool {
        matches!(self, Self::Function(name) if name == function)
    }
}

/// One fault: where, how often, for which events, and what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Unique in its plan; the roll depends on it.
    pub name: String,
    /// Where it strikes.
    pub place: Place,
    /// The share of the eligible invocations that is struck.
    pub share: Share,
    /// Which invocations are eligible.
    #[serde(default)]
    pub when: When,
    /// What goes wrong.
    pub kind: Kind,
}

/// What was decided about one invocation and one fault that is about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// The fault's name.
    pub fault: String,
    /// Treatment or control.
    pub arm: Arm,
    /// What to do; [`Action::Pass`] for control.
    pub action: Action,
}

impl Fault {
    /// Everything wrong with it.
    pub fn complaints(&self) -> Vec<Complaint> {
        let mut complaints: Vec<_> = self.when.complaints().into_iter().map(|c| c.within("when")).collect();
        complaints.extend(self.kind.complaints().into_iter().map(|c| c.within(self.kind.name())));
        if matches!(self.place, Place::Service { .. }) && !self.kind.fits_a_service() {
            complaints.push(Complaint::new(
                self.kind.name(),
                format!("`{}` needs a `function`; a `service` can be struck by {}", self.kind.name(), Kind::names_for_services()),
            ));
        }
        complaints
    }

    /// What happens to the invocation `identity`, without looking at `when`.
    pub fn decide(&self, seed: u64, identity: Identity<'_>) -> Decision {
        let roll = Roll::new(seed, &self.name, identity);
        let struck = roll.hits(self.share);
        Decision {
            fault: self.name.clone(),
            arm: if struck { Arm::Treatment } else { Arm::Control },
            action: if struck { self.kind.decide(roll) } else { Action::Pass },
        }
    }
}

/// The faults of one run at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// [`VERSION`].
    pub version: u32,
    /// The run it belongs to.
    pub run: String,
    /// Rises with every plan of the run, renewals of the lease included; a lower one than seen is ignored.
    pub sequence: u64,
    /// How long it is in force from its receipt.
    pub lease_ms: Lease,
    /// What the rolls depend on, beside the names.
    pub seed: u64,
    /// The faults; none is a calm plan.
    pub faults: Vec<Fault>,
}

/// Why a plan cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// Not JSON, or not of the plan's form.
    #[error("the plan is not understood: {0}")]
    Form(#[from] serde_json::Error),
    /// Written by another version.
    #[error("the plan has version {0}; this code reads version {VERSION}")]
    Version(u32),
    /// It asks for what may not be done.
    #[error("the plan asks for what cannot be done: {0}")]
    Refused(String),
}

/// Plans are small; a source that answers with more than this is broken.
pub const LARGEST_PLAN: usize = 256 * 1024;

impl Plan {
    /// Reads and checks a plan.
    ///
    /// # Errors
    /// Where it is not JSON of this form, of another version, or asks for something that is refused.
    pub fn read(bytes: &[u8]) -> Result<Self, PlanError> {
        if bytes.len() > LARGEST_PLAN {
            return Err(PlanError::Refused(format!("it has {} bytes, more than {LARGEST_PLAN}", bytes.len())));
        }
        let plan: Self = serde_json::from_slice(bytes)?;
        if plan.version != VERSION {
            return Err(PlanError::Version(plan.version));
        }
        let complaints: Vec<_> =
            plan.faults.iter().flat_map(|f| f.complaints().into_iter().map(|c| c.within(&f.name).to_string())).collect();
        if complaints.is_empty() { Ok(plan) } else { Err(PlanError::Refused(complaints.join("; "))) }
    }

    /// The plan as JSON.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// What is decided about one invocation of `function`, one decision for each fault that is about it, in the plan's order.
    /// `facts` is asked for only where a `when` needs them.
    pub fn decide(&self, function: &str, identity: Identity<'_>, facts: impl FnOnce() -> Facts) -> Vec<Decision> {
        let here: Vec<_> = self.faults.iter().filter(|f| f.place.is_function(function)).collect();
        let facts = if here.iter().any(|f| f.when.needs_event()) { facts() } else { Facts::default() };
        here.into_iter().filter(|f| f.when.matches(&facts)).map(|f| f.decide(self.seed, identity)).collect()
    }

    /// The same for one call of `operation` of `service`.
    pub fn decide_call(&self, service: &str, operation: &str, identity: Identity<'_>) -> Vec<Decision> {
        self.faults.iter().filter(|f| f.place.is_service_call(service, operation)).map(|f| f.decide(self.seed, identity)).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn plan(json: &str) -> Result<Plan, PlanError> {
        Plan::read(json.as_bytes())
    }

    const SLOW: &str = r#"{"version":1,"run":"r","sequence":1,"lease_ms":5000,"seed":7,"faults":[
        {"name":"slow","place":{"function":"authorizer"},"share":0.5,"when":{"path":"/appointment/*"},
         "kind":{"latency":{"at":"before","time":"300ms"}}}]}"#;

    #[test]
    fn a_plan_reads_back_from_its_json() {
        let read = plan(SLOW).unwrap();
        assert_eq!(plan(&read.to_json()).unwrap(), read);
    }

    #[test]
    fn a_plan_that_is_wrong_is_refused() {
        for (from, to) in [
            ("\"version\":1", "\"version\":2"),
            ("5000", "60001"),
            ("5000", "0"),
            ("0.5", "1.5"),
            ("\"path\"", "\"paht\""),
            ("300ms", "300"),
            ("latency", "lateness"),
        ] {
            assert!(plan(&SLOW.replacen(from, to, 1)).is_err(), "{from} -> {to}");
        }
    }

    #[test]
    fn a_fault_is_about_its_function_and_path_only() {
        let plan = plan(SLOW).unwrap();
        let facts = |path: &str| Facts { method: None, path: Some(path.to_owned()) };
        let decide = |function, path| plan.decide(function, Identity("1-a-b"), || facts(path)).len();
        assert_eq!(decide("authorizer", "/appointment/1"), 1);
        assert_eq!(decide("authorizer", "/items"), 0);
        assert_eq!(decide("appointments", "/appointment/1"), 0);
    }

    #[test]
    fn the_same_identity_is_struck_the_same_in_any_order() {
        let plan = plan(SLOW).unwrap();
        let ids: Vec<_> = (0..200).map(|n| format!("1-0-{n:024}")).collect();
        let decide = |id: &String| plan.decide("authorizer", Identity(id), || Facts { method: None, path: Some("/appointment/1".into()) });
        let forward: Vec<_> = ids.iter().map(decide).collect();
        let mut backward: Vec<_> = ids.iter().rev().map(decide).collect();
        backward.reverse();
        assert_eq!(forward, backward);
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_plan_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = Plan::read(&bytes);
        }
    }
}
