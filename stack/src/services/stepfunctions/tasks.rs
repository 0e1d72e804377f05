//! Carries out the tasks of executions: functions through the platform's interface, queues and
//! topics in this machine's services.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::{Value, json};
use states::{Attempt, Failure, Tasks};

use super::trace::root_of_try;
use crate::invoke::LateInvoke;
use crate::platform::names::function_name;
use crate::platform::{InvokeError, Invoked};
use crate::services::sns::Sns;
use crate::services::sqs::Sqs;
use template::account::arn;
use template::integrations::Resource;

/// The error of a function that reported none: it timed out, ran out of memory or was ended.
/// Source: Step Functions developer guide, "Handling errors".
const UNKNOWN: &str = "Lambda.Unknown";
const THROTTLED: &str = "Lambda.TooManyRequestsException";
const NO_FUNCTION: &str = "Lambda.ResourceNotFoundException";

/// The platform's errors for a function that did not answer itself.
const UNANSWERED: [&str; 3] = ["Sandbox.Timedout", "Runtime.ExitError", "Extension.Crash"];

/// The services that tasks use.
pub(super) struct Reach {
    /// Invokes functions.
    pub invoke: LateInvoke,
    /// The queues.
    pub sqs: Arc<Sqs>,
    /// The topics.
    pub sns: Arc<Sns>,
}

/// The tasks of one execution.
pub(super) struct Doing<'a> {
    /// The services that they use.
    pub reach: &'a Reach,
    /// The execution's trace root.
    pub root: &'a str,
}

#[async_trait]
impl Tasks for Doing<'_> {
    async fn attempt(&self, attempt: &Attempt<'_>) -> Result<Value, Failure> {
        let input = attempt.input;
        match Resource::read(attempt.resource) {
            Some(Resource::Function(name)) => self.call(&name, input, attempt).await,
            Some(Resource::Invoke) => {
                let payload =
                    self.call(function_name(&text(input, "FunctionName")), input.get("Payload").unwrap_or(&json!({})), attempt).await?;
                Ok(json!({"ExecutedVersion": "$LATEST", "Payload": payload, "StatusCode": 200}))
            }
            Some(Resource::Send) => self.send(input),
            Some(Resource::Publish) => self.publish(input),
            // The resource was checked when the machine was declared, and cannot change afterwards.
            None => Err(Failure::new("States.Runtime", format!("The resource {} is not served here", attempt.resource))),
        }
    }
}

impl Doing<'_> {
    async fn call(&self, function: &str, event: &Value, attempt: &Attempt<'_>) -> Result<Value, Failure> {
        let trace = format!("Root={}", root_of_try(self.root, attempt.state, attempt.number));
        let invoked = match self.reach.invoke.door() {
            Ok(door) => door.invoke(function, Bytes::from(event.to_string()), Some(&trace)).await,
            Err(error) => Err(error),
        };
        match invoked {
            Ok(invoked) if invoked.failed => Err(failure(&invoked)),
            Ok(invoked) => serde_json::from_slice(&invoked.payload)
                .map_err(|error| Failure::new(UNKNOWN, format!("The function's answer is no JSON: {error}"))),
            Err(error @ InvokeError::Throttled) => {
                Err(Failure::new(THROTTLED, format!("Rate Exceeded. (Service: Lambda, Status Code: 429): {error}")))
            }
            Err(error @ InvokeError::Unknown(_)) => Err(Failure::new(NO_FUNCTION, error.to_string())),
            Err(error @ InvokeError::TooLarge) => Err(Failure::new("Lambda.RequestTooLargeException", error.to_string())),
            // The stack is stopping, and the execution with it: it neither succeeds nor fails.
            Err(InvokeError::Stopped) => std::future::pending().await,
        }
    }

    fn send(&self, input: &Value) -> Result<Value, Failure> {
        let url = text(input, "QueueUrl");
        let body = as_text(input.get("MessageBody"));
        let md5 = crate::services::sqs::md5(body.as_bytes());
        let id = self.reach.sqs.send(url.rsplit('/').next().unwrap_or_default(), body, None);
        let id = id.ok_or_else(|| Failure::new("SQS.QueueDoesNotExistException", format!("The specified queue does not exist: {url}")))?;
        Ok(json!({"MD5OfMessageBody": md5, "MessageId": id}))
    }

    fn publish(&self, input: &Value) -> Result<Value, Failure> {
        let topic = text(input, "TopicArn");
        let name = topic.rsplit(':').next().unwrap_or_default();
        let missing = || Failure::new("SNS.NotFoundException", format!("Topic does not exist: {topic}"));
        if topic != arn("sns", name) {
            return Err(missing());
        }
        let subject = input.get("Subject").and_then(Value::as_str).map(str::to_owned);
        let id = self.reach.sns.publish(name, subject, as_text(input.get("Message"))).ok_or_else(missing)?;
        Ok(json!({"MessageId": id}))
    }
}

fn text(input: &Value, key: &str) -> String {
    input.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// A body or message that is not text is sent as JSON. Source: Step Functions developer guide,
/// "Amazon SQS" and "Amazon SNS" integrations.
fn as_text(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => String::new(),
    }
}

fn failure(invoked: &Invoked) -> Failure {
    let cause = String::from_utf8_lossy(&invoked.payload);
    let error: Value = serde_json::from_slice(&invoked.payload).unwrap_or_default();
    match error.get("errorType").and_then(Value::as_str).filter(|kind| !kind.is_empty() && !UNANSWERED.contains(kind)) {
        Some(kind) => Failure::new(kind, cause),
        None => {
            let why = "The cause could not be determined because Lambda did not return an error type. Returned payload: ";
            Failure::new(UNKNOWN, format!("{why}{cause}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::time::Duration;

    use super::*;
    use crate::invoke::Invoke;
    use crate::{Compressed, Sightings};
    use template::blueprint::{Queue, Topic};

    /// Answers by the name of the function.
    struct Door;

    #[async_trait]
    impl Invoke for Door {
        async fn invoke(&self, function: &str, event: Bytes, trace: Option<&str>) -> Result<Invoked, InvokeError> {
            let said = |payload: &str, failed| Ok(Invoked { request_id: "r".into(), payload: Bytes::from(payload.to_owned()), failed });
            match function {
                "echo" => said(&json!({"event": String::from_utf8_lossy(&event), "trace": trace}).to_string(), false),
                "raises" => said(r#"{"errorType":"RecordGone","errorMessage":"m"}"#, true),
                "late" => said(r#"{"errorType":"Sandbox.Timedout","errorMessage":"Task timed out after 3.00 seconds"}"#, true),
                "killed" => said(r#"{"errorType":"Runtime.ExitError"}"#, true),
                "mute" => said("", true),
                "cut" => said("{\"a\":", false),
                "busy" => Err(InvokeError::Throttled),
                _ => Err(InvokeError::Unknown(function.to_owned())),
            }
        }
    }

    fn reach() -> Reach {
        let day = Duration::from_secs(86_400);
        let queue = Queue { visibility: day, retention: day, ..Queue::named("dead") };
        let invoke = LateInvoke::default();
        invoke.put(Arc::new(Door));
        Reach {
            invoke,
            sqs: Sqs::new(&[queue], Compressed::default(), Sightings::nowhere(), SocketAddr::from(([127, 0, 0, 1], 1))),
            sns: Sns::new(&[Topic::named("notices")], Sightings::nowhere()),
        }
    }

    async fn done(reach: &Reach, resource: &str, input: Value, number: u32) -> Result<Value, Failure> {
        let root = "1-5759e988-bd862e3fe1be46a994272793";
        Doing { reach, root }.attempt(&Attempt { state: "S", resource, input: &input, number }).await
    }

    #[tokio::test]
    async fn a_function_s_error_has_the_name_that_step_functions_gives_it() {
        let reach = reach();
        for (function, error) in [
            ("raises", "RecordGone"),
            ("late", "Lambda.Unknown"),
            ("killed", "Lambda.Unknown"),
            ("mute", "Lambda.Unknown"),
            ("cut", "Lambda.Unknown"),
            ("busy", "Lambda.TooManyRequestsException"),
            ("nobody", "Lambda.ResourceNotFoundException"),
        ] {
            let by_arn = done(&reach, &arn("lambda", &format!("function:{function}")), json!({}), 1).await.unwrap_err();
            let invoked = done(&reach, "arn:aws:states:::lambda:invoke", json!({"FunctionName": function}), 1).await.unwrap_err();
            assert_eq!((&*by_arn.error, &*invoked.error), (error, error), "{function}");
        }
    }

    #[tokio::test]
    async fn a_function_gets_the_event_and_the_root_of_its_try() {
        let reach = reach();
        let first = done(&reach, &arn("lambda", "function:echo"), json!({"a": 1}), 1).await.unwrap();
        assert_eq!(first, json!({"event": "{\"a\":1}", "trace": "Root=1-5759e988-bd862e3fe1be46a994272793"}));
        let parameters = json!({"FunctionName": arn("lambda", "function:echo"), "Payload": {"b": 2}});
        let second = done(&reach, "arn:aws:states:::lambda:invoke", parameters, 2).await.unwrap();
        assert_eq!((&second["StatusCode"], &second["Payload"]["event"]), (&json!(200), &json!("{\"b\":2}")));
        assert_ne!(second["Payload"]["trace"], first["trace"]);
    }

    #[tokio::test]
    async fn queues_and_topics_get_texts_unchanged_and_the_rest_as_json() {
        let reach = reach();
        let url = reach.sqs.url("dead");
        for (body, sent) in [(json!("text"), "text"), (json!({"a": 1}), "{\"a\":1}")] {
            let result = done(&reach, "arn:aws:states:::sqs:sendMessage", json!({"QueueUrl": url, "MessageBody": body}), 1).await.unwrap();
            let message = reach.sqs.receive("dead", 1).remove(0);
            assert_eq!(
                (message.body.as_str(), json!(message.id), json!(message.md5)),
                (sent, result["MessageId"].clone(), result["MD5OfMessageBody"].clone())
            );
            let published = json!({"TopicArn": arn("sns", "notices"), "Message": body});
            done(&reach, "arn:aws:states:::sns:publish", published, 1).await.unwrap();
            assert_eq!(reach.sns.published("notices").last().unwrap().message, sent);
        }
        let no_queue = done(&reach, "arn:aws:states:::sqs:sendMessage", json!({"QueueUrl": "x/gone", "MessageBody": "b"}), 1).await;
        assert_eq!(&*no_queue.unwrap_err().error, "SQS.QueueDoesNotExistException");
        for topic in [arn("sns", "gone"), "arn:aws:sns:eu-west-1:1:notices".to_owned()] {
            let no_topic = done(&reach, "arn:aws:states:::sns:publish", json!({"TopicArn": topic, "Message": "m"}), 1).await;
            assert_eq!(&*no_topic.unwrap_err().error, "SNS.NotFoundException");
        }
    }
}
