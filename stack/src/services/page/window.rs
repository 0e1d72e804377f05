//! Reads the services' present content for the page, and serves the objects that the page links. It
//! changes nothing.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;

use super::{AT, Bucket, Execution, Letter, Look, Machine, Message, Notice, OBJECTS, Pool, Queue, html};
use crate::services::cloudwatch::Alarms;
use crate::services::cognito::Cognito;
use crate::services::s3::Buckets;
use crate::services::ses::Mailbox;
use crate::services::sns::Sns;
use crate::services::sqs::Sqs;
use crate::services::stepfunctions::{Shown, StepFunctions};
use crate::services::wire::{Answer, REST_JSON, percent_decoded};

const PAGE: &str = "text/html; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";
const BYTES: &str = "application/octet-stream";

/// The most users of a pool that are counted.
const MOST_USERS: usize = 20_000;

/// The services that the page shows.
pub struct Window {
    /// Mail that was sent.
    pub mailbox: Arc<Mailbox>,
    /// Notices.
    pub sns: Arc<Sns>,
    /// Objects.
    pub buckets: Arc<Buckets>,
    /// Messages.
    pub sqs: Arc<Sqs>,
    /// Users.
    pub cognito: Arc<Cognito>,
    /// Alarms.
    pub alarms: Arc<Alarms>,
    /// Executions.
    pub machines: Arc<StepFunctions>,
}

impl Window {
    /// The page at [`AT`], or an object below [`OBJECTS`].
    pub fn answer(&self, path: &str) -> Answer {
        let object = path.strip_prefix(OBJECTS).and_then(|rest| rest.split_once('/'));
        match object.and_then(|(bucket, key)| self.buckets.get(&percent_decoded(bucket), &percent_decoded(key))) {
            Some(object) => match object.content.whole() {
                Ok(bytes) => shown(if std::str::from_utf8(&bytes).is_ok() { TEXT } else { BYTES }, bytes),
                Err(_) => Answer::error(REST_JSON, 500, "InternalError", "the object cannot be read"),
            },
            None if path == AT => shown(PAGE, html(&self.look()).into()),
            None => Answer::error(REST_JSON, 404, "NoSuchKey", "there is no such object"),
        }
    }

    fn look(&self) -> Look {
        let mails = self.mailbox.mails().into_iter();
        Look {
            mails: mails.map(|mail| Letter { from: mail.from, to: mail.to, subject: mail.subject, text: mail.text }).collect(),
            notices: self.sns.names().iter().flat_map(|topic| self.notices(topic)).collect(),
            buckets: self.buckets.names().into_iter().map(|name| self.bucket(name)).collect(),
            queues: self.sqs.names().into_iter().map(|name| self.queue(name)).collect(),
            pools: self.cognito.addresses().into_iter().map(|pool| self.pool(pool.name)).collect(),
            alarms: self.alarms.states().into_iter().map(|(name, state)| (name, state.name().to_owned())).collect(),
            machines: self.machines.names().into_iter().map(|name| self.machine(name)).collect(),
        }
    }

    fn notices(&self, topic: &str) -> Vec<Notice> {
        let notices = self.sns.published(topic).into_iter();
        notices.map(|notice| Notice { topic: topic.to_owned(), subject: notice.subject, message: notice.message }).collect()
    }

    fn machine(&self, name: String) -> Machine {
        let execution = |it: Shown| Execution {
            status: it.status().to_owned(),
            error: it.error().map(str::to_owned),
            name: it.name,
            tries: it.tries,
            input: it.input,
        };
        Machine { executions: self.machines.executions(&name).into_iter().map(execution).collect(), name }
    }

    fn bucket(&self, name: String) -> Bucket {
        let objects = self.buckets.list(&name).into_iter();
        Bucket { objects: objects.map(|(key, object)| (key, object.content.size() as u64)).collect(), name }
    }

    fn queue(&self, name: String) -> Queue {
        let messages = self.sqs.messages(&name).into_iter();
        let message = |it: crate::services::sqs::Shown| Message { id: it.id, receives: it.receives, visible: it.visible, body: it.body };
        Queue { messages: messages.map(message).collect(), name }
    }

    fn pool(&self, name: String) -> Pool {
        let user = |user: &Value| (user["Username"].as_str().unwrap_or_default().to_owned(), user["Enabled"] == true);
        Pool { users: self.cognito.users(&name, MOST_USERS).iter().map(user).collect(), name }
    }
}

fn shown(content_type: &'static str, body: Bytes) -> Answer {
    Answer { status: 200, content_type, error_type: None, body }
}
