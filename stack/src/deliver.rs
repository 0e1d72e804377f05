//! The one way to the receiver of an event, whichever kind it is, for services and for what became
//! of asynchronous invocations. It decides only which service gets a delivery; those that deliver
//! know none of the others.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, OnceLock, Weak};

use bytes::Bytes;
use serde_json::Value;

use crate::invoke::LateInvoke;
use crate::platform::invocation::InvokeError;
use template::blueprint::Target;

/// What a receiver gets. All but the body is optional, and a receiver ignores what it has no use for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Delivery {
    /// A function's event, a message's body, a state machine's input, an object's content. For a bus
    /// a JSON object with `source`, `detail-type` and `detail`; the bus adds what is missing.
    pub body: String,
    /// The X-Ray trace header of the cause.
    pub trace: Option<String>,
    /// The key of the object that it is about; for a bucket, the key to store it under.
    pub about: Option<String>,
    /// The subject, for a topic.
    pub subject: Option<String>,
    /// Typed attributes in SQS's spelling (`DataType`, `StringValue`, `BinaryValue`), for a queue or
    /// a topic.
    pub attributes: BTreeMap<String, Value>,
    /// `MessageGroupId`, for a queue or a topic.
    pub group: Option<String>,
    /// `MessageDeduplicationId`, for a queue or a topic that is first in, first out.
    pub deduplication: Option<String>,
}

impl Delivery {
    /// A delivery of `body` alone.
    pub fn of(body: impl Into<String>) -> Self {
        Self { body: body.into(), ..Self::default() }
    }
}

/// Why something was not delivered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Undelivered {
    /// The receiver does not exist, or no service of this machine has such receivers.
    #[error("there is no {0:?}")]
    Missing(Target),
    /// The receiver refused it, and always will.
    #[error("refused: {0}")]
    Refused(String),
    /// It could not be delivered now; it may be later.
    #[error("not delivered now: {0}")]
    Later(String),
}

/// A service that gets deliveries for what it holds.
pub trait Receives: Send + Sync {
    /// Takes a delivery for `name`.
    ///
    /// # Errors
    /// If it does not exist or refuses the delivery.
    fn receive_delivery(&self, to: &Target, delivery: &Delivery) -> Result<(), Undelivered>;
}

/// A kind of receiver that a service holds; functions are reached through [`LateInvoke`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Queues.
    Queues,
    /// Topics.
    Topics,
    /// Event buses.
    Buses,
    /// Buckets.
    Buckets,
    /// Data streams.
    DataStreams,
    /// State machines.
    Machines,
}

/// Delivers to every receiver of the stack. Cheap to clone: all clones share what is connected.
#[derive(Clone, Default)]
pub struct Deliver(Arc<Ways>);

impl fmt::Debug for Deliver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Deliver")
    }
}

#[derive(Default)]
struct Ways {
    invoke: LateInvoke,
    queues: Way,
    topics: Way,
    buses: Way,
    buckets: Way,
    data_streams: Way,
    machines: Way,
}

/// A service holds its `Deliver`, so the way back is weak.
type Way = OnceLock<Weak<dyn Receives>>;

impl Deliver {
    /// Delivers to functions only, until services are connected.
    pub fn new(invoke: LateInvoke) -> Self {
        Self(Arc::new(Ways { invoke, ..Ways::default() }))
    }

    /// Connects the service that holds all receivers of a kind; a second call is ignored.
    pub fn connect<T: Receives + 'static>(&self, kind: Kind, service: &Arc<T>) {
        let weak: Weak<T> = Arc::downgrade(service);
        let _ = self.way(kind).set(weak);
    }

    /// Delivers, without waiting for what the receiver does with it. A function is invoked
    /// asynchronously: its retries and its dead letters are Lambda's.
    ///
    /// # Errors
    /// If the receiver does not exist or does not accept it.
    pub fn deliver(&self, to: &Target, delivery: &Delivery) -> Result<(), Undelivered> {
        let kind = match to {
            Target::Function(name) => return self.invoke(name, delivery),
            Target::Queue(_) => Kind::Queues,
            Target::Topic(_) => Kind::Topics,
            Target::Bus(_) => Kind::Buses,
            Target::Bucket(_) => Kind::Buckets,
            Target::DataStream(_) => Kind::DataStreams,
            Target::Machine(_) => Kind::Machines,
        };
        let service = self.way(kind).get().and_then(Weak::upgrade);
        service.ok_or_else(|| Undelivered::Missing(to.clone()))?.receive_delivery(to, delivery)
    }

    fn invoke(&self, function: &str, delivery: &Delivery) -> Result<(), Undelivered> {
        let event = Bytes::from(delivery.body.clone());
        let accepted = self.0.invoke.door().and_then(|door| door.accept(function, event, delivery.trace.as_deref()));
        accepted.map_err(|error| match error {
            InvokeError::Unknown(name) => Undelivered::Missing(Target::Function(name)),
            InvokeError::TooLarge => Undelivered::Refused(error.to_string()),
            InvokeError::Throttled | InvokeError::Stopped => Undelivered::Later(error.to_string()),
        })
    }

    fn way(&self, kind: Kind) -> &Way {
        let ways = &self.0;
        match kind {
            Kind::Queues => &ways.queues,
            Kind::Topics => &ways.topics,
            Kind::Buses => &ways.buses,
            Kind::Buckets => &ways.buckets,
            Kind::DataStreams => &ways.data_streams,
            Kind::Machines => &ways.machines,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use async_trait::async_trait;

    use super::*;
    use crate::invoke::Invoke;
    use crate::platform::Invoked;

    #[derive(Default)]
    struct Recorder(Mutex<Vec<String>>);

    impl Receives for Recorder {
        fn receive_delivery(&self, to: &Target, delivery: &Delivery) -> Result<(), Undelivered> {
            self.0.lock().unwrap().push(format!("{to:?} {}", delivery.body));
            Ok(())
        }
    }

    #[async_trait]
    impl Invoke for Recorder {
        async fn invoke(&self, _: &str, _: Bytes, _: Option<&str>) -> Result<Invoked, InvokeError> {
            Err(InvokeError::Stopped)
        }

        fn accept(&self, function: &str, event: Bytes, trace: Option<&str>) -> Result<(), InvokeError> {
            if function == "gone" {
                return Err(InvokeError::Unknown("gone".into()));
            }
            self.0.lock().unwrap().push(format!("{function} {} {trace:?}", String::from_utf8_lossy(&event)));
            Ok(())
        }
    }

    #[test]
    fn each_kind_goes_to_the_service_that_holds_it() {
        let (invoke, queues, functions) = (LateInvoke::default(), Arc::new(Recorder::default()), Arc::new(Recorder::default()));
        let deliver = Deliver::new(invoke.clone());
        let function = Target::Function("f".into());
        let delivery = Delivery { trace: Some("Root=1".into()), ..Delivery::of("{}") };
        assert!(matches!(deliver.deliver(&function, &delivery), Err(Undelivered::Later(_))), "no platform yet");
        invoke.put(Arc::clone(&functions) as Arc<dyn Invoke>);
        deliver.connect(Kind::Queues, &queues);
        assert_eq!(deliver.deliver(&function, &delivery), Ok(()));
        assert_eq!(deliver.deliver(&Target::Queue("q".into()), &delivery), Ok(()));
        for missing in [Target::Topic("t".into()), Target::Function("gone".into())] {
            assert_eq!(deliver.deliver(&missing, &delivery), Err(Undelivered::Missing(missing.clone())));
        }
        assert_eq!(*functions.0.lock().unwrap(), ["f {} Some(\"Root=1\")"]);
        assert_eq!(*queues.0.lock().unwrap(), ["Queue(\"q\") {}"]);
        drop(queues);
        assert!(deliver.deliver(&Target::Queue("q".into()), &delivery).is_err(), "the service has ended");
    }
}
