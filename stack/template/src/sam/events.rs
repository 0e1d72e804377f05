//! The events of a function. Rules and schedules are in `rules.rs`, methods of APIs in
//! `methods.rs`.

use serde_json::{Map, Value, json};

use super::methods::Method;
use super::tree::{attribute, field, invocation, listed, properties, reference, referred, resource};
use super::{Expansion, IMPLICIT_HTTP, IMPLICIT_REST, alias_or_arn};

impl Expansion<'_> {
    /// One event of a function, which is reached through `alias` if there is one.
    pub(super) fn event(&mut self, function: &str, alias: Option<&str>, name: &str, kind: &str, fields: Option<&Value>) {
        let none = Map::new();
        let fields = fields.and_then(Value::as_object).unwrap_or(&none);
        let (place, id) = (format!("{function}.Events.{name}"), format!("{function}{name}"));
        let arn = alias_or_arn(function, alias);
        for made in ["", "Queue", "EventSourceMapping"] {
            self.origins.insert(format!("{id}{made}"), format!("{place}.Properties"));
        }
        match kind {
            "SQS" | "DynamoDB" | "Kinesis" | "MSK" | "MQ" | "SelfManagedKafka" | "DocumentDB" => {
                self.source(&place, &id, function, alias, kind, fields);
            }
            "SNS" => self.topic(&place, &id, function, alias, fields),
            "S3" => self.bucket(&place, &arn, fields),
            "Cognito" => self.pool(&place, &arn, fields),
            "Api" => self.method(&place, IMPLICIT_REST, "RestApiId", arn, fields),
            "HttpApi" => self.method(&place, IMPLICIT_HTTP, "ApiId", arn, fields),
            "Schedule" | "ScheduleV2" | "EventBridgeRule" | "CloudWatchEvent" => self.rule(&place, &id, arn, kind, fields, false),
            "IoTRule" => {
                let payload = json!({
                    "Sql": field(fields, "Sql"),
                    "AwsIotSqlVersion": fields.get("AwsIotSqlVersion"),
                    "RuleDisabled": false,
                    "Actions": [{"Lambda": {"FunctionArn": arn}}],
                });
                self.add(&id, resource("AWS::IoT::TopicRule", json!({"TopicRulePayload": payload})));
            }
            "CloudWatchLogs" => {
                let filter = json!({
                    "LogGroupName": field(fields, "LogGroupName"), "FilterPattern": field(fields, "FilterPattern"), "DestinationArn": arn,
                });
                self.add(&id, resource("AWS::Logs::SubscriptionFilter", filter));
            }
            "AlexaSkill" => self.findings.notice(place, "events of the type `AlexaSkill` are not served here"),
            other => self.findings.complain(place, format!("found the type `{other}`, which SAM does not have")),
        }
    }

    /// Events that Lambda itself reads.
    fn source(&mut self, place: &str, id: &str, function: &str, alias: Option<&str>, kind: &str, fields: &Map<String, Value>) {
        let mut made = fields.clone();
        let own = if kind == "SQS" { "Queue" } else { "Stream" };
        let broker = made.remove(if kind == "MQ" { "Broker" } else { "Cluster" });
        made.remove("SecretsManagerKmsKeyId");
        match made.remove(own).or(broker) {
            Some(source) => drop(made.insert("EventSourceArn".to_owned(), source)),
            None if kind == "SelfManagedKafka" => drop(made.insert("SelfManagedEventSource".to_owned(), json!({}))),
            None => self.findings.complain(format!("{place}.{own}"), "found none"),
        }
        if kind != "SQS" && !made.contains_key("StartingPosition") && matches!(kind, "DynamoDB" | "Kinesis") {
            self.findings.complain(format!("{place}.StartingPosition"), "found none");
        }
        // SAM's own note, for the permission.
        if let Some(failure) = made.get_mut("DestinationConfig").and_then(|it| it.get_mut("OnFailure")).and_then(Value::as_object_mut) {
            failure.remove("Type");
        }
        made.insert("FunctionName".to_owned(), reference(alias.unwrap_or(function)));
        self.add(id, resource("AWS::Lambda::EventSourceMapping", Value::Object(made)));
    }

    fn topic(&mut self, place: &str, id: &str, function: &str, alias: Option<&str>, fields: &Map<String, Value>) {
        let mut subscription = json!({
            "TopicArn": field(fields, "Topic"),
            "Region": field(fields, "Region"),
            "FilterPolicy": field(fields, "FilterPolicy"),
            "FilterPolicyScope": field(fields, "FilterPolicyScope"),
            "RedrivePolicy": field(fields, "RedrivePolicy"),
            "Protocol": "lambda",
            "Endpoint": alias_or_arn(function, alias),
        });
        if !fields.contains_key("Topic") {
            self.findings.complain(format!("{place}.Topic"), "found none");
        }
        let through = fields.get("SqsSubscription").filter(|queue| !matches!(queue, Value::Null | Value::Bool(false)));
        if let (Some(queue), Some(subscription)) = (through, subscription.as_object_mut()) {
            let arn = match queue.get("QueueArn") {
                Some(arn) => arn.clone(),
                None if queue.is_object() => {
                    self.findings.complain(format!("{place}.SqsSubscription.QueueArn"), "found none");
                    return;
                }
                None => {
                    let topic = fields.get("Topic").and_then(referred).and_then(|topic| self.made.get(topic));
                    let fifo = topic.and_then(properties).and_then(|topic| topic.get("FifoTopic")).cloned();
                    self.add(format!("{id}Queue"), resource("AWS::SQS::Queue", json!({"FifoQueue": fifo})));
                    attribute(&format!("{id}Queue"), "Arn")
                }
            };
            subscription.insert("Protocol".to_owned(), json!("sqs"));
            subscription.insert("Endpoint".to_owned(), arn.clone());
            // AWS's translator ignores `Enabled` here: the mapping is always enabled.
            let mapping = json!({
                "EventSourceArn": arn,
                "FunctionName": reference(alias.unwrap_or(function)),
                "BatchSize": queue.get("BatchSize").cloned().unwrap_or_else(|| json!(10)),
                "Enabled": true,
            });
            self.add(format!("{id}EventSourceMapping"), resource("AWS::Lambda::EventSourceMapping", mapping));
        }
        self.add(id, resource("AWS::SNS::Subscription", subscription));
    }

    /// Adds the function to the notifications of a bucket of the template.
    fn bucket(&mut self, place: &str, arn: &Value, fields: &Map<String, Value>) {
        let events = fields.get("Events").map(listed).unwrap_or_default();
        if events.is_empty() {
            self.findings.complain(format!("{place}.Events"), "found none");
        }
        let filter = field(fields, "Filter");
        let made = events.into_iter().map(|event| {
            let mut one = json!({"Event": event, "Function": arn});
            if let (false, Some(one)) = (filter.is_null(), one.as_object_mut()) {
                one.insert("Filter".to_owned(), filter.clone());
            }
            one
        });
        let id = fields.get("Bucket").and_then(referred).unwrap_or_default();
        let made: Vec<Value> = made.collect();
        let Some(bucket) = self.made.get_mut(id).filter(|it| super::kind(it) == "AWS::S3::Bucket") else {
            self.findings.complain(format!("{place}.Bucket"), "must be a `Ref` to an `AWS::S3::Bucket` of the template");
            return;
        };
        if let Some(Value::Array(list)) = entry(bucket, &["Properties", "NotificationConfiguration", "LambdaConfigurations"], || json!([]))
        {
            list.extend(made);
        }
    }

    /// Adds the function to the triggers of a user pool of the template.
    fn pool(&mut self, place: &str, arn: &Value, fields: &Map<String, Value>) {
        let id = fields.get("UserPool").and_then(referred).unwrap_or_default();
        let Some(pool) = self.made.get_mut(id).filter(|it| super::kind(it) == "AWS::Cognito::UserPool") else {
            self.findings.complain(format!("{place}.UserPool"), "must be a `Ref` to an `AWS::Cognito::UserPool` of the template");
            return;
        };
        for trigger in fields.get("Trigger").map(listed).unwrap_or_default() {
            let Some(trigger) = trigger.as_str() else { continue };
            match entry(pool, &["Properties", "LambdaConfig", trigger], || arn.clone()) {
                Some(found) if found == arn => {}
                _ => self.findings.complain(format!("{place}.Trigger"), format!("the pool has another function for `{trigger}`")),
            }
        }
    }

    fn method(&mut self, place: &str, implicit: &str, key: &str, arn: Value, fields: &Map<String, Value>) {
        let api = fields.get(key).map_or(Some(implicit), referred);
        let known = api.filter(|api| self.declared.contains_key(*api));
        let Some(api) = known else {
            match api {
                // The method is the plain API's own matter; SAM only adds a permission.
                Some(api) if self.made.contains_key(api) => {}
                Some(_) if fields.get(key).is_some_and(Value::is_string) => {
                    self.findings.notice(format!("{place}.{key}"), "the API is not of the template; the method is not served");
                }
                _ => self.findings.complain(format!("{place}.{key}"), "must be a `Ref` to an API of the template"),
            }
            return;
        };
        match Method::read(place, invocation(&arn), fields, implicit == IMPLICIT_HTTP) {
            Ok(method) => self.methods.entry(api.to_owned()).or_default().push(method),
            Err(key) => self.findings.complain(format!("{place}.{key}"), "it is missing, or SAM has no such value"),
        }
    }
}

/// The value at a path of maps, which are made if they are missing; `None` if something else is in
/// the way.
fn entry<'a>(value: &'a mut Value, path: &[&str], make: impl FnOnce() -> Value) -> Option<&'a mut Value> {
    let (last, outer) = path.split_last()?;
    let mut at = value;
    for key in outer {
        at = at.as_object_mut()?.entry(*key).or_insert_with(|| json!({}));
    }
    Some(at.as_object_mut()?.entry(*last).or_insert_with(make))
}
