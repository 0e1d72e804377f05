//! A rule that was read: which events it takes, when its schedule comes, and what its targets get.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use super::given::{Around, given};
use super::schedule::Schedule;
use crate::deliver::{Deliver, Delivery, Undelivered};
use crate::pattern::{Dialect, Filter};
use template::account::arn;
use template::blueprint::{self, RuleTarget, Target, Trigger};

/// The retries and the age after which an event is given up, if the target has no policy. Source:
/// EventBridge user guide, "How EventBridge retries delivering events".
const RETRIES: u32 = 185;
const OLDEST: Duration = Duration::from_secs(86_400);

/// A rule.
pub struct Rule {
    /// Its name.
    pub name: String,
    /// Its targets.
    pub targets: Vec<Aimed>,
    declared: Trigger,
    pattern: Option<Filter>,
    schedule: Option<Schedule>,
    enabled: AtomicBool,
}

/// A target of a rule.
#[derive(Debug, Clone)]
pub struct Aimed {
    /// Its declaration.
    pub declared: RuleTarget,
}

impl Rule {
    /// Reads a declared rule.
    ///
    /// # Errors
    /// What is not understood.
    pub fn read(declared: &blueprint::Rule) -> Result<Self, String> {
        let (pattern, schedule) = match &declared.trigger {
            Trigger::Pattern { pattern, .. } => (Some(pattern), None),
            Trigger::Schedule(schedule) => (None, Some(schedule)),
            Trigger::Both { pattern, schedule, .. } => (Some(pattern), Some(schedule)),
        };
        let wrong = |why: String| format!("the rule `{}`: {why}", declared.name);
        Ok(Self {
            name: declared.name.clone(),
            targets: declared.targets.iter().map(|target| Aimed { declared: target.clone() }).collect(),
            pattern: pattern.map(|pattern| Filter::of(pattern, Dialect::Bus)).transpose().map_err(wrong)?,
            schedule: schedule.map(Schedule::read).transpose().map_err(wrong)?,
            declared: declared.trigger.clone(),
            enabled: AtomicBool::new(declared.enabled),
        })
    }

    /// The bus of its pattern.
    pub fn bus(&self) -> Option<&str> {
        match &self.declared {
            Trigger::Pattern { bus, .. } | Trigger::Both { bus, .. } => Some(bus),
            Trigger::Schedule(_) => None,
        }
    }

    /// Its ARN.
    pub fn arn(&self) -> String {
        match self.bus().filter(|bus| *bus != super::DEFAULT) {
            Some(bus) => arn("events", &format!("rule/{bus}/{}", self.name)),
            None => arn("events", &format!("rule/{}", self.name)),
        }
    }

    /// Whether it takes an event of this bus.
    pub fn takes(&self, bus: &str, event: &Value) -> bool {
        self.is_enabled() && self.bus() == Some(bus) && self.pattern.as_ref().is_some_and(|pattern| pattern.takes(event))
    }

    /// What makes it run.
    pub const fn trigger(&self) -> &Trigger {
        &self.declared
    }

    /// Whether it has a schedule.
    pub const fn has_schedule(&self) -> bool {
        self.schedule.is_some()
    }

    /// When its schedule comes after `after`.
    pub fn next(&self, start: Duration, after: Duration) -> Option<Duration> {
        self.schedule.as_ref()?.next(start, after)
    }

    /// Whether it is in force.
    pub fn is_enabled(&self) -> bool {
        self.enabled.load(Ordering::Relaxed)
    }

    /// `EnableRule`, `DisableRule`.
    pub fn switch(&self, on: bool) {
        self.enabled.store(on, Ordering::Relaxed);
    }

    /// As `ListRules` shows it.
    pub fn shown(&self) -> Value {
        let state = if self.is_enabled() { "ENABLED" } else { "DISABLED" };
        let mut shown = json!({"Name": self.name, "Arn": self.arn(), "State": state, "EventBusName": self.bus().unwrap_or(super::DEFAULT)});
        let pattern = match &self.declared {
            Trigger::Pattern { pattern, .. } | Trigger::Both { pattern, .. } => Some(pattern.to_string()),
            Trigger::Schedule(_) => None,
        };
        if let (Some(pattern), Some(shown)) = (pattern, shown.as_object_mut()) {
            shown.insert("EventPattern".to_owned(), json!(pattern));
        }
        shown
    }
}

impl Aimed {
    /// How often a delivery is retried.
    pub fn retries(&self) -> u32 {
        self.declared.retries.unwrap_or(RETRIES)
    }

    /// How old an event may be.
    pub fn oldest(&self) -> Duration {
        self.declared.oldest.unwrap_or(OLDEST)
    }

    /// What the target gets; `None` if it cannot be made of this event, or if a function or a state
    /// machine would get what is not JSON.
    pub fn text(&self, rule: &Rule, event: &Value) -> Option<String> {
        let text = given(&self.declared.given, event, &Around { rule_arn: &rule.arn(), rule: &rule.name })?;
        let needs_json = matches!(self.declared.to, Target::Function(_) | Target::Machine(_));
        (!needs_json || serde_json::from_str::<Value>(&text).is_ok()).then_some(text)
    }

    /// Sends the event to the dead-letter queue, if there is one, with the reason. Source:
    /// EventBridge user guide, "Using dead-letter queues to process undelivered events".
    pub fn give_up(&self, deliver: &Deliver, rule_arn: &str, event: &Value, why: &Undelivered, retries: u32) {
        let Some(dead) = &self.declared.dead_letters else { return };
        let (code, exhausted) = match why {
            Undelivered::Missing(_) => ("NO_RESOURCE", None),
            Undelivered::Refused(_) => ("SDK_CLIENT_ERROR", None),
            Undelivered::Later(_) if retries < self.retries() => ("THROTTLING", Some("MaximumEventAgeInSeconds")),
            Undelivered::Later(_) => ("THROTTLING", Some("MaximumRetryAttempts")),
        };
        let message = why.to_string();
        let attributes = [
            ("RULE_ARN", Some(rule_arn)),
            ("TARGET_ARN", Some(&*target_arn(&self.declared.to))),
            ("ERROR_CODE", Some(code)),
            ("ERROR_MESSAGE", Some(&*message)),
            ("EXHAUSTED_RETRY_CONDITION", exhausted),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), json!({"DataType": "String", "StringValue": value?}))))
        .chain([("RETRY_ATTEMPTS".to_owned(), json!({"DataType": "Number", "StringValue": retries.to_string()}))])
        .collect();
        let delivery = Delivery { attributes, ..Delivery::of(event.to_string()) };
        // A dead-letter queue that is gone loses the event, as at AWS.
        let _ = deliver.deliver(&Target::Queue(dead.clone()), &delivery);
    }
}

fn target_arn(to: &Target) -> String {
    match to {
        Target::Function(name) => arn("lambda", &format!("function:{name}")),
        Target::Queue(name) => arn("sqs", name),
        Target::Topic(name) => arn("sns", name),
        Target::Bus(name) => arn("events", &format!("event-bus/{name}")),
        Target::Bucket(name) => format!("arn:aws:s3:::{name}"),
        Target::DataStream(name) => arn("kinesis", &format!("stream/{name}")),
        Target::Machine(name) => arn("states", &format!("stateMachine:{name}")),
    }
}
