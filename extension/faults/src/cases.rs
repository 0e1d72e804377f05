//! A fault that strikes only named requests: the cases of an exploration. One look-up decides, and no
//! roll.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::complaint::Complaint;
use crate::identity::Identity;

/// The requests that a fault strikes, and which of their deliveries or calls. An extension that does
/// not know this field refuses the plan, so that it strikes nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Cases {
    /// The requests, each by the part of its trace root that lasts ([`Identity::lasting`]).
    pub roots: BTreeSet<String>,
    /// The first delivery to the function, or the first call of the service, that is struck; from 1.
    pub from: u32,
    /// The last one.
    pub to: u32,
    /// Of calls: only those that this function makes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller: Option<String>,
    /// Of calls: only those that the function makes while it works on this delivery of the request, from 1.
    /// What another delivery calls is never struck, so that what is tried again can succeed.
    #[serde(default = "first", skip_serializing_if = "is_first")]
    pub delivery: u32,
}

const fn first() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
const fn is_first(delivery: &u32) -> bool {
    *delivery == 1
}

/// What makes a call to a service.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Caller<'a> {
    /// The function, if it is known.
    pub function: Option<&'a str>,
    /// Which delivery of the request it works on, from 1; 0 if that is not known.
    pub delivery: u32,
}

impl Cases {
    /// Whether the request is one of them.
    pub fn has(&self, identity: Identity<'_>) -> bool {
        self.roots.contains(identity.lasting().0)
    }

    /// Whether the delivery or call with this number is struck.
    pub fn strikes(&self, number: u32) -> bool {
        (self.from..=self.to).contains(&number)
    }

    /// Whether a call that `caller` makes is counted.
    pub fn is_made_by(&self, caller: Caller<'_>) -> bool {
        caller.delivery.max(1) == self.delivery && (self.caller.is_none() || self.caller.as_deref() == caller.function)
    }

    /// Everything that is wrong with them.
    pub fn complaints(&self) -> Vec<Complaint> {
        let mut complaints = Vec::new();
        if self.from == 0 || self.to < self.from {
            complaints.push(Complaint::new("from", "`from` is 1 or more, and `to` not less than `from`"));
        }
        if self.delivery == 0 {
            complaints.push(Complaint::new("delivery", "`0` never strikes; it is 1 or more"));
        }
        if self.roots.is_empty() {
            complaints.push(Complaint::new("roots", "no request is named; it would never strike"));
        }
        complaints
    }
}

#[cfg(test)]
mod tests {
    use super::Caller;
    use crate::identity::By;
    use crate::memory::Memory;
    use crate::plan::{Plan, PlanError};
    use crate::{Facts, Identity};

    const OWN: &str = "bd862e3fe1be46a994272793";

    fn plan(place: &str, by: &str, cases: &str) -> Result<Plan, PlanError> {
        let fault = format!(r#"{{"name":"f","place":{place},"share":1,{by}"cases":{cases},"kind":{{"error":{{}}}}}}"#);
        Plan::read(format!(r#"{{"version":1,"run":"r","sequence":1,"lease_ms":5000,"seed":7,"faults":[{fault}]}}"#).as_bytes())
    }

    fn cases(rest: &str) -> String {
        format!(r#"{{"roots":["{OWN}"],{rest}}}"#)
    }

    #[test]
    fn an_invocation_is_struck_only_if_its_request_and_its_delivery_are_named() {
        let plan = plan(r#"{"function":"a"}"#, "", &cases(r#""from":2,"to":3"#)).unwrap();
        let decide = |function: &str, root: &str, delivery: u32| {
            plan.decide(function, Identity(root), &Facts::default().delivered(delivery), &mut Memory::default()).len()
        };
        let root = format!("1-5759e988-{OWN}");
        for (delivery, struck) in [(0, 0), (1, 0), (2, 1), (3, 1), (4, 0)] {
            assert_eq!(decide("a", &root, delivery), struck, "{delivery}");
        }
        assert_eq!(decide("b", &root, 2), 0, "another function");
        assert_eq!(decide("a", "1-5759e988-bd862e3fe1be46a994272794", 2), 0, "another request has no line at all");
    }

    #[test]
    fn a_call_is_struck_only_if_its_request_its_number_and_its_caller_are_named() {
        let service = r#"{"service":{"name":"sqs","operation":"SendMessage"}}"#;
        let plan = plan(service, r#""by":"call","#, &cases(r#""from":2,"to":2,"caller":"place""#)).unwrap();
        assert_eq!(plan.faults[0].by, By::Call);
        let root = format!("1-00000000-{OWN}");
        let mut counted = 0;
        let mut delivered = |root: &str, operation: &str, function: Option<&str>, delivery: u32| {
            let count = |_: &_| {
                counted += 1;
                counted
            };
            plan.decide_call("sqs", operation, Identity(root), Caller { function, delivery }, count).len()
        };
        assert_eq!(delivered(&root, "SendMessage", Some("place"), 2), 0, "nor a second delivery");
        let mut call = |root: &str, operation: &str, function: Option<&str>| delivered(root, operation, function, 1);
        assert_eq!(call(&root, "SendMessage", Some("other")), 0, "another caller is not counted");
        assert_eq!(call("1-00000000-000000000000000000000000", "SendMessage", Some("place")), 0, "nor another request");
        assert_eq!(call(&root, "DeleteMessage", Some("place")), 0);
        assert_eq!([(); 3].map(|()| call(&root, "SendMessage", Some("place"))), [0, 1, 0]);
    }

    #[test]
    fn the_calls_of_one_delivery_are_struck_and_those_of_no_other() {
        let service = r#"{"service":{"name":"sqs","operation":"SendMessage"}}"#;
        let plan = plan(service, r#""by":"call","#, &cases(r#""from":1,"to":1,"caller":"worker","delivery":2"#)).unwrap();
        let root = format!("1-00000000-{OWN}");
        for (delivery, struck) in [(0, 0), (1, 0), (2, 1), (3, 0)] {
            let caller = Caller { function: Some("worker"), delivery };
            assert_eq!(plan.decide_call("sqs", "SendMessage", Identity(&root), caller, |_| 1).len(), struck, "{delivery}");
        }
        let text = plan.to_json();
        assert_eq!(Plan::read(text.as_bytes()).unwrap(), plan, "{text}");
    }

    #[test]
    fn cases_that_never_strike_are_refused_and_so_is_a_plan_with_an_unknown_field() {
        for bad in [
            r#"{"roots":[],"from":1,"to":1}"#,
            &cases(r#""from":0,"to":1"#),
            &cases(r#""from":2,"to":1"#),
            &cases(r#""from":1,"to":1,"delivery":0"#),
        ] {
            assert!(matches!(plan(r#"{"function":"a"}"#, "", bad), Err(PlanError::Refused { .. })), "{bad}");
        }
        // As an older extension sees `cases`: a field that it does not know.
        let text = plan(r#"{"function":"a"}"#, "", &cases(r#""from":1,"to":1"#)).unwrap().to_json().replace("\"cases\"", "\"newer\"");
        assert!(matches!(Plan::read(text.as_bytes()), Err(PlanError::Form(_))), "{text}");
    }
}
