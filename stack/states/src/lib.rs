//! State machines in the Amazon States Language (JSONPath). A definition is accepted as
//! a whole or refused with all complaints at once, and runs with any implementation of its tasks.
//! Nothing here touches a file or a socket; the only clock is tokio's.
//!
//! It supports every state of JSONPath machines, with inline Maps. What it does not support is told
//! apart from what is wrong, and neither is ignored. Sources: the Amazon States Language (states-language.net/spec.html) and
//! the AWS Step Functions developer guide, where the two differ.

mod chance;
mod choice;
mod definition;
mod error_equals;
mod failure;
mod filter;
mod functions;
mod history;
mod intrinsic;
mod path;
mod payload;
mod read;
mod retry;
mod run;

pub use choice::{Check, Operand, Relation, Test, Type};
pub use definition::{
    After, Catcher, Choice, Definition, Fail, Flow, Given, Handling, Map, Name, Parallel, Pass, ResultPlace, Selection, Shaping, State,
    Succeed, Task, Until, Wait,
};
pub use error_equals::{
    DATA_LIMIT_EXCEEDED, ErrorEquals, INTRINSIC_FAILURE, NO_CHOICE_MATCHED, RESULT_PATH_MATCH_FAILURE, RUNTIME, TIMEOUT,
};
pub use failure::Failure;
pub use functions::Function;
pub use history::{Event, History, Kind, Text, What};
pub use intrinsic::Source;
pub use path::Path;
pub use payload::{LARGEST_PAYLOAD, Payload};
pub use read::DefinitionError;
pub use retry::{Jitter, Retrier};
pub use run::{Attempt, Execution, Outcome, Tasks, run};
