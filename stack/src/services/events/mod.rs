//! EventBridge: buses, rules, schedules and their targets. What is accepted is delivered without its
//! sender waiting; what a target does not take is retried, and then goes to the target's dead-letter
//! queue. Source: EventBridge user guide.

mod calendar;
mod cron;
mod entries;
mod given;
mod rules;
mod schedule;
mod shown;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use serde_json::{Map, Value, json};
use tokio::task::JoinSet;

use self::entries::{Entry, LARGEST, MOST, completed};
use self::rules::{Aimed, Rule};
use super::described::{Described, Protocol};
use super::shows::Shows;
use super::wire::{Answer, Call, JSON_1_1, Service};
use crate::deliver::{Deliver, Delivery, Receives, Undelivered};
use crate::pattern::{Dialect, Filter};
use run_folder::compressed::Compressed;
use template::account::arn;
use template::blueprint::{self, Target};

/// The description of this service.
pub const DESCRIBED: Described =
    Described { name: "events", title: "EventBridge", protocol: Protocol::Json11("AWSEvents", |_, _| None), operations: &["PutEvents"] };

/// The bus that exists always.
const DEFAULT: &str = "default";

/// `POST` here with `{"rule": name}` runs the schedule of a rule at once.
pub const FIRE: &str = "/brownout/fire-schedule";

/// The wait before the first retry, which then doubles. EventBridge documents exponential backoff
/// with jitter, and no times. Source: user guide, "How EventBridge retries delivering events".
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LONGEST_RETRY: Duration = Duration::from_secs(3600);

/// All buses and rules of one machine.
pub struct Events {
    buses: BTreeSet<String>,
    rules: Vec<Rule>,
    deliver: Deliver,
    compressed: Compressed,
    /// One moment on both clocks, from which compressed time runs.
    began: (Instant, SystemTime),
    /// Deliveries under way; they end with the service.
    under_way: Mutex<JoinSet<()>>,
}

/// A refusal: exception and message.
type Refused = (&'static str, String);

impl Events {
    /// The declared buses and rules. Schedules do not run before [`Events::keep_time`].
    ///
    /// # Errors
    /// If a pattern or schedule is not understood, or a bus does not exist.
    pub fn new(buses: &[blueprint::Bus], rules: &[blueprint::Rule], deliver: Deliver, compressed: Compressed) -> Result<Arc<Self>, String> {
        let buses: BTreeSet<_> = buses.iter().map(|bus| bus.name.clone()).chain([DEFAULT.to_owned()]).collect();
        let rules = rules.iter().map(Rule::read).collect::<Result<Vec<_>, _>>()?;
        if let Some((rule, bus)) = rules.iter().find_map(|rule| Some((rule, rule.bus().filter(|bus| !buses.contains(*bus))?))) {
            return Err(format!("the rule `{}` is on the bus `{bus}`, which is not there", rule.name));
        }
        let began = (Instant::now(), SystemTime::now());
        Ok(Arc::new(Self { buses, rules, deliver, compressed, began, under_way: Mutex::default() }))
    }

    /// The rules' names.
    pub fn names(&self) -> Vec<String> {
        self.rules.iter().map(|rule| rule.name.clone()).collect()
    }

    /// Gives an event to the rules of a bus; `hops` counts the buses that it went through. From a bus
    /// it reaches another, but no third. Source: user guide, "Sending and receiving events between
    /// event buses".
    fn put(&self, bus: &str, event: &Value, trace: Option<&str>, hops: u32) {
        for rule in self.rules.iter().filter(|rule| rule.takes(bus, event)) {
            for aimed in &rule.targets {
                match &aimed.declared.to {
                    Target::Bus(_) if hops > 0 => {}
                    Target::Bus(next) if self.buses.contains(next) => self.put(next, event, trace, hops + 1),
                    _ => self.aim(rule, aimed, event, trace),
                }
            }
        }
    }

    /// Delivers to one target: at once if it takes the event, else later or to the dead letters.
    fn aim(&self, rule: &Rule, aimed: &Aimed, event: &Value, trace: Option<&str>) {
        let delivered = match aimed.text(rule, event) {
            Some(body) => {
                let (trace, group) = (trace.map(str::to_owned), aimed.declared.group.clone());
                let delivery = Delivery { trace, group, ..Delivery::of(body) };
                self.deliver.deliver(&aimed.declared.to, &delivery).map_err(|why| (why, Some(delivery)))
            }
            None => Err((Undelivered::Refused("the target's input cannot be made of this event".to_owned()), None)),
        };
        match delivered {
            Ok(()) => {}
            Err((Undelivered::Later(why), Some(delivery))) => {
                let late = Late { aimed: aimed.clone(), rule: rule.arn(), event: event.clone(), delivery, why };
                let (deliver, compressed) = (self.deliver.clone(), self.compressed);
                let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
                while under_way.try_join_next().is_some() {}
                under_way.spawn(async move { late.see_through(&deliver, compressed).await });
            }
            Err((why, _)) => aimed.give_up(&self.deliver, &rule.arn(), event, &why, 0),
        }
    }

    /// The time at AWS, which runs faster in compressed time.
    fn now(&self) -> Duration {
        self.start() + self.began.0.elapsed() * self.compressed.queues.max(1)
    }

    fn start(&self) -> Duration {
        self.began.1.duration_since(UNIX_EPOCH).unwrap_or_default()
    }

    /// Runs the schedules, for as long as it is polled.
    pub async fn keep_time(self: Arc<Self>) {
        let mut last = self.now();
        loop {
            let next = self.rules.iter().filter_map(|rule| rule.next(self.start(), last)).min();
            let Some(next) = next else { return std::future::pending().await };
            let left = self.compressed.queue(next.saturating_sub(self.now()));
            if !left.is_zero() {
                // Not longer than a day at once, which every timer can do.
                tokio::time::sleep(left.min(Duration::from_secs(86_400))).await;
                continue;
            }
            for rule in self.rules.iter().filter(|rule| rule.is_enabled() && rule.next(self.start(), last) == Some(next)) {
                self.fire(rule, next);
            }
            last = next;
        }
    }

    fn fire(&self, rule: &Rule, at: Duration) {
        let event = completed(json!({
            "source": "aws.events",
            "detail-type": "Scheduled Event",
            "time": dates::seconds(UNIX_EPOCH + at),
            "resources": [rule.arn()],
        }));
        rule.targets.iter().for_each(|aimed| self.aim(rule, aimed, &event, None));
    }

    /// The operation of this machine only: runs a schedule at once, enabled or not.
    pub fn control(&self, call: &Call) -> Answer {
        let body: Value = serde_json::from_slice(&call.body).unwrap_or_default();
        let name = body.get("rule").and_then(Value::as_str).unwrap_or_default();
        match self.rules.iter().find(|rule| rule.name == name && rule.has_schedule()) {
            Some(rule) => {
                self.fire(rule, self.now());
                Answer::ok(JSON_1_1, &json!({"rule": name, "targets": rule.targets.len()}))
            }
            None => {
                let there: Vec<_> = self.rules.iter().filter(|rule| rule.has_schedule()).map(|rule| rule.name.as_str()).collect();
                let message = format!("found no schedule `{name}`, there are: {}", there.join(", "));
                Answer::error(JSON_1_1, 400, "ResourceNotFoundException", &message)
            }
        }
    }

    fn put_events(&self, body: &Value, root: Option<&str>) -> Result<Value, Refused> {
        let entries: Vec<Entry> = serde_json::from_value(body.get("Entries").cloned().unwrap_or_default())
            .map_err(|error| ("SerializationException", error.to_string()))?;
        if entries.is_empty() || entries.len() > MOST {
            let what = format!("Member must have length between 1 and {MOST}");
            return Err((
                "ValidationException",
                format!("1 validation error detected: Value at 'entries' failed to satisfy constraint: {what}"),
            ));
        }
        if entries.iter().map(Entry::size).sum::<usize>() > LARGEST {
            return Err(("ValidationException", "Total size of the entries in the request is over the limit.".to_owned()));
        }
        let (mut results, mut failed) = (Vec::new(), 0);
        for entry in entries {
            match entry.accept().and_then(|accepted| self.known(accepted)) {
                Ok(accepted) => {
                    results.push(json!({"EventId": accepted.event.get("id")}));
                    let trace = accepted.trace.or_else(|| root.map(|root| format!("Root={root}")));
                    self.put(&accepted.bus, &accepted.event, trace.as_deref(), 0);
                }
                Err((code, message)) => {
                    failed += 1;
                    results.push(json!({"ErrorCode": code, "ErrorMessage": message}));
                }
            }
        }
        Ok(json!({"FailedEntryCount": failed, "Entries": results}))
    }

    fn known(&self, accepted: entries::Accepted) -> Result<entries::Accepted, Refused> {
        let is_known = self.buses.contains(&accepted.bus);
        let missing = || ("ResourceNotFoundException", format!("Event bus {} does not exist.", accepted.bus));
        if is_known { Ok(accepted) } else { Err(missing()) }
    }

    fn switch(&self, body: &Value, on: bool) -> Result<Value, Refused> {
        let name = body.get("Name").and_then(Value::as_str).unwrap_or_default();
        let rule = self.rules.iter().find(|rule| rule.name == name);
        rule.ok_or_else(|| ("ResourceNotFoundException", format!("Rule {name} does not exist on EventBus default.")))?.switch(on);
        Ok(json!({}))
    }

    fn act(&self, call: &Call) -> Result<Value, Refused> {
        let body: Value = serde_json::from_slice(&call.body).map_err(|error| ("SerializationException", error.to_string()))?;
        let text = |key: &str| body.get(key).and_then(Value::as_str);
        match call.operation.as_str() {
            "PutEvents" => self.put_events(&body, call.root.as_deref()),
            "EnableRule" => self.switch(&body, true),
            "DisableRule" => self.switch(&body, false),
            "ListEventBuses" => {
                let shown = self.buses.iter().map(|name| json!({"Name": name, "Arn": arn("events", &format!("event-bus/{name}"))}));
                Ok(json!({"EventBuses": shown.collect::<Vec<_>>()}))
            }
            "ListRules" => {
                let bus = text("EventBusName").unwrap_or(DEFAULT);
                let prefix = text("NamePrefix").unwrap_or_default();
                let is_shown = |rule: &&Rule| rule.bus().unwrap_or(DEFAULT) == bus && rule.name.starts_with(prefix);
                Ok(json!({"Rules": self.rules.iter().filter(is_shown).map(Rule::shown).collect::<Vec<_>>()}))
            }
            "TestEventPattern" => {
                let read = |key: &str| text(key).and_then(|text| serde_json::from_str::<Value>(text).ok());
                let pattern = read("EventPattern").ok_or("not JSON".to_owned()).and_then(|pattern| Filter::of(&pattern, Dialect::Bus));
                let pattern =
                    pattern.map_err(|why| ("InvalidEventPatternException", format!("Event pattern is not valid. Reason: {why}")))?;
                let event = read("Event").ok_or(("ValidationException", "Parameter Event is not valid.".to_owned()))?;
                Ok(json!({"Result": pattern.takes(&event)}))
            }
            other => Err(("UnknownOperationException", format!("this machine's EventBridge has no `{other}`"))),
        }
    }
}

/// A delivery that is tried again.
struct Late {
    aimed: Aimed,
    rule: String,
    event: Value,
    delivery: Delivery,
    why: String,
}

impl Late {
    async fn see_through(self, deliver: &Deliver, compressed: Compressed) {
        let (began, mut wait, mut why) = (Instant::now(), FIRST_RETRY, Undelivered::Later(self.why));
        for retries in 0..self.aimed.retries() {
            if began.elapsed() >= compressed.queue(self.aimed.oldest()) {
                return self.aimed.give_up(deliver, &self.rule, &self.event, &why, retries);
            }
            tokio::time::sleep(compressed.queue(wait)).await;
            wait = (wait * 2).min(LONGEST_RETRY);
            match deliver.deliver(&self.aimed.declared.to, &self.delivery) {
                Ok(()) => return,
                Err(later @ Undelivered::Later(_)) => why = later,
                Err(never) => return self.aimed.give_up(deliver, &self.rule, &self.event, &never, retries + 1),
            }
        }
        self.aimed.give_up(deliver, &self.rule, &self.event, &why, self.aimed.retries());
    }
}

impl Receives for Events {
    fn receive_delivery(&self, to: &Target, delivery: &Delivery) -> Result<(), Undelivered> {
        if !self.buses.contains(to.name()) {
            return Err(Undelivered::Missing(to.clone()));
        }
        let event: Map<String, Value> = serde_json::from_str(&delivery.body).map_err(|error| Undelivered::Refused(error.to_string()))?;
        if !["source", "detail-type", "detail"].iter().all(|key| event.contains_key(*key)) {
            return Err(Undelivered::Refused("an event needs `source`, `detail-type` and `detail`".to_owned()));
        }
        self.put(to.name(), &completed(Value::Object(event)), delivery.trace.as_deref(), 0);
        Ok(())
    }
}

#[async_trait]
impl Service for Events {
    fn described(&self) -> &'static Described {
        &DESCRIBED
    }

    fn shows(&self) -> Option<&dyn Shows> {
        Some(self)
    }

    async fn answer(&self, call: &Call) -> Answer {
        match self.act(call) {
            Ok(body) => Answer::ok(JSON_1_1, &body),
            Err((kind, message)) => Answer::error(JSON_1_1, 400, kind, &message),
        }
    }
}
