//! The lines on standard input: the task, then the requests of a run.

use std::error::Error;

use protocol::{Request, Task};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader, Lines};

/// Standard input.
pub struct Requests<Input> {
    lines: Lines<BufReader<Input>>,
}

impl<Input: AsyncRead + Unpin> Requests<Input> {
    /// A reader that has read nothing yet.
    pub fn new(input: Input) -> Self {
        Self { lines: BufReader::new(input).lines() }
    }

    /// The task, which comes first.
    ///
    /// # Errors
    /// If no task comes, or it cannot be parsed.
    pub async fn task(&mut self) -> Result<Task, Box<dyn Error>> {
        let line = self.lines.next_line().await?.ok_or("there is no task on standard input")?;
        Ok(protocol::read(&line)?)
    }

    /// The next request; `None` at the end of the input, or at a line that is not a request. Cancel safe.
    pub async fn next(&mut self) -> Option<Request> {
        let line = self.lines.next_line().await.ok().flatten()?;
        protocol::read(&line).inspect_err(|error| complain!("error: {}", protocol::chain(error))).ok()
    }
}
