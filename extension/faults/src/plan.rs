//! A plan: the faults in force, where they strike, and for how long at most.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::action::Action;
use crate::arm::Arm;
use crate::cases::{Caller, Cases};
use crate::complaint::Complaint;
use crate::decision::Decision;
use crate::facts::{Facts, Group, message_places};
use crate::identity::{By, Identity};
use crate::kinds::{KINDS, Kind};
use crate::memory::Memory;
use crate::places::Places;
use crate::roll::Roll;
use crate::share::Share;
use crate::when::When;

/// The version of the plan's format that this code writes and reads.
pub const VERSION: u32 = 1;

/// How long a plan is in force from its receipt, on a monotonic clock: more than 0 and at most 60 s.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct Lease(u64);

impl Lease {
    /// The longest lease.
    pub const LONGEST: Self = Self(60_000);

    /// The lease as a duration.
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

/// The longest interval at which a running environment reads a plan over the network during a
/// lease.
pub const READ_EVERY: Duration = Duration::from_millis(1_700);
/// The longest interval without a lease: reads become less and less frequent. A renewed plan must
/// exist for this long before a strike.
pub const READ_AT_LAST_EVERY: Duration = Duration::from_secs(60);

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
    /// Whether this place is a call to the operation `called` of `service`.
    pub fn is_service_call(&self, service: &str, called: &str) -> bool {
        matches!(self, Self::Service { name, operation } if name == service && operation.as_deref().is_none_or(|one| one == called))
    }

    /// Whether this place is `function`.
    pub fn is_function(&self, function: &str) -> bool {
        matches!(self, Self::Function(name) if name == function)
    }
}

/// One fault: where it strikes, how often, for which events, and what it does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
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
    /// The most strikes in each environment; environments do not share a count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most: Option<u64>,
    /// What the roll depends on.
    #[serde(default, skip_serializing_if = "By::is_default")]
    pub by: By,
    /// The only requests that it strikes: an exploration's. The others have no line in the ledger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cases: Option<Cases>,
    /// What goes wrong.
    pub kind: Kind,
}

/// A fault's roll for an invocation that it applies to.
#[derive(Debug)]
pub struct Rolled<'a> {
    fault: &'a Fault,
    roll: Roll,
    struck: bool,
    message: Option<String>,
}

impl Rolled<'_> {
    /// Whether the ledger needs more than the fault's name.
    pub const fn is_notable(&self) -> bool {
        self.struck || self.message.is_some()
    }

    /// The decision of this roll.
    pub fn decision(self) -> Decision {
        Decision { message: self.message, ..self.fault.decided(self.roll, self.struck) }
    }
}

impl Fault {
    /// Everything that is wrong with it.
    pub fn complaints(&self) -> Vec<Complaint> {
        let mut complaints: Vec<_> = self.when.complaints().into_iter().map(|c| c.within("when")).collect();
        complaints.extend(self.cases.iter().flat_map(Cases::complaints).map(|c| c.within("cases")));
        complaints.extend(self.kind.complaints().into_iter().map(|c| c.within(self.kind.name())));
        if matches!(self.place, Place::Service { .. }) && !self.kind.fits_a_service() {
            let fit: Vec<_> = KINDS.iter().filter(|kind| kind.fits_a_service).map(|kind| kind.name).collect();
            let what = format!("`{}` needs a `function`; a `service` can be struck by `{}`", self.kind.name(), fit.join("` or `"));
            complaints.push(Complaint::new(self.kind.name(), what));
        }
        if matches!(self.place, Place::Service { .. }) && self.at_most.is_some() {
            complaints.push(Complaint::new("at-most", "it counts in each environment, and a `service` has none; give a `function`"));
        }
        if matches!(self.place, Place::Service { .. }) && self.by == By::Message {
            complaints.push(Complaint::new("by", "a call to a `service` brings no message; give a `function`"));
        }
        if matches!(self.place, Place::Function(_)) && self.by == By::Call {
            let what = "`each-call` needs a `service`, which sees all calls of a request; the environments of a `function` share no count";
            complaints.push(Complaint::new("roll", what));
        }
        if self.at_most == Some(0) {
            complaints.push(Complaint::new("at-most", "`0` never strikes; it is 1 or more"));
        }
        let needs_an_event = self.when != When::default() || self.at_most.is_some() || self.by == By::Message || self.cases.is_some();
        if matches!(self.kind, Kind::Init(_)) && needs_an_event {
            complaints.push(Complaint::new("init", "an environment's start has no event; remove `when`, `at-most`, `by` and `cases`"));
        }
        complaints
    }

    /// What happens to the invocation with this identity, without looking at `when`, `at-most`,
    /// `by` or a burst in progress.
    pub fn decide(&self, seed: u64, identity: Identity<'_>) -> Decision {
        let roll = self.roll(seed, identity);
        self.decided(roll, self.hits(roll))
    }

    /// The same in an environment with a memory, by the identity that the roll depends on; `None`
    /// if the fault has reached its limit of strikes.
    fn roll_in(&self, memory: &mut Memory, seed: u64, identity: Identity<'_>, facts: &Facts<'_>) -> Option<Rolled<'_>> {
        if memory.is_exhausted(self) {
            return None;
        }
        let message = if self.by == By::Message { facts.message() } else { None };
        let roll = self.roll(seed, message.as_deref().map_or(identity, Identity));
        let struck = memory.strikes(self, self.hits(roll));
        Some(Rolled { fault: self, roll, struck, message })
    }

    /// The same for a call to a service; `count` returns the number of this call among those with
    /// its root that the fault applies to. `None` if its number is not among its cases.
    fn decide_call(&self, seed: u64, identity: Identity<'_>, count: impl FnOnce(&Self) -> u32) -> Option<Decision> {
        let call = if self.by == By::Call { count(self) } else { 1 };
        let is_named = self.cases.as_ref().is_none_or(|cases| cases.strikes(call));
        is_named.then(|| Decision { call, ..self.decide(seed, Identity(&identity.of_call(call))) })
    }

    /// Whether this delivery of a request is among its cases, if it has cases.
    fn has_delivery(&self, identity: Identity<'_>, delivery: u32) -> bool {
        self.cases.as_ref().is_none_or(|cases| cases.has(identity) && cases.strikes(delivery.max(1)))
    }

    /// Whether the requests and the caller of a call are among its cases, if it has cases.
    fn has_call(&self, identity: Identity<'_>, caller: Caller<'_>) -> bool {
        self.cases.as_ref().is_none_or(|cases| cases.has(identity) && cases.is_made_by(caller))
    }

    /// The places of the event that it needs.
    fn places(&self) -> Vec<Group> {
        let message = if self.by == By::Message { message_places() } else { Vec::new() };
        self.when.places().into_iter().chain(message).collect()
    }

    fn applies_to(&self, function: &str) -> bool {
        self.place.is_function(function) && !matches!(self.kind, Kind::Init(_))
    }

    fn roll(&self, seed: u64, identity: Identity<'_>) -> Roll {
        Roll::new(seed, &self.name, identity)
    }

    fn hits(&self, roll: Roll) -> bool {
        roll.hits(if let Kind::Throttle(burst) = &self.kind { burst.beginning(self.share) } else { self.share })
    }

    fn decided(&self, roll: Roll, struck: bool) -> Decision {
        Decision {
            fault: self.name.clone(),
            arm: if struck { Arm::Treatment } else { Arm::Control },
            action: if struck { self.kind.decide(roll) } else { Action::Pass },
            message: None,
            call: 1,
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
    /// How long it is in force from the time when its source stored it.
    pub lease_ms: Lease,
    /// When it ends at the latest, by the wall clock in ms since 1970. It can only shorten the lease, never lengthen it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_ms: Option<u64>,
    /// The seed of the rolls.
    pub seed: u64,
    /// The faults; a plan without any is calm.
    pub faults: Vec<Fault>,
}

/// Why a plan cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// Not JSON, or not a plan.
    #[error("the plan is not understood: {0}")]
    Form(#[from] serde_json::Error),
    /// Written by another version.
    #[error("the plan has version {0}; this code reads version {VERSION}")]
    Version(u32),
    /// More bytes than [`LARGEST_PLAN`].
    #[error("the plan has {0} bytes, more than {LARGEST_PLAN}")]
    TooLong(usize),
    /// It contains faults that are not allowed.
    #[error("the plan asks for what cannot be done: {complaints}")]
    Refused {
        /// The names of those faults.
        faults: Vec<String>,
        /// Everything that is wrong with them.
        complaints: String,
    },
}

/// The largest plan in bytes; a source that returns more is broken.
pub const LARGEST_PLAN: usize = 256 * 1024;

impl Plan {
    /// Reads and checks a plan.
    ///
    /// # Errors
    /// If it is not JSON in this format, has another version, or contains something that is
    /// refused.
    pub fn read(bytes: &[u8]) -> Result<Self, PlanError> {
        if bytes.len() > LARGEST_PLAN {
            return Err(PlanError::TooLong(bytes.len()));
        }
        let plan: Self = serde_json::from_slice(bytes)?;
        if plan.version != VERSION {
            return Err(PlanError::Version(plan.version));
        }
        let (mut faults, mut complaints) = (Vec::new(), Vec::new());
        for fault in &plan.faults {
            let found = fault.complaints();
            if !found.is_empty() {
                faults.push(fault.name.clone());
                complaints.extend(found.into_iter().map(|complaint| complaint.within(&fault.name).to_string()));
            }
        }
        if faults.is_empty() { Ok(plan) } else { Err(PlanError::Refused { faults, complaints: complaints.join("; ") }) }
    }

    /// Starts the lease at `wall`: a later reader of the plan has only the rest of it, even if its
    /// source reports no age.
    pub fn begin_lease(&mut self, wall: SystemTime) {
        let end = wall.duration_since(UNIX_EPOCH).unwrap_or_default() + self.lease_ms.duration();
        self.until_ms = Some(u64::try_from(end.as_millis()).unwrap_or(u64::MAX));
    }

    /// How much longer it is in force for a reader at `wall`; `age` is how long ago its source
    /// stored it, if known. `None` if neither gives an end, because then every new reader would
    /// begin the lease again, for ever. A plan without faults has nothing to end.
    pub fn left(&self, age: Option<Duration>, wall: SystemTime) -> Option<Duration> {
        if age.is_none() && self.until_ms.is_none() && !self.faults.is_empty() {
            return None;
        }
        let lease = self.lease_ms.duration().saturating_sub(age.unwrap_or_default());
        let until = self.until_ms.map(|ms| Duration::from_millis(ms).saturating_sub(wall.duration_since(UNIX_EPOCH).unwrap_or_default()));
        Some(until.map_or(lease, |until| until.min(lease)))
    }

    /// Whether it has a fault with this name that can strike.
    pub fn strikes_with(&self, fault: &str) -> bool {
        self.faults.iter().any(|one| one.name == fault && one.share != Share::NONE)
    }

    /// The plan as JSON.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The rolls for one invocation of `function` with these facts: each fault that applies to it,
    /// by its index in the plan, in that order. `identity` is the root of its trace, else its
    /// request id.
    pub fn roll(
        &self,
        function: &str,
        identity: Identity<'_>,
        facts: &Facts<'_>,
        memory: &mut Memory,
    ) -> impl Iterator<Item = (usize, Rolled<'_>)> {
        memory.of_run(&self.run);
        let identity = identity.lasting();
        let about =
            move |fault: &Fault| fault.applies_to(function) && fault.has_delivery(identity, facts.delivery) && fault.when.matches(facts);
        let faults = self.faults.iter().enumerate().filter(move |(_, fault)| about(fault));
        faults.filter_map(move |(at, fault)| fault.roll_in(memory, self.seed, identity, facts).map(|rolled| (at, rolled)))
    }

    /// The decisions about one invocation, one for each fault that applies to it: see
    /// [`Plan::roll`].
    pub fn decide(&self, function: &str, identity: Identity<'_>, facts: &Facts<'_>, memory: &mut Memory) -> Vec<Decision> {
        self.roll(function, identity, facts, memory).map(|(_, rolled)| rolled.decision()).collect()
    }

    /// The decisions about the start of an environment of `function`; the roll depends on the
    /// environment's name.
    pub fn decide_start(&self, function: &str, environment: Identity<'_>) -> Vec<Decision> {
        let about = |fault: &&Fault| fault.place.is_function(function) && matches!(fault.kind, Kind::Init(_));
        self.faults.iter().filter(about).map(|fault| fault.decide(self.seed, environment)).collect()
    }

    /// Whether any fault applies to invocations of this function.
    pub fn concerns(&self, function: &str) -> bool {
        self.faults.iter().any(|fault| fault.applies_to(function))
    }

    /// The places of an event of this function that are needed to decide; empty if the event need
    /// not be read.
    pub fn places(&self, function: &str) -> Places {
        Places::of(self.faults.iter().filter(|fault| fault.applies_to(function)).flat_map(Fault::places))
    }

    /// The same for one call of `operation` of `service` by `caller`.
    /// `count` is called once for each fault whose roll depends on the call ([`By::Call`]): it
    /// returns the number of this call, from 1, among those of the same identity that the fault
    /// applies to.
    pub fn decide_call(
        &self,
        service: &str,
        operation: &str,
        identity: Identity<'_>,
        caller: Caller<'_>,
        mut count: impl FnMut(&Fault) -> u32,
    ) -> Vec<Decision> {
        let about = |fault: &&Fault| fault.place.is_service_call(service, operation) && fault.has_call(identity, caller);
        self.faults.iter().filter(about).filter_map(|fault| fault.decide_call(self.seed, identity, &mut count)).collect()
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
    fn an_end_shortens_the_lease_and_never_lengthens_it() {
        let (mut plan, wall) = (plan(SLOW).unwrap(), UNIX_EPOCH + Duration::from_secs(1_000_000));
        let ms = Duration::from_millis;
        assert_eq!(plan.left(None, wall), None, "it would begin again for ever");
        for (age, left) in [(0, 5_000), (1_200, 3_800), (5_000, 0), (7_200_000, 0)] {
            assert_eq!(plan.left(Some(ms(age)), wall), Some(ms(left)), "{age}");
        }
        plan.begin_lease(wall);
        assert_eq!(plan.until_ms, Some(1_000_005_000));
        // A clock that is an hour slow, right, a little fast, and an hour fast.
        for (wall, age, left) in [
            (wall - ms(3_600_000), None, 5_000),
            (wall - ms(3_600_000), Some(4_000), 1_000),
            (wall, None, 5_000),
            (wall + ms(2_000), None, 3_000),
            (wall + ms(2_000), Some(2_500), 2_500),
            (wall + ms(3_600_000), Some(0), 0),
        ] {
            assert_eq!(plan.left(age.map(ms), wall), Some(ms(left)), "{age:?}");
        }
        plan.faults.clear();
        plan.until_ms = None;
        assert_eq!(plan.left(None, wall), Some(ms(5_000)), "a calm plan has nothing to end");
    }

    #[test]
    fn an_invalid_plan_is_refused() {
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

    fn decide(plan: &Plan, function: &str, identity: &str, path: &str) -> Vec<Decision> {
        plan.decide(function, Identity(identity), &Facts::of_request("GET", path), &mut Memory::default())
    }

    #[test]
    fn no_plan_is_too_deep_for_a_small_stack() {
        let text_in_text = (0..8).fold("[[[[[[[[]]]]]]]]".to_owned(), |text, _| serde_json::to_string(&[[[[text]]]]).unwrap());
        let kinds = [
            serde_json::json!({ "response": { "raw": text_in_text } }),
            serde_json::json!({ "response": { "status": 500, "body": "[".repeat(100_000) } }),
            serde_json::json!({ "event": { "remove": ["/".repeat(100_000)] } }),
            serde_json::json!({ "again": {} }),
        ];
        // As large as the stack of the extension's thread for plans.
        let thread = std::thread::Builder::new().stack_size(256 << 10).spawn(move || {
            for kind in kinds {
                let when = serde_json::json!({ "pointer": { ("/a".repeat(50_000)): 1 } });
                let fault = serde_json::json!({ "name": "f", "place": { "function": "f" }, "share": 1, "when": when, "kind": kind });
                let text = SLOW.replace(&SLOW[SLOW.find('[').unwrap()..], &format!("[{fault}]}}"));
                let read = Plan::read(text.as_bytes());
                assert_eq!(read.is_ok(), fault["kind"].get("again").is_some(), "{read:?}");
                let places = read.map(|plan| plan.places("f")).unwrap_or_default();
                assert!(places.read(r#"{"a":"#.repeat(128).as_bytes(), true).is_some());
                assert!(places.read((r#"{"a":"#.repeat(100) + "1" + &"}".repeat(100)).as_bytes(), true).is_some());
            }
        });
        thread.unwrap().join().unwrap();
    }

    #[test]
    fn a_fault_applies_only_to_its_function_and_path() {
        let plan = plan(SLOW).unwrap();
        assert_eq!(decide(&plan, "authorizer", "1-a-b", "/appointment/1").len(), 1);
        assert_eq!(decide(&plan, "authorizer", "1-a-b", "/items").len(), 0);
        assert_eq!(decide(&plan, "appointments", "1-a-b", "/appointment/1").len(), 0);
    }

    #[test]
    fn the_same_identity_is_struck_the_same_in_any_order() {
        let plan = plan(SLOW).unwrap();
        let ids: Vec<_> = (0..200).map(|n| format!("1-0-{n:024}")).collect();
        let decide = |id: &String| decide(&plan, "authorizer", id, "/appointment/1");
        let forward: Vec<_> = ids.iter().map(decide).collect();
        let mut backward: Vec<_> = ids.iter().rev().map(decide).collect();
        backward.reverse();
        assert_eq!(forward, backward);
    }

    /// The arms of this many invocations in one environment.
    fn arms(fault: &str, count: usize) -> Vec<Arm> {
        let text = format!(r#"{{"version":1,"run":"r","sequence":1,"lease_ms":5000,"seed":7,"faults":[{fault}]}}"#);
        let (plan, mut memory) = (plan(&text).unwrap(), Memory::default());
        let decisions = (0..count).flat_map(|n| plan.decide("f", Identity(&format!("1-0-{n:024}")), &Facts::default(), &mut memory));
        decisions.map(|decision| decision.arm).collect()
    }

    #[test]
    fn after_its_last_strike_a_fault_applies_to_nothing_any_more() {
        let arms = arms(r#"{"name":"f","place":{"function":"f"},"share":0.5,"at-most":3,"kind":{"again":{}}}"#, 1000);
        assert_eq!(arms.iter().filter(|arm| **arm == Arm::Treatment).count(), 3);
        assert_eq!(arms.last(), Some(&Arm::Treatment));
        assert!(arms.len() < 30, "{}", arms.len());
    }

    #[test]
    fn a_share_of_the_messages_is_struck() {
        let plan = by_message(7);
        let record = |n| format!(r#"{{"Records":[{{"messageId":"00000000-0000-4000-8000-{n:012}"}}]}}"#);
        let struck = (0..20_000).filter(|n| decide_record(&plan, "one trace for all", &record(*n)).arm == Arm::Treatment).count();
        // 99.99 % of a binomial(20000, 0.3) is within 253 of 6000.
        assert!((5_747..=6_253).contains(&struck), "{struck}");
    }

    #[test]
    fn a_burst_strikes_invocations_in_a_row_and_its_share_in_all() {
        let arms = arms(r#"{"name":"f","place":{"function":"f"},"share":0.3,"kind":{"throttle":{"burst":5}}}"#, 20_000);
        let struck = arms.iter().filter(|arm| **arm == Arm::Treatment).count();
        assert!((5_500..6_500).contains(&struck), "{struck}");
        let rows = arms.chunk_by(|a, b| a == b).filter(|row| row[0] == Arm::Treatment);
        // The last row may be cut short by the end.
        assert!(rows.rev().skip(1).all(|row| row.len() % 5 == 0));
    }

    #[test]
    fn the_start_of_an_environment_is_struck_by_its_name_and_no_invocation_of_it() {
        let text = SLOW
            .replace(r#""when":{"path":"/appointment/*"},"#, "")
            .replace(r#"{"latency":{"at":"before","time":"300ms"}}"#, r#"{"init":{"slow":"2s"}}"#);
        let plan = plan(&text).unwrap();
        assert!(!plan.concerns("authorizer"));
        assert_eq!(decide(&plan, "authorizer", "1-a-b", "/"), []);
        let struck = |n: usize| plan.decide_start("authorizer", Identity(&format!("env-{n}")))[0].arm == Arm::Treatment;
        let count = (0..1000).filter(|n| struck(*n)).count();
        assert!((400..600).contains(&count), "{count}");
        assert_eq!(plan.decide_start("appointments", Identity("env-1")), []);
    }

    fn by_message(seed: u64) -> Plan {
        let fault = r#"{"name":"m","place":{"function":"f"},"share":0.3,"by":"message","kind":{"again":{}}}"#;
        plan(&format!(r#"{{"version":1,"run":"r","sequence":1,"lease_ms":5000,"seed":{seed},"faults":[{fault}]}}"#)).unwrap()
    }

    fn decide_record(plan: &Plan, root: &str, event: &str) -> Decision {
        let places = plan.places("f");
        plan.decide("f", Identity(root), &places.read(event.as_bytes(), true).unwrap(), &mut Memory::default()).remove(0)
    }

    #[test]
    fn what_a_roll_depends_on_is_written_only_if_it_is_not_the_trace() {
        assert!(!plan(SLOW).unwrap().to_json().contains("\"by\""));
        let by_message = by_message(7);
        assert!(by_message.to_json().contains(r#""by":"message""#));
        assert_eq!(plan(&by_message.to_json()).unwrap(), by_message);
        assert!(plan(&by_message.to_json().replace(r#""by":"message""#, r#""by":"body""#)).is_err());
    }

    #[test]
    fn an_event_is_read_for_the_id_of_its_message_only_if_a_roll_depends_on_it() {
        let plan = by_message(7);
        assert!(!plan.places("f").is_empty() && plan.places("g").is_empty());
        let by_trace = plan.to_json().replace(r#","by":"message""#, "");
        assert!(Plan::read(by_trace.as_bytes()).unwrap().places("f").is_empty());
    }

    #[test]
    fn an_event_without_a_message_is_known_by_its_trace() {
        let plan = by_message(7);
        for n in 0..200 {
            let root = format!("1-0-{n:024}");
            for event in ["not json", "{}", r#"{"Records":[{"body":"b"}]}"#] {
                assert_eq!(decide_record(&plan, &root, event), plan.faults[0].decide(7, Identity(&root)), "{root} {event}");
            }
        }
    }

    #[test]
    fn a_trigger_without_messages_is_not_rolled_by_message() {
        for (from, to) in [(r#"{"function":"f"}"#, r#"{"service":{"name":"dynamodb"}}"#), (r#"{"again":{}}"#, r#"{"init":{"slow":"2s"}}"#)]
        {
            let complaint = plan(&by_message(7).to_json().replace(from, to)).unwrap_err().to_string();
            assert!(complaint.contains("by"), "{to}: {complaint}");
        }
    }

    /// A plan with a fault of a service; `by` is the key for what its roll depends on, or empty.
    fn of_a_service(by: &str) -> Plan {
        let fault = format!(r#"{{"name":"s","place":{{"service":{{"name":"dynamodb"}}}},"share":0.3{by},"kind":{{"error":{{}}}}}}"#);
        plan(&format!(r#"{{"version":1,"run":"r","sequence":1,"lease_ms":5000,"seed":7,"faults":[{fault}]}}"#)).unwrap()
    }

    /// Whether the first, second and third call of this root are struck.
    fn three_calls(plan: &Plan, n: usize) -> [bool; 3] {
        let root = format!("1-{n:08x}-{n:024x}");
        [1, 2, 3].map(|call| plan.decide_call("dynamodb", "GetItem", Identity(&root), Caller::default(), |_| call)[0].arm == Arm::Treatment)
    }

    #[test]
    fn calls_of_one_request_are_struck_independently_so_that_a_retry_can_win() {
        let plan = of_a_service(r#","by":"call""#);
        let all: Vec<_> = (0..20_000).map(|n| three_calls(&plan, n)).collect();
        let count = |is: fn(&[bool; 3]) -> bool| all.iter().filter(|calls| is(calls)).count();
        // 99.99 % of a binomial(20000, 0.027) is within 90 of 540, of a binomial(20000, 0.3) within
        // 253 of 6000.
        let lost = count(|calls| *calls == [true; 3]);
        assert!((450..=630).contains(&lost), "{lost}");
        for struck in [count(|calls| calls[0]), count(|calls| calls[1]), count(|calls| calls[2])] {
            assert!((5_747..=6_253).contains(&struck), "{struck}");
        }
    }

    #[test]
    fn calls_of_one_request_are_struck_alike_unless_the_plan_says_otherwise() {
        let plan = of_a_service("");
        for n in 0..1000 {
            let [first, second, third] = three_calls(&plan, n);
            assert!(first == second && second == third, "{n}");
        }
        assert!(!plan.to_json().contains("\"by\""));
    }

    #[test]
    fn the_calls_to_a_function_are_not_counted() {
        let text = of_a_service(r#","by":"call""#).to_json().replace(r#"{"service":{"name":"dynamodb"}}"#, r#"{"function":"f"}"#);
        let complaint = plan(&text).unwrap_err().to_string();
        assert!(complaint.contains("each-call") && complaint.contains("share no count"), "{complaint}");
    }

    proptest! {
        #[test]
        fn a_message_is_struck_alike_at_every_delivery(seed: u64, id in "[0-9a-f-]{1,36}", roots in ["[0-9a-f-]{0,35}", "[0-9a-f-]{0,35}"]) {
            let plan = by_message(seed);
            let delivered = |root: &str, count: u32| {
                let attributes = format!(r#"{{"ApproximateReceiveCount":"{count}"}}"#);
                decide_record(&plan, root, &format!(r#"{{"Records":[{{"messageId":"{id}","attributes":{attributes}}}]}}"#))
            };
            let first = delivered(&roots[0], 1);
            prop_assert_eq!(&delivered(&roots[1], 2), &first);
            let known = Decision { message: Some(id.clone()), ..plan.faults[0].decide(seed, Identity(&id)) };
            prop_assert_eq!(&first, &known);
        }

        #[test]
        fn any_bytes_are_a_plan_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = Plan::read(&bytes);
        }
    }
}
