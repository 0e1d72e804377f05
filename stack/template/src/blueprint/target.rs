//! What gets an event from a service.

/// The receiver of a notification, a rule, a subscription or a destination, by its physical name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// A function.
    Function(String),
    /// A queue.
    Queue(String),
    /// A topic.
    Topic(String),
    /// An event bus.
    Bus(String),
    /// A bucket.
    Bucket(String),
    /// A data stream of Kinesis.
    DataStream(String),
    /// A state machine.
    Machine(String),
}

impl Target {
    /// Its physical name.
    pub fn name(&self) -> &str {
        let (Self::Function(name)
        | Self::Queue(name)
        | Self::Topic(name)
        | Self::Bus(name)
        | Self::Bucket(name)
        | Self::DataStream(name)
        | Self::Machine(name)) = self;
        name
    }
}
