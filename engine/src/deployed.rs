//! The part of a checked experiment about functions deployed on AWS.

use std::time::Duration;

use exports::alarms::Alarm;
use exports::{Arn, Experiment, Function, Usage};
use faults::plan::VERSION;
use faults::{By, Lease, Place, Plan as FaultPlan, Trigger};
use protocol::{AwsPlan, Via};
use run_folder::Addresses;
use scenarios::systems::System;

use super::plan::Plan;

/// Extra time for a slow attach and detach: a marker older than the run plus this was left behind.
const ROOM: Duration = Duration::from_secs(15 * 60);

/// Functions deployed on AWS, in one account and Region.
#[derive(Debug, Clone, PartialEq)]
pub struct Deployed {
    /// The version of the layer that is attached.
    pub layer: Arn,
    /// The functions that may be touched.
    pub functions: Vec<Function>,
    /// How they are touched.
    pub how: OnAws,
    /// Where the stack that they belong to is reached, if the experiment is on a stack.
    pub addresses: Option<Addresses>,
    /// The endpoints whose aims cannot be measured there: no request waits for what they time.
    pub unmeasured: Vec<String>,
}

/// How an experiment runs on AWS, whatever it runs on.
#[derive(Debug, Clone, PartialEq)]
pub struct OnAws {
    /// The tag that each function must have: key and value.
    pub tag: (String, String),
    /// How late the ledgers may be.
    pub ledger_lag: Duration,
    /// The share of an alias's calls that goes to the version with the layer, in thousandths.
    pub alias_thousandths: u16,
    /// How long a version is kept after its alias stops sending it calls.
    pub alias_grace: Duration,
    /// How long FIS may take until the faults are in force, if it drives the experiment.
    pub fis_lead: Duration,
    /// The alarms that end the experiment if FIS drives it.
    pub alarms: Vec<Alarm>,
}

/// The stack on AWS that an experiment names, and how it runs there.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct NamedStack {
    /// Its name or ARN, if the file names one.
    pub name: Option<String>,
    /// The layer version that is attached, if the file names one.
    pub layer: Option<Arn>,
    /// How functions are touched.
    pub how: OnAws,
}

impl Default for OnAws {
    /// What holds for an experiment without `[aws]`.
    fn default() -> Self {
        Self {
            tag: ("brownout".to_owned(), "allowed".to_owned()),
            ledger_lag: Duration::from_secs(30),
            alias_thousandths: 100,
            alias_grace: Duration::from_secs(60),
            fis_lead: Duration::from_secs(120),
            alarms: Vec::new(),
        }
    }
}

impl Deployed {
    /// The function called `name`.
    pub fn function(&self, name: &str) -> Option<&Function> {
        self.functions.iter().find(|function| function.name() == name)
    }

    /// What identifies a roll: a message or record that a queue or a stream delivers again is
    /// struck again.
    pub fn by(&self, name: &str) -> By {
        By::of(self.function(name).map(|function| function.triggers.as_slice()).unwrap_or_default())
    }
}

impl Plan {
    /// Whether a deployed function that serves any request of an endpoint serves all of them: only
    /// HTTP invokes it, no authorizer answers in its place, and it has no other version. On a local
    /// stack the platform reports what each request invoked.
    pub fn serves_all(&self, place: &Place) -> bool {
        let Place::Function(name) = place else { return false };
        let authorizes = |system: &System| system.functions().iter().any(|(_, trigger)| *trigger == Trigger::Authorizer);
        if self.systems.iter().any(authorizes) {
            return false;
        }
        let function = self.deployed.as_ref().and_then(|deployed| deployed.function(name));
        function.is_some_and(|function| function.alias.is_none() && function.triggers.iter().all(|trigger| *trigger == Trigger::Http))
    }

    /// The experiment for export to AWS, if it is on deployed functions.
    pub fn for_aws(&self) -> Option<Experiment> {
        let deployed = self.deployed.as_ref()?;
        let plan = FaultPlan {
            version: VERSION,
            run: self.name.clone(),
            sequence: 1,
            lease_ms: Lease::LONGEST,
            until_ms: None,
            seed: self.seed,
            faults: self.faults.clone(),
        };
        Some(Experiment {
            name: self.name.clone(),
            question: self.question.clone(),
            functions: deployed.functions.clone(),
            plan,
            duration: self.timeline.fault,
            layer: deployed.layer.clone(),
            tag: deployed.how.tag.clone(),
            alarms: deployed.how.alarms.clone(),
            alias_thousandths: deployed.how.alias_thousandths,
            alias_grace: deployed.how.alias_grace,
        })
    }

    /// The part of the plan that `brownout-aws` needs, if it is on deployed functions.
    pub fn aws_plan(&self) -> Option<AwsPlan> {
        let deployed = self.deployed.as_ref()?;
        Some(AwsPlan {
            experiment: self.for_aws()?,
            ledger_lag: deployed.how.ledger_lag,
            fis_lead: deployed.how.fis_lead,
            length: self.timeline.end(),
            longest: self.timeline.end() + ROOM,
            rate: self.load.arrivals(),
        })
    }

    /// What a run on AWS uses, as far as the file tells.
    pub fn usage_on_aws(&self) -> Usage {
        match self.aws_plan() {
            Some(plan) => plan.usage(Via::Plan),
            None => Usage::of(&self.faults, self.load.arrivals(), self.timeline.end(), self.timeline.fault),
        }
    }

    /// The same plan for a run that FIS drives: the faults are in force once FIS has armed them.
    ///
    /// # Errors
    /// What FIS cannot drive.
    pub fn driven_by_fis(mut self) -> Result<Self, String> {
        let Some(deployed) = &self.deployed else { return Err("it names no deployed function; write `[aws]`".to_owned()) };
        if self.faults.is_empty() {
            return Err("it has no fault, and there is nothing for FIS to do".to_owned());
        }
        if !self.windows.is_empty() {
            return Err(
                "a fault is in force for a part of the phase only, which FIS's document cannot do; let `--target aws` drive it".to_owned()
            );
        }
        let complaints = self.for_aws().map(|experiment| experiment.complaints_of_document()).unwrap_or_default();
        if let Some(complaint) = complaints.first() {
            return Err(format!("{}, or let `--target aws` drive it", complaint.what));
        }
        self.timeline.arming = deployed.how.fis_lead;
        Ok(self)
    }
}
