//! The events of a history in the form of `GetExecutionHistory`. Source: Step Functions API
//! reference, `HistoryEvent`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use states::{Event, Failure, Kind, What};

use template::account::REGION;
use template::integrations::Resource;

/// A time in the JSON protocol: seconds since 1970.
pub(super) fn epoch_seconds(at: SystemTime) -> Value {
    json!(at.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as f64 / 1000.0)
}

/// An event of an execution that began at `began`.
pub(super) fn event(event: &Event, began: SystemTime) -> Value {
    let (kind, details) = what(&event.what);
    let mut out = json!({"id": event.id, "previousEventId": event.previous, "timestamp": epoch_seconds(began + event.at), "type": kind});
    if let (Some((key, details)), Some(out)) = (details, out.as_object_mut()) {
        out.insert(key, details);
    }
    out
}

/// An event without its inputs and outputs, for `includeExecutionData: false`.
pub(super) fn without_data(mut event: Value) -> Value {
    for details in event.as_object_mut().into_iter().flat_map(|event| event.values_mut()).filter_map(Value::as_object_mut) {
        for key in ["input", "inputDetails", "output", "outputDetails", "parameters"] {
            details.remove(key);
        }
    }
    event
}

/// The type of an event, and its details with their name.
fn what(what: &What) -> (String, Option<(String, Value)>) {
    let named = |kind: &str, details: Value| (kind.to_owned(), Some((details_name(kind), details)));
    match what {
        What::Started(input) => named("ExecutionStarted", with(json!({}), "input", input)),
        What::Succeeded(output) => named("ExecutionSucceeded", with(json!({}), "output", output)),
        What::Failed(failure) => named("ExecutionFailed", told(failure)),
        What::TimedOut => named("ExecutionTimedOut", json!({})),
        What::Stopped(why) => named("ExecutionAborted", told(why)),
        What::Entered(kind, name, input) => {
            let details = with(json!({"name": &**name}), "input", input);
            (format!("{}StateEntered", word(*kind)), Some(("stateEnteredEventDetails".to_owned(), details)))
        }
        What::Exited(kind, name, output) => {
            let details = with(json!({"name": &**name}), "output", output);
            (format!("{}StateExited", word(*kind)), Some(("stateExitedEventDetails".to_owned(), details)))
        }
        What::TaskScheduled(resource, parameters, timeout) => scheduled(resource, parameters, *timeout),
        What::TaskStarted(resource) => match integration(resource) {
            // A function's start has no details.
            None => ("LambdaFunctionStarted".to_owned(), None),
            Some(of) => named("TaskStarted", of),
        },
        What::TaskSucceeded(resource, output) => match integration(resource) {
            None => named("LambdaFunctionSucceeded", with(json!({}), "output", output)),
            Some(of) => named("TaskSucceeded", with(of, "output", output)),
        },
        What::TaskFailed(resource, failure) => ended(resource, "Failed", failure),
        What::TaskTimedOut(resource, failure) => ended(resource, "TimedOut", failure),
        What::TaskAborted => ("TaskStateAborted".to_owned(), None),
        What::ParallelStarted => ("ParallelStateStarted".to_owned(), None),
        What::ParallelSucceeded => ("ParallelStateSucceeded".to_owned(), None),
        What::ParallelFailed => ("ParallelStateFailed".to_owned(), None),
        What::MapStarted(items) => named("MapStateStarted", json!({"length": items})),
        What::IterationStarted(map, index) => named("MapIterationStarted", json!({"name": &**map, "index": index})),
        What::IterationSucceeded(map, index) => named("MapIterationSucceeded", json!({"name": &**map, "index": index})),
        What::IterationFailed(map, index) => named("MapIterationFailed", json!({"name": &**map, "index": index})),
        What::IterationAborted(map, index) => named("MapIterationAborted", json!({"name": &**map, "index": index})),
        What::MapSucceeded => ("MapStateSucceeded".to_owned(), None),
        What::MapFailed => ("MapStateFailed".to_owned(), None),
    }
}

fn scheduled(resource: &str, parameters: &str, timeout: Option<Duration>) -> (String, Option<(String, Value)>) {
    let (kind, mut details) = match integration(resource) {
        None => ("LambdaFunctionScheduled", with(json!({"resource": resource}), "input", parameters)),
        Some(mut of) => {
            if let Some(of) = of.as_object_mut() {
                of.insert("region".to_owned(), json!(REGION));
                of.insert("parameters".to_owned(), json!(parameters));
            }
            ("TaskScheduled", of)
        }
    };
    if let (Some(timeout), Some(details)) = (timeout, details.as_object_mut()) {
        details.insert("timeoutInSeconds".to_owned(), json!(timeout.as_secs()));
    }
    (kind.to_owned(), Some((details_name(kind), details)))
}

fn ended(resource: &str, how: &str, failure: &Failure) -> (String, Option<(String, Value)>) {
    let (kind, mut details) = match integration(resource) {
        None => (format!("LambdaFunction{how}"), json!({})),
        Some(of) => (format!("Task{how}"), of),
    };
    if let (Some(details), Value::Object(told)) = (details.as_object_mut(), told(failure)) {
        details.extend(told);
    }
    let name = details_name(&kind);
    (kind, Some((name, details)))
}

/// Such as `taskFailedEventDetails` of `TaskFailed`.
fn details_name(kind: &str) -> String {
    let mut letters = kind.chars();
    let first = letters.next().map(|letter| letter.to_ascii_lowercase());
    first.into_iter().chain(letters).chain("EventDetails".chars()).collect()
}

fn integration(resource: &str) -> Option<Value> {
    let (kind, action) = Resource::read(resource)?.integration()?;
    Some(json!({"resourceType": kind, "resource": action}))
}

fn with(mut details: Value, key: &str, text: &str) -> Value {
    if let Some(details) = details.as_object_mut() {
        details.insert(key.to_owned(), json!(text));
        details.insert(format!("{key}Details"), json!({"truncated": false}));
    }
    details
}

fn told(failure: &Failure) -> Value {
    json!({"error": &*failure.error, "cause": &*failure.cause})
}

const fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Task => "Task",
        Kind::Parallel => "Parallel",
        Kind::Map => "Map",
        Kind::Choice => "Choice",
        Kind::Wait => "Wait",
        Kind::Pass => "Pass",
        Kind::Succeed => "Succeed",
        Kind::Fail => "Fail",
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn shown(what: What) -> Value {
        event(&Event { id: 2, previous: 1, at: Duration::from_millis(1500), what }, UNIX_EPOCH + Duration::from_secs(10))
    }

    #[test]
    fn events_have_the_names_of_the_api_reference() {
        let function: Arc<str> = Arc::from("arn:aws:lambda:us-east-1:123456789012:function:f");
        let send: Arc<str> = Arc::from("arn:aws:states:::sqs:sendMessage");
        let text: Arc<str> = Arc::from("{}");
        let failure = Failure::new("E", "c");
        for (what, kind, details) in [
            (What::Entered(Kind::Task, Arc::from("A"), Arc::clone(&text)), "TaskStateEntered", "stateEnteredEventDetails"),
            (
                What::TaskScheduled(Arc::clone(&function), Arc::clone(&text), None),
                "LambdaFunctionScheduled",
                "lambdaFunctionScheduledEventDetails",
            ),
            (What::TaskScheduled(Arc::clone(&send), Arc::clone(&text), None), "TaskScheduled", "taskScheduledEventDetails"),
            (What::TaskFailed(Arc::clone(&function), failure.clone()), "LambdaFunctionFailed", "lambdaFunctionFailedEventDetails"),
            (What::TaskTimedOut(Arc::clone(&send), failure.clone()), "TaskTimedOut", "taskTimedOutEventDetails"),
            (What::Entered(Kind::Choice, Arc::from("C"), Arc::clone(&text)), "ChoiceStateEntered", "stateEnteredEventDetails"),
            (What::Exited(Kind::Wait, Arc::from("W"), Arc::clone(&text)), "WaitStateExited", "stateExitedEventDetails"),
            (What::MapStarted(3), "MapStateStarted", "mapStateStartedEventDetails"),
            (What::IterationStarted(Arc::from("M"), 0), "MapIterationStarted", "mapIterationStartedEventDetails"),
            (What::IterationFailed(Arc::from("M"), 0), "MapIterationFailed", "mapIterationFailedEventDetails"),
            (What::TaskSucceeded(send, Arc::clone(&text)), "TaskSucceeded", "taskSucceededEventDetails"),
            (What::Failed(failure), "ExecutionFailed", "executionFailedEventDetails"),
        ] {
            let shown = shown(what);
            assert_eq!((shown["type"].as_str(), shown[details].is_object()), (Some(kind), true), "{shown}");
            assert_eq!((&shown["timestamp"], &shown["id"], &shown["previousEventId"]), (&json!(11.5), &json!(2), &json!(1)));
        }
        assert_eq!(shown(What::TaskStarted(function)).as_object().unwrap().len(), 4);
    }

    #[test]
    fn data_can_be_left_out() {
        let entered = shown(What::Entered(Kind::Pass, Arc::from("A"), Arc::from("secret")));
        assert_eq!(without_data(entered)["stateEnteredEventDetails"], json!({"name": "A"}));
    }
}
