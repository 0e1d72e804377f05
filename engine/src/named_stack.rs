//! The same experiment on AWS: what it needs of the stack that a name stands for, and what it
//! becomes once that stack is looked up.

use std::time::Duration;

use exports::Arn;
use faults::{Place, Trigger};
use protocol::{Resolve, Resolved};
use reports::Expectation;
use run_folder::Compressed;
use scenarios::invariants::by_answers_alone;
use scenarios::invariants::cedar::OracleError;

use super::check::faults::functions;
use super::deployed::Deployed;
use super::plan::Plan;

/// A rule's id and text.
pub type RuleText = (&'static str, &'static str);

impl Plan {
    /// What is looked up to run on the stack of this name in a Region.
    pub fn looked_up(&self, stack: String, region: Option<String>) -> Resolve {
        let layer = self.stack.layer.as_ref().map(Arn::to_string);
        Resolve { stack, region, layer, functions: self.struck_functions() }
    }

    /// The functions that faults name, each once.
    fn struck_functions(&self) -> Vec<String> {
        let mut names = Vec::new();
        for fault in &self.faults {
            if let Place::Function(name) = &fault.place
                && !names.contains(name)
            {
                names.push(name.clone());
            }
        }
        names
    }

    /// Everything because of which the experiment cannot run on AWS; empty if it can.
    pub fn only_local(&self) -> Vec<String> {
        let mut reasons = Vec::new();
        if self.systems.is_empty() {
            reasons.push("it names no `systems`, so there is nothing that a stack could be".to_owned());
        }
        if self.faults.is_empty() {
            reasons.push("it has no fault, and there is nothing to strike".to_owned());
        }
        for fault in &self.faults {
            if let Place::Service { name, .. } = &fault.place {
                let what = format!(
                    "`{}` strikes the service `{name}`, which only the stack on this machine lets it; strike a function",
                    fault.name
                );
                reasons.push(what);
            }
        }
        for weakness in &self.setup.weaknesses {
            reasons.push(format!(
                "the weakness `{weakness}` is switched on when the stack is deployed, by a parameter of its template; remove it"
            ));
        }
        reasons
    }

    /// The rules that can be checked on AWS, and those that cannot: id and text.
    ///
    /// # Errors
    /// If the policies cannot be read.
    pub fn rules_on_aws(&self) -> Result<(Vec<RuleText>, Vec<RuleText>), OracleError> {
        let mut rules = self.load.rules(&self.setup)?;
        let all: Vec<_> = rules.iter().flat_map(|rules| rules.rules()).collect();
        let uncheckable: Vec<_> = by_answers_alone(&mut rules);
        Ok(all.into_iter().partition(|(id, _)| !uncheckable.contains(id)))
    }

    /// The experiment on a stack that was looked up.
    ///
    /// # Errors
    /// Everything because of which it cannot run there, in one text.
    pub fn on_stack(mut self, stack: Resolved) -> Result<Self, String> {
        let reasons = self.only_local();
        if !reasons.is_empty() {
            return Err(reasons.join("; "));
        }
        let Resolved { layer, mut functions, addresses, .. } = stack;
        for (function, name) in functions.iter_mut().zip(self.struck_functions()) {
            // Rules know functions by the names of the template, and ledgers by those in the account.
            if function.name() != name {
                let found = function.name();
                return Err(format!("the stack calls the function `{name}` `{found}`; give it the name of brownout's template"));
            }
            function.triggers = trigger(&name).into_iter().collect();
        }
        let how = self.stack.how.clone();
        self.timeline.baseline = self.timeline.baseline.max(2 * how.ledger_lag);
        self.setup.compressed = Compressed::default();
        let unmeasured = self.leave_out_unmeasured();
        self.deployed = Some(Deployed { layer, functions, how, addresses: Some(addresses), unmeasured });
        let complaints = self.for_aws().map(|experiment| experiment.complaints()).unwrap_or_default();
        if complaints.is_empty() { Ok(self) } else { Err(complaints.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")) }
    }

    /// Removes the aims of endpoints that only services can time, and names these.
    fn leave_out_unmeasured(&mut self) -> Vec<String> {
        let asynchronous = self.load.systems.iter().filter(|load| load.is_asynchronous());
        let timed_by_services: Vec<_> =
            asynchronous.flat_map(|load| load.system().endpoints()).map(|(name, _)| name).filter(|name| name.contains(" -> ")).collect();
        let (unmeasured, measured) =
            std::mem::take(&mut self.expectations).into_iter().partition(|aim| timed_by_services.contains(&aim.of.as_str()));
        self.expectations = measured;
        let unmeasured: Vec<Expectation> = unmeasured;
        let mut names: Vec<_> = unmeasured.into_iter().map(|aim| aim.of).collect();
        names.dedup();
        names
    }

    /// The baseline that a run on AWS needs, if that is longer than the file's: a broken baseline must be known before anything is struck.
    pub fn longer_baseline(&self) -> Option<Duration> {
        let needed = 2 * self.stack.how.ledger_lag;
        (self.timeline.baseline < needed).then_some(needed)
    }
}

/// What invokes the function that a system calls by this name.
fn trigger(name: &str) -> Option<Trigger> {
    functions().find(|(known, ..)| *known == name).map(|(_, _, trigger)| trigger)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use exports::Function;
    use run_folder::Addresses;

    use super::*;
    use crate::shipped;

    fn plan(name: &str) -> Plan {
        let (name, text) = shipped::find(name).unwrap();
        crate::check(&name, &text).unwrap()
    }

    fn arn(resource: &str) -> Arn {
        format!("arn:aws:lambda:eu-central-1:123456789012:{resource}").parse().unwrap()
    }

    fn stack(function: &str) -> Resolved {
        let function = Function {
            arn: arn(&format!("function:{function}")),
            role: "arn:aws:iam::123456789012:role/clinic".parse().unwrap(),
            layers: vec![],
            alias: None,
            key: None,
            triggers: vec![],
            timeout: Duration::from_secs(3),
            log_group: None,
        };
        Resolved {
            stack: "clinic-dev".into(),
            region: "eu-central-1".into(),
            account: "123456789012".into(),
            layer: arn("layer:brownout:7"),
            functions: vec![function],
            addresses: Addresses { sign_in: "https://cognito-idp.eu-central-1.amazonaws.com".into(), ..Addresses::default() },
            resources: BTreeMap::new(),
        }
    }

    #[test]
    fn a_shipped_experiment_runs_on_a_stack_as_it_is() {
        let local = plan("slow-authorizer");
        assert_eq!(local.looked_up("clinic-dev".into(), None).functions, ["authorizer"]);
        let there = local.clone().on_stack(stack("authorizer")).unwrap();
        let deployed = there.deployed.as_ref().unwrap();
        assert_eq!(deployed.functions[0].triggers, [Trigger::Authorizer]);
        assert!(local.clone().on_stack(stack("authorizer-1X")).unwrap_err().contains("give it the name of brownout's template"));
        assert_eq!((there.timeline.baseline, local.longer_baseline()), (Duration::from_secs(60), Some(Duration::from_secs(60))));
        assert_eq!((there.systems, there.load.systems.len()), (local.systems, 2));
        assert!(!there.deployed.unwrap().addresses.unwrap().is_local());
    }

    #[test]
    fn what_the_answers_show_is_checked_on_aws_and_what_services_tell_is_not() {
        let ids = |rules: Vec<RuleText>| rules.into_iter().map(|(id, _)| id).collect::<Vec<_>>();
        let (checked, unchecked) = plan("failing-authorizer").rules_on_aws().unwrap();
        assert_eq!((ids(checked), ids(unchecked)), (vec!["B-1", "B-2", "B-3", "B-5"], vec!["B-4", "B-6"]));
        let (checked, unchecked) = plan("slow-mail").rules_on_aws().unwrap();
        assert_eq!((checked.len(), unchecked.len()), (0, 9));
    }

    #[test]
    fn what_only_this_machine_can_do_is_refused_with_every_reason() {
        for (name, says) in [
            ("lost-shadow-write", "strikes the service"),
            ("quiet", "it has no fault"),
            ("published-form", "switched on when the stack is deployed"),
        ] {
            let why = plan(name).on_stack(stack("authorizer")).unwrap_err();
            assert!(why.contains(says), "{name}: {why}");
        }
    }
}
