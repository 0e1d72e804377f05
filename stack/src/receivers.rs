//! The queues and topics of this machine, as receivers of what became of asynchronous events. Other
//! kinds of receivers refuse.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use template::blueprint::Target;

use crate::deliver::{Deliver, DeliverError, Letter};
use crate::services::Services;
use crate::services::sns::Sns;
use crate::services::sqs::Sqs;

/// The queues and topics of this machine.
pub struct ToServices {
    sqs: Arc<Sqs>,
    sns: Arc<Sns>,
}

impl ToServices {
    /// To the queues and topics of these services.
    pub fn new(services: &Services) -> Arc<Self> {
        Arc::new(Self { sqs: Arc::clone(&services.sqs), sns: Arc::clone(&services.sns) })
    }
}

impl Debug for ToServices {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("ToServices")
    }
}

#[async_trait]
impl Deliver for ToServices {
    async fn deliver(&self, to: &Target, letter: Letter) -> Result<(), DeliverError> {
        let attributes = letter.attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let taken = match to {
            Target::Queue(queue) => self.sqs.send_typed(queue, letter.body, attributes).map(drop),
            // A topic here keeps no attributes.
            Target::Topic(topic) => self.sns.publish(topic, None, letter.body).map(drop),
            Target::Function(_) | Target::Bus(_) | Target::Bucket(_) | Target::DataStream(_) | Target::Machine(_) => {
                return Err(DeliverError::Kind(to.clone()));
            }
        };
        taken.ok_or_else(|| DeliverError::Unknown(to.clone()))
    }
}
