//! What of a template is served, in lines for people.

use crate::Template;
use crate::apis::{Api, Route};
use crate::blueprint::{Blueprint, Bucket, Code, Function, Mapping, Runtime, Schedule, Source, Target, Trigger};

/// What there is of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The kind, in the plural.
    pub title: &'static str,
    /// One line each.
    pub lines: Vec<String>,
}

/// Everything that is served, without the kinds of which there is nothing.
pub fn summary(template: &Template) -> Vec<Part> {
    let Blueprint { functions, queues, buckets, topics, subscriptions, tables, data_streams, buses, rules, .. } = &template.blueprint;
    let Blueprint { alarms, receipts, mappings, pools, policy_stores, senders, machines, parameters, secrets, .. } = &template.blueprint;
    let named = |names: &mut dyn Iterator<Item = &String>| names.cloned().collect::<Vec<_>>();
    let parts = [
        ("functions", functions.iter().map(function).collect()),
        ("routes", template.apis.iter().flat_map(routes).collect()),
        ("event sources", mappings.iter().map(mapping).chain(buckets.iter().flat_map(notifications)).collect()),
        ("queues", named(&mut queues.iter().map(|queue| &queue.name))),
        ("topics", named(&mut topics.iter().map(|topic| &topic.name))),
        ("subscriptions", subscriptions.iter().map(|one| format!("{} -> {}", one.topic, target(&one.to))).collect()),
        ("buckets", named(&mut buckets.iter().map(|bucket| &bucket.name))),
        ("tables", named(&mut tables.iter().map(|table| &table.name))),
        ("data streams", named(&mut data_streams.iter().map(|stream| &stream.name))),
        ("event buses", named(&mut buses.iter().map(|bus| &bus.name))),
        ("rules", rules.iter().map(|rule| format!("{}: {}", rule.name, trigger(&rule.trigger))).collect()),
        ("state machines", named(&mut machines.iter().filter(|machine| machine.definition.is_ok()).map(|machine| &machine.name))),
        ("user pools", named(&mut pools.iter().map(|pool| &pool.name))),
        ("policy stores", policy_stores.clone()),
        ("alarms", named(&mut alarms.iter().map(|alarm| &alarm.name))),
        ("mail addresses and domains", senders.clone()),
        ("mail rules", receipts.iter().map(|receipt| format!("mail -> bucket {}", receipt.bucket)).collect()),
        ("parameters", named(&mut parameters.iter().map(|parameter| &parameter.name))),
        ("secrets", named(&mut secrets.iter().map(|secret| &secret.name))),
    ];
    parts.into_iter().map(|(title, lines)| Part { title, lines }).filter(|part| !part.lines.is_empty()).collect()
}

fn function(function: &Function) -> String {
    let handler = if matches!(function.runtime, Runtime::Managed(_)) { format!(", handler {}", function.handler) } else { String::new() };
    let code = match &function.code {
        Code::Binary(name) => format!("the binary {name}"),
        Code::Path(path) => format!("code in {path}"),
        Code::Inline(text) => format!("{} characters of code in the template", text.chars().count()),
        Code::Missing => "not on this machine: every invocation fails".to_owned(),
    };
    let address = if function.url.is_some() { ", with a URL" } else { "" };
    format!("{}: {}{handler}, {code}{address}", function.name, function.runtime.name())
}

fn routes(api: &Api) -> Vec<String> {
    let line = |route: &Route| format!("{} ({} {}, stage {})", self::route(route, ""), api.kind.name(), api.name, api.stage);
    api.routes.iter().map(line).collect()
}

/// A route at the address of its API: method, address, and what answers.
pub fn route(route: &Route, base: &str) -> String {
    let guard = route.authorizer.as_ref().map(|name| format!(", authorizer {name}")).unwrap_or_default();
    format!("{} {base}{} -> {}{guard}", route.method_name(), route.resource, route.integration)
}

fn mapping(mapping: &Mapping) -> String {
    let source = match &mapping.source {
        Source::Queue { name, .. } => format!("queue {name}"),
        Source::Stream { table, .. } => format!("stream of table {table}"),
        Source::DataStream { name, .. } => format!("data stream {name}"),
    };
    format!("{source} -> {}", mapping.function)
}

fn notifications(bucket: &Bucket) -> impl Iterator<Item = String> {
    bucket.notifies.iter().map(|notification| format!("bucket {}, {} -> {}", bucket.name, notification.event, target(&notification.to)))
}

/// What gets something: its kind and its name.
pub fn target(target: &Target) -> String {
    let kind = match target {
        Target::Function(_) => "function",
        Target::Queue(_) => "queue",
        Target::Topic(_) => "topic",
        Target::Bus(_) => "event bus",
        Target::Bucket(_) => "bucket",
        Target::DataStream(_) => "data stream",
        Target::Machine(_) => "state machine",
    };
    format!("{kind} {}", target.name())
}

/// What makes a rule run.
pub fn trigger(trigger: &Trigger) -> String {
    let schedule = |schedule: &Schedule| match schedule {
        Schedule::Every(time) => format!("every {} s", time.as_secs()),
        Schedule::Cron(fields) => format!("cron {fields}"),
        Schedule::Once(time) => format!("once at {time}"),
    };
    match trigger {
        Trigger::Pattern { bus, .. } => format!("events of bus {bus}"),
        Trigger::Schedule(times) => schedule(times),
        Trigger::Both { bus, schedule: times, .. } => format!("events of bus {bus}, and {}", schedule(times)),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn functions_routes_and_queues_are_told_with_what_matters() {
        let text = "
Transform: AWS::Serverless-2016-10-31
Resources:
  Api: {Type: AWS::Serverless::Api, Properties: {StageName: dev}}
  Hello:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: hello
      Runtime: python3.13
      Handler: app.handler
      CodeUri: hello/
      Events:
        Get: {Type: Api, Properties: {RestApiId: !Ref Api, Path: /hello, Method: get}}
        Work: {Type: SQS, Properties: {Queue: !GetAtt Orders.Arn}}
  Orders: {Type: AWS::SQS::Queue, Properties: {QueueName: orders}}
";
        let template = Template::read(text, &BTreeMap::new()).unwrap();
        let parts = summary(&template);
        let lines = |title: &str| parts.iter().find(|part| part.title == title).map(|part| part.lines.join("; ")).unwrap();
        assert!(lines("functions").starts_with("hello: python3.13, handler app.handler, code in hello/"), "{parts:?}");
        assert!(lines("routes").starts_with("GET /hello -> hello (REST API Api, stage dev)"), "{parts:?}");
        assert_eq!((lines("queues").as_str(), lines("event sources").as_str()), ("orders", "queue orders -> hello"));
        assert!(!parts.iter().any(|part| part.title == "tables"));
    }
}
