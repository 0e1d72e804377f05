//! State machines in a subset of the Amazon States Language (JSONPath). A definition is accepted as
//! a whole or refused with all complaints at once, and runs with any implementation of its tasks.
//! Nothing here touches a file or a socket; the only clock is tokio's.
//!
//! It supports Task, Parallel, Pass, Succeed and Fail, with what they need. Anything else is
//! refused, never ignored. Sources: the Amazon States Language (states-language.net/spec.html) and
//! the AWS Step Functions developer guide, where the two differ.

mod definition;
mod error_equals;
mod failure;
mod history;
mod intrinsic;
mod path;
mod payload;
mod read;
mod retry;
mod run;

pub use definition::{
    After, Catcher, Definition, Fail, Flow, Handling, Name, Parallel, Pass, ResultPlace, Selection, Shaping, State, Succeed, Task,
};
pub use error_equals::{DATA_LIMIT_EXCEEDED, ErrorEquals, RESULT_PATH_MATCH_FAILURE, RUNTIME, TIMEOUT};
pub use failure::Failure;
pub use history::{Event, History, Kind, Text, What};
pub use intrinsic::Source;
pub use path::Path;
pub use payload::{LARGEST_PAYLOAD, Payload};
pub use read::DefinitionError;
pub use retry::{Jitter, Retrier};
pub use run::{Attempt, Execution, Outcome, Tasks, run};
