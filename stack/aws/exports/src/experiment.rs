//! The input of every export: an experiment on functions that exist in AWS. It reports everything
//! that AWS would refuse later, all at once, and every stop condition that cannot react.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use faults::{Complaint, Fault, Kind, Place, Plan, Trigger};
use serde::{Deserialize, Serialize};

use super::alarms::{Alarm, Watched};
use super::arn::Arn;

/// The longest fault: the document's loop makes 100 rounds of 30 s at most, and each takes longer than its sleep.
pub const LONGEST: Duration = Duration::from_secs(45 * 60);
/// A cancelled automation has two minutes, in which this many functions can be detached.
pub const MOST_FUNCTIONS: usize = 20;
/// The longest time that a version is kept after its alias let it go: the clean-up of a cancelled
/// automation waits that long.
pub const LONGEST_GRACE: Duration = Duration::from_secs(60);
/// FIS's limit on stop conditions.
pub const MOST_ALARMS: usize = 5;
/// Lambda's limit on layers.
pub const MOST_LAYERS: usize = 5;
/// Reserved: no run has this name, so the plan that an idle layer names never exists.
pub(super) const IDLE: &str = "idle";
/// The longest value of a parameter, in bytes; up to half of that it is free.
pub const LONGEST_PARAMETER: usize = 8 * 1024;

/// A function in AWS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Function {
    /// Its ARN, without a version or an alias.
    pub arn: Arn,
    /// Its execution role, which needs permission to read the plan.
    pub role: Arn,
    /// The layer versions that it has apart from brownout's.
    pub layers: Vec<Arn>,
    /// The alias, if brownout attaches to a published version and gives it a share of the alias's
    /// calls.
    pub alias: Option<String>,
    /// The key that encrypts its variables, if it is a customer-managed one.
    pub key: Option<Arn>,
    /// What invokes it; empty if that is not known.
    pub triggers: Vec<Trigger>,
    /// Its timeout.
    pub timeout: Duration,
    /// The log group that it writes to, if that is not `/aws/lambda/` and its name.
    pub log_group: Option<String>,
}

impl Function {
    /// The log group that it writes to.
    pub fn log_group(&self) -> String {
        self.log_group.clone().unwrap_or_else(|| format!("/aws/lambda/{}", self.name()))
    }

    /// Its name; empty if the ARN is not a function's.
    pub fn name(&self) -> &str {
        self.arn.named("lambda", "function").unwrap_or_default()
    }
}

/// An experiment as it is exported for AWS.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Experiment {
    /// 1 to 32 of `a-z 0-9 -`, beginning with a letter. Everything in the account is named after
    /// it.
    pub name: String,
    /// The experiment's question, for people to read.
    pub question: String,
    /// The functions that the extension is attached to, all in one account and region.
    pub functions: Vec<Function>,
    /// The faults. Run, sequence and lease are set again when the plan is armed.
    pub plan: Plan,
    /// How long the faults are in force, 1 s to [`LONGEST`].
    pub duration: Duration,
    /// The version of the layer that is attached.
    pub layer: Arn,
    /// The tag with which a team allows faults on its function: key and value.
    pub tag: (String, String),
    /// The alarms that end it, at most [`MOST_ALARMS`].
    pub alarms: Vec<Alarm>,
    /// The share of an alias's calls that goes to the version with the layer, in thousandths.
    pub alias_thousandths: u16,
    /// How long a version is kept after its alias stops sending it calls.
    pub alias_grace: Duration,
}

impl Experiment {
    /// Everything that is wrong with it; it can be exported only if this is empty.
    pub fn complaints(&self) -> Vec<Complaint> {
        let mut complaints = self.complaints_of_names();
        complaints.extend(self.complaints_of_functions());
        complaints.extend(self.complaints_of_plan());
        complaints.extend(self.complaints_of_alarms());
        complaints
    }

    /// What the document of SSM Automation could not do.
    pub fn complaints_of_document(&self) -> Vec<Complaint> {
        let shared = self.functions.iter().find(|function| function.alias.is_some());
        let shared = shared.filter(|_| self.alias_grace > LONGEST_GRACE);
        let what = shared.map(|function| {
            let (grace, name) = (self.alias_grace, function.name());
            format!(
                "`{name}` names an alias and `alias-grace` is {grace:?}; a cancelled automation has the time for 60s, so write up to that"
            )
        });
        what.map(|what| Complaint::new("alias-grace", what)).into_iter().collect()
    }

    /// The parameter that holds the faults as written. The functions never read it.
    pub fn faults_parameter(&self) -> String {
        format!("/brownout/{}/faults", self.name)
    }

    /// The parameter that the functions read if the document strikes. It exists only while the
    /// faults are in force.
    pub fn plan_parameter(&self) -> String {
        format!("/brownout/{}/plan", self.name)
    }

    /// The parameter that the functions read if `brownout run` strikes; each run has its own.
    pub fn plan_parameter_of(&self, run: &str) -> String {
        format!("{}/{run}", self.plan_parameter())
    }

    /// The name of one of its resources in the account.
    pub fn named(&self, what: &str) -> String {
        format!("brownout-{}-{what}", self.name)
    }

    /// An ARN in its account and region.
    pub(super) fn home(&self) -> &Arn {
        self.functions.first().map_or(&self.layer, |function| &function.arn)
    }

    /// The ARN of a parameter.
    pub(super) fn parameter_arn(&self, name: &str) -> String {
        self.home().beside("ssm", format!("parameter{name}")).to_string()
    }

    fn complaints_of_names(&self) -> Vec<Complaint> {
        let mut complaints = Vec::new();
        if !is_name(&self.name) {
            let what = format!("`{}` is not a name; it has 1 to 32 of `a-z 0-9 -` and begins with a letter", self.name);
            complaints.push(Complaint::new("name", what));
        }
        let version = self.layer.named("lambda", "layer").and_then(|name| name.rsplit_once(':'));
        if !version.is_some_and(|(_, number)| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())) {
            let what =
                format!("`{}` is not a version of a layer; it is `arn:aws:lambda:<region>:<account>:layer:<name>:<version>`", self.layer);
            complaints.push(Complaint::new("layer", what));
        }
        if !(Duration::from_secs(1)..=LONGEST).contains(&self.duration) {
            complaints.push(Complaint::new("duration", format!("`{:?}` is outside 1s to 45m", self.duration)));
        }
        complaints
    }

    fn complaints_of_functions(&self) -> Vec<Complaint> {
        let mut complaints = Vec::new();
        if self.functions.is_empty() || self.functions.len() > MOST_FUNCTIONS {
            let what = format!("{} functions are outside 1 to {MOST_FUNCTIONS}", self.functions.len());
            complaints.push(Complaint::new("functions", what));
        }
        let homes: BTreeSet<_> = self.functions.iter().map(|f| (&f.arn.partition, &f.arn.region, &f.arn.account)).collect();
        if homes.len() > 1 {
            complaints.push(Complaint::new("functions", "they are in several accounts or regions; write an experiment for each"));
        }
        let names: BTreeSet<_> = self.functions.iter().map(Function::name).collect();
        if names.len() < self.functions.len() {
            complaints.push(Complaint::new("functions", "a function stands there twice"));
        }
        for function in &self.functions {
            complaints.extend(self.complaints_of(function).into_iter().map(|complaint| complaint.within(function.name())));
        }
        complaints
    }

    fn complaints_of(&self, function: &Function) -> Vec<Complaint> {
        let mut complaints = Vec::new();
        let name = function.name();
        let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        if name.is_empty() || name.len() > 64 || !plain {
            let what = format!("`{}` is not a function; leave out a version or an alias", function.arn);
            complaints.push(Complaint::new("arn", what));
        }
        if function.role.named("iam", "role").is_none() {
            complaints.push(Complaint::new("role", format!("`{}` is not a role", function.role)));
        }
        if function.arn.region != self.layer.region {
            let what = format!("the layer is in `{}` and the function in `{}`", self.layer.region, function.arn.region);
            complaints.push(Complaint::new("layer", what));
        }
        let others = function.layers.iter().filter(|layer| **layer != self.layer).count();
        if others >= MOST_LAYERS {
            let what = format!("it has {others} layers, and Lambda takes {MOST_LAYERS}: there is no place for ours");
            complaints.push(Complaint::new("layers", what));
        }
        complaints
    }

    fn complaints_of_plan(&self) -> Vec<Complaint> {
        let mut complaints = Vec::new();
        if self.plan.faults.is_empty() {
            complaints.push(Complaint::new("fault", "there is none"));
        }
        for fault in &self.plan.faults {
            let found = match &fault.place {
                Place::Function(name) if self.functions.iter().any(|function| function.name() == name) => None,
                Place::Function(name) => Some(format!("`{name}` is none of the functions")),
                Place::Service { name, .. } => {
                    Some(format!("`{name}` is a service of AWS, which nobody can strike there; use `dependency` of a function"))
                }
            };
            complaints.extend(fault.complaints().into_iter().map(|complaint| complaint.within(&fault.name)));
            complaints.extend(found.map(|what| Complaint::new("place", what).within(&fault.name)));
        }
        let text = self.plan.to_json();
        if text.contains("{{") || self.question.contains("{{") {
            complaints.push(Complaint::new("fault", "`{{` stands in it or in the question, which SSM takes for a reference"));
        }
        let bytes = text.len();
        if bytes > LONGEST_PARAMETER - ROOM {
            let what = format!("the plan has {bytes} bytes, and a parameter holds {LONGEST_PARAMETER}: write fewer or shorter faults");
            complaints.push(Complaint::new("fault", what));
        }
        complaints
    }

    fn complaints_of_alarms(&self) -> Vec<Complaint> {
        let mut complaints = Vec::new();
        if self.alarms.len() > MOST_ALARMS {
            complaints.push(Complaint::new("stop", format!("{} alarms are more than the {MOST_ALARMS} that FIS takes", self.alarms.len())));
        }
        for alarm in &self.alarms {
            let home = self.home();
            let found = alarm.arn.parse::<Arn>().ok().filter(|arn| arn.named("cloudwatch", "alarm").is_some());
            let what = match (found, alarm.blindness(self.struck())) {
                (None, _) => Some(format!("`{}` is not an alarm of CloudWatch", alarm.arn)),
                (Some(arn), _) if (&arn.region, &arn.account) != (&home.region, &home.account) => {
                    Some(format!("`{arn}` is in another account or region than the functions"))
                }
                (Some(arn), Some(why)) => Some(format!("`{arn}` cannot react: {why}")),
                (Some(_), None) => None,
            };
            complaints.extend(what.map(|what| Complaint::new("stop", what)));
        }
        complaints
    }

    /// The variables that are set on a function, besides the plan's source and the wrapper.
    pub fn settings(&self, function: &Function) -> BTreeMap<&'static str, String> {
        let mut settings = BTreeMap::new();
        let is_disturbed = |fault: &Fault| fault.place.is_function(function.name()) && matches!(fault.kind, Kind::Dependency(_));
        if self.plan.faults.iter().any(is_disturbed) {
            settings.insert("BROWNOUT_OUTBOUND", "on".to_owned());
        }
        settings
    }

    /// Which fault strikes which function.
    fn struck(&self) -> impl Iterator<Item = (&Kind, Watched<'_>)> {
        self.plan.faults.iter().flat_map(|fault| {
            let functions = self.functions.iter().filter(|function| fault.place.is_function(function.name()));
            functions.map(|f| (&fault.kind, Watched { name: f.name(), triggers: &f.triggers, timeout: f.timeout }))
        })
    }
}

/// Whether things in the account can be named after it: 1 to 32 of `a-z 0-9 -`, beginning with a
/// letter.
pub(super) fn is_name(name: &str) -> bool {
    let plain = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    plain && name.len() <= 32 && name.starts_with(|c: char| c.is_ascii_lowercase())
}

/// Space in bytes for run, sequence and lease, which are longer once the plan is armed.
const ROOM: usize = 128;

#[cfg(test)]
mod tests {
    use super::super::alarms::Metric;
    use super::super::example::experiment;
    use super::*;

    fn complaint(change: impl FnOnce(&mut Experiment)) -> String {
        let mut experiment = experiment();
        change(&mut experiment);
        experiment.complaints().iter().map(|c| format!("{}: {}\n", c.key, c.what)).collect()
    }

    #[test]
    fn the_example_has_nothing_wrong_with_it() {
        assert_eq!(complaint(|_| ()), "");
    }

    #[test]
    fn what_aws_would_refuse_is_reported_first() {
        type Change = fn(&mut Experiment);
        let cases: [(&str, Change); 14] = [
            ("takes for a reference", |e| e.plan.faults[0].name = "{{x}}".into()),
            ("is not a name", |e| e.name = "Slow".into()),
            ("is not a version of a layer", |e| e.layer.resource = "layer:brownout".into()),
            ("outside 1s to 45m", |e| e.duration = Duration::from_secs(46 * 60)),
            ("outside 1 to 20", |e| e.functions.clear()),
            ("several accounts", |e| e.functions[0].arn.account = "210987654321".into()),
            ("twice", |e| e.functions[0] = e.functions[1].clone()),
            ("leave out a version", |e| e.functions[0].arn.resource.push_str(":live")),
            ("is not a role", |e| e.functions[0].role.service = "sts".into()),
            ("the layer is in", |e| e.layer.region = "us-west-2".into()),
            ("no place for ours", |e| e.functions[0].layers = vec![e.functions[0].arn.beside("lambda", "layer:x:1"); 5]),
            ("none of the functions", |e| e.plan.faults[0].place = Place::Function("x".into())),
            ("nobody can strike", |e| e.plan.faults[0].place = Place::Service { name: "s3".into(), operation: None }),
            ("a parameter holds", |e| e.plan.faults = vec![e.plan.faults[0].clone(); 100]),
        ];
        for (expected, change) in cases {
            let found = complaint(change);
            assert!(found.contains(expected), "{expected}: {found}");
        }
    }

    #[test]
    fn a_function_whose_calls_are_disturbed_sends_them_through_the_extension() {
        let mut experiment = experiment();
        assert_eq!(experiment.settings(&experiment.functions[0]), BTreeMap::new());
        let outage = r#"{"dependency":{"host":"*.amazonaws.com","trouble":"reset"}}"#;
        experiment.plan.faults[0].kind = serde_json::from_str(outage).unwrap();
        let expected = [("BROWNOUT_OUTBOUND", "on".to_owned())];
        assert_eq!(experiment.settings(&experiment.functions[0]), BTreeMap::from(expected));
        assert!(!experiment.settings(&experiment.functions[1]).contains_key("BROWNOUT_OUTBOUND"));
    }

    #[test]
    fn a_grace_that_a_cancelled_automation_has_no_time_for_is_refused_for_the_document_alone() {
        let mut experiment = experiment();
        assert_eq!(experiment.complaints_of_document(), []);
        experiment.alias_grace = Duration::from_secs(61);
        assert_eq!((experiment.complaints(), experiment.complaints_of_document().len()), (Vec::new(), 1));
        experiment.functions[1].alias = None;
        assert_eq!(experiment.complaints_of_document(), []);
    }

    #[test]
    fn a_stop_condition_that_cannot_react_is_refused() {
        let found = complaint(|e| e.alarms[0].metric = Metric::LambdaThrottles);
        assert_eq!(found, "");
        let found = complaint(|e| e.alarms[0].metric = Metric::LambdaErrors);
        assert!(found.contains("cannot react") && found.contains("`latency` of `authorizer`: the invocation succeeds"), "{found}");
        let found = complaint(|e| e.alarms[0].arn = e.alarms[0].arn.replace("cloudwatch", "sns"));
        assert!(found.contains("is not an alarm"), "{found}");
    }
}
