//! Functions that queues and streams invoke.

use std::time::Duration;

use serde_json::Value;

use super::Target;

/// What invokes a function, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    /// The function's name.
    pub function: String,
    /// What invokes it.
    pub source: Source,
    /// `BatchSize`.
    pub batch: u32,
    /// `MaximumBatchingWindowInSeconds`.
    pub window: Duration,
    /// `FilterCriteria`: patterns, of which one must match; without patterns every record passes.
    pub filters: Vec<Value>,
    /// Whether `FunctionResponseTypes` has `ReportBatchItemFailures`.
    pub partial: bool,
}

/// What invokes a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A queue.
    Queue {
        /// Its name.
        name: String,
        /// `ScalingConfig.MaximumConcurrency`.
        max_concurrency: Option<u32>,
    },
    /// A table's stream.
    Stream {
        /// The table's name.
        table: String,
        /// What happens to its records.
        records: RecordLimits,
    },
    /// A data stream of Kinesis.
    DataStream {
        /// Its name.
        name: String,
        /// What happens to its records.
        records: RecordLimits,
    },
}

/// How a stream's records are read and when they are given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordLimits {
    /// `StartingPosition`.
    pub beginning: Beginning,
    /// `BisectBatchOnFunctionError`.
    pub bisect: bool,
    /// `MaximumRetryAttempts`; `None` retries without limit.
    pub retries: Option<u32>,
    /// `MaximumRecordAgeInSeconds`; `None` keeps them as long as the stream does.
    pub oldest: Option<Duration>,
    /// `ParallelizationFactor`, 1 to 10.
    pub parallel: u32,
    /// `DestinationConfig.OnFailure`: a queue, a topic or a bucket.
    pub on_failure: Option<Target>,
}

impl Default for RecordLimits {
    fn default() -> Self {
        Self { beginning: Beginning::Oldest, bisect: false, retries: None, oldest: None, parallel: 1, on_failure: None }
    }
}

/// Where reading a stream begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beginning {
    /// `TRIM_HORIZON`.
    Oldest,
    /// `LATEST`.
    Latest,
}
