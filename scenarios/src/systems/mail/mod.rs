//! The mail: the names that the template, the traffic and the rules share.

mod load;
pub(crate) mod rules;
mod table;
pub(crate) mod traffic;

use std::ops::Range;

use faults::Trigger;
use run_folder::Addresses;

use super::under_test::{How, UnderTest, Weakness, experiments};

pub use table::MailLoad;

/// Mail in, links out.
pub struct Mail;

const NAMED: How = How::Named("EmailWeaknesses");

impl UnderTest for Mail {
    fn name(&self) -> &'static str {
        "mail"
    }

    fn template(&self) -> &'static str {
        include_str!("template.yaml")
    }

    fn functions(&self) -> &'static [(&'static str, Trigger)] {
        &[("email-processor", Trigger::Queue)]
    }

    fn endpoints(&self) -> Vec<(&'static str, f64)> {
        vec![("mail SMTP", 1.0), ("mail arrival -> disposition", 1.0)]
    }

    fn weaknesses(&self) -> &'static [Weakness] {
        &[
            Weakness { name: "success-raises", how: NAMED },
            Weakness { name: "send-failure-acknowledged", how: NAMED },
            Weakness { name: "fallback-raises", how: NAMED },
            Weakness { name: "no-retry", how: How::Set("MaxReceiveCount", "1") },
            Weakness { name: "short-retention", how: How::Set("IncomingRetentionSeconds", "900") },
            Weakness { name: "attachment-key-collides", how: NAMED },
            Weakness { name: "not-idempotent", how: NAMED },
        ]
    }

    fn experiments(&self) -> &'static [(&'static str, &'static str)] {
        experiments!["lost-acknowledgement-mail", "slow-mail", "failing-mail-service", "kill-between-upload-and-send"]
    }

    fn example(&self, a: &Addresses) -> Option<String> {
        let mail = format!(
            "  printf 'Subject: a reading\\r\\n\\r\\nIt is 21 degrees.\\r\\n{MARKER}reader@example.org{MARKER}\\r\\n' | \\\n    \
             curl -s smtp://{} --mail-from sensor@example.org --mail-rcpt in@example.org -T -\n\n",
            a.smtp
        );
        (!a.smtp.is_empty()).then_some(mail)
    }

    fn numbers(&self) -> Range<u64> {
        4..5
    }
}

/// The bucket for incoming mail: one object per mail, whose key is the message id.
pub const INCOMING: &str = "incoming";

/// The bucket of attachments: `<message id>/<n>-<file name>`.
pub const ATTACHMENTS: &str = "attachments";

/// The queue that announces new mail.
pub const QUEUE: &str = "incoming";

/// Its dead-letter queue.
pub const DEAD_LETTERS: &str = "incoming-dead-letters";

/// The topic for mail without a list of readers.
pub const FALLBACK: &str = "fallback";

/// The topic for alarms.
pub const ALARMS: &str = "alarms";

/// The table that makes sure that a mail is sent once.
pub const SENT_TABLE: &str = "SentMailTable";

/// The marker before and after the list of readers in a body.
pub const MARKER: &str = ":Email_Rxers_Code:";

/// The sender of outgoing mail.
pub const SENDER: &str = "sensors@brownout.example";

/// The object that SES puts into a bucket when a receipt rule is created; it is not a mail.
pub const SETUP_NOTIFICATION: &str = "AMAZON_SES_SETUP_NOTIFICATION";

/// How long a link works, in seconds.
pub const LINK_LIFE_S: u64 = 129_600;

/// The most recipients in one call to SES. Source: Amazon SES, service quotas.
pub const MOST_RECIPIENTS: usize = 50;
