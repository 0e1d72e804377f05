//! `email-processor`: takes a mail with attachments and sends a mail with links to exactly the
//! readers that it lists. Every mail ends once: with its readers, in the fallback topic, or, by
//! failing, in the dead-letter queue. No mail blocks another.

mod event;
mod failure;
mod file_name;
mod letter;
mod mail;
mod notice;
mod readers;
mod sent_mail;
mod store;

pub use event::NotUnderstood;
pub use failure::Failure;
pub use mail::MailError;

use crate::weaknesses::EmailWeakness;
use aws_config::SdkConfig;
use event::{Arrival, Record, arrivals, records};
use functions::clock::{Deadline, TooLate};
use functions::failure::DependencyFailure;
use functions::settings::{Reader, SettingsError};
use functions::weaknesses::Weaknesses;
use letter::{Letter, Outbox, text_with_links};
use mail::Mail;
use notice::{Fallback, LARGEST_INLINE, notice};
use sent_mail::{Attempt, Claim, Outcome, SentMail};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;
use store::Store;

/// The most recipients that SES takes in one call. Source: Amazon SES, service quotas.
const GROUP: usize = 50;

/// Time to keep in reserve after the mail is read and its attachments are stored; with less, it
/// could not be sent in time.
const TO_SEND: Duration = Duration::from_millis(2000);

/// Time to keep in reserve after each sending, to record it.
const TO_REMEMBER: Duration = Duration::from_millis(1000);

/// Time to keep in reserve for the answer.
const TO_ANSWER: Duration = Duration::from_millis(200);

/// The function's environment variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// `INCOMING_BUCKET`: the mails, each under its message id.
    pub incoming: String,
    /// `ATTACHMENTS_BUCKET`
    pub attachments: String,
    /// `PRESIGNED_EXPIRATION`: for how long a link works, in seconds.
    pub link_life_s: u32,
    /// `SENDER_EMAIL`: the sender of the outgoing mail.
    pub sender: String,
    /// `SNS_TOPIC`: the ARN of the topic for mail without a list of readers.
    pub topic: String,
    /// `EMAIL_REGEX_CODE`: the text before and after the list of readers, literally.
    pub marker: String,
    /// `SENT_TABLE`: the table that makes sure that every mail is processed once.
    pub sent_table: String,
    /// `WEAKNESSES`
    pub weaknesses: Weaknesses<EmailWeakness>,
}

impl Settings {
    /// Reads the variables with `lookup`.
    ///
    /// # Errors
    /// If a variable is missing or invalid; the error names all of them.
    pub fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let mut reader = Reader::new(lookup);
        let settings = Self {
            incoming: reader.required("INCOMING_BUCKET"),
            attachments: reader.required("ATTACHMENTS_BUCKET"),
            link_life_s: reader.number("PRESIGNED_EXPIRATION", 1),
            sender: reader.required("SENDER_EMAIL"),
            topic: reader.required("SNS_TOPIC"),
            marker: reader.required("EMAIL_REGEX_CODE"),
            sent_table: reader.required("SENT_TABLE"),
            weaknesses: reader.weaknesses(),
        };
        reader.finish(settings)
    }
}

/// The function with its clients.
pub struct EmailProcessor {
    weaknesses: Weaknesses<EmailWeakness>,
    incoming: String,
    marker: String,
    link_life: Duration,
    sent_mail: SentMail,
    store: Store,
    outbox: Outbox,
    fallback: Fallback,
}

impl EmailProcessor {
    /// Builds the function from `settings`, with clients from `config`.
    pub fn new(settings: Settings, config: &SdkConfig) -> Self {
        let link_life = Duration::from_secs(settings.link_life_s.into());
        let numbered = !settings.weaknesses.has(EmailWeakness::AttachmentKeyCollides);
        let forgetful = settings.weaknesses.has(EmailWeakness::NotIdempotent);
        Self {
            store: Store::new(config, settings.incoming.clone(), settings.attachments, link_life, numbered),
            sent_mail: if forgetful { SentMail::Forgetful } else { SentMail::new(config, settings.sent_table) },
            outbox: Outbox::new(config, settings.sender),
            fallback: Fallback::new(config, settings.topic),
            incoming: settings.incoming,
            marker: settings.marker,
            link_life,
            weaknesses: settings.weaknesses,
        }
    }

    /// Processes one batch and returns the failed messages. `invocation` is its request id.
    ///
    /// # Errors
    /// If it is not a batch of a queue; then all of it is retried.
    pub async fn answer(&self, event: Value, invocation: &str, deadline: Deadline) -> Result<Value, NotUnderstood> {
        let mut failures = Vec::new();
        for record in records(&event)? {
            if let Err(failure) = self.record(&record, invocation, deadline).await {
                eprintln!("email-processor: message {}: {failure}", record.message_id);
                failures.push(json!({"itemIdentifier": record.message_id}));
            }
        }
        Ok(json!({"batchItemFailures": failures}))
    }

    /// Processes all mails of a message, including those after one that fails.
    async fn record(&self, record: &Record<'_>, invocation: &str, deadline: Deadline) -> Result<(), Failure> {
        let mut first = Ok(());
        for Arrival { bucket, key } in arrivals(record.body)? {
            let attempt = Attempt { mail: &key, id: invocation, deadline };
            let done = if bucket == self.incoming {
                self.mail(attempt).await
            } else {
                Err(NotUnderstood("the object is in another bucket").into())
            };
            first = first.and(done);
        }
        first
    }

    async fn mail(&self, attempt: Attempt<'_>) -> Result<(), Failure> {
        let outcome = match attempt.deadline.limit(TO_SEND, self.sent_mail.claim(attempt)).await?? {
            Claim::Ended(outcome) => outcome,
            Claim::Held => return Err(Failure::Held),
            Claim::Ours(groups) => match self.process(attempt, &groups).await {
                Ok(outcome) => outcome,
                Err(failure) => {
                    report(attempt.deadline.limit(TO_ANSWER, self.sent_mail.release(attempt)).await);
                    return Err(failure);
                }
            },
        };
        let raises = match outcome {
            Outcome::Delivered => EmailWeakness::SuccessRaises,
            Outcome::Fallback => EmailWeakness::FallbackRaises,
        };
        if self.weaknesses.has(raises) { Err(Failure::Raised) } else { Ok(()) }
    }

    async fn process(&self, attempt: Attempt<'_>, groups: &BTreeSet<usize>) -> Result<Outcome, Failure> {
        let mut mail = attempt.deadline.limit(TO_SEND, self.read(attempt.mail)).await??;
        let files = std::mem::take(&mut mail.attachments);
        let inline = if mail.readers.is_none() { LARGEST_INLINE } else { 0 };
        let stored = attempt.deadline.limit(TO_SEND, self.store.keep(attempt.mail, files, inline)).await??;
        let outcome = if let Some(readers) = &mail.readers {
            let text = text_with_links(&mail.text, &stored, self.link_life);
            let letter = Letter::write(self.outbox.sender(), readers, &mail.title, &self.marker, &text)?;
            match self.send(attempt, &letter, readers, groups).await {
                Err(failure) if self.weaknesses.has(EmailWeakness::SendFailureAcknowledged) => eprintln!("email-processor: {failure}"),
                sent => sent?,
            }
            Outcome::Delivered
        } else {
            let notice = notice(attempt.mail, &mail, &stored).map_err(|_| Failure::Letter)?;
            attempt.deadline.limit(TO_REMEMBER, self.fallback.publish(notice)).await??;
            Outcome::Fallback
        };
        // The mail is finished: a failure to record that is no reason to receive the mail again.
        report(attempt.deadline.limit(TO_ANSWER, self.sent_mail.ended(attempt, outcome)).await);
        Ok(outcome)
    }

    /// Reads the mail on a thread of its own, so that a panic there does not affect the other
    /// mails.
    async fn read(&self, id: &str) -> Result<Mail, Failure> {
        let raw = self.store.mail(id).await?;
        let marker = self.marker.clone();
        let read = tokio::task::spawn_blocking(move || Mail::read(&raw, &marker)).await;
        Ok(read.unwrap_or(Err(MailError::NotAMail))?)
    }

    /// Sends the letter to the groups that have not received it.
    async fn send(&self, attempt: Attempt<'_>, letter: &Letter, readers: &[String], have_it: &BTreeSet<usize>) -> Result<(), Failure> {
        let groups = readers.chunks(GROUP).enumerate().filter(|(n, _)| !have_it.contains(n));
        for (n, group) in groups {
            attempt.deadline.limit(TO_REMEMBER, self.outbox.send(letter, group)).await??;
            // The last group is recorded together with the outcome.
            if (n + 1) * GROUP < readers.len() {
                report(attempt.deadline.limit(TO_ANSWER, self.sent_mail.sent(attempt, n)).await);
            }
        }
        Ok(())
    }
}

/// A failure to record is logged and has no other effect.
fn report(remembered: Result<Result<(), DependencyFailure>, TooLate>) {
    match remembered {
        Ok(Ok(())) => {}
        Ok(Err(failure)) => eprintln!("email-processor: not remembered: {failure}"),
        Err(TooLate) => eprintln!("email-processor: not remembered: {TooLate}"),
    }
}
