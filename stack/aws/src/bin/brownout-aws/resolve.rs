//! `--stack`: looks a CloudFormation stack up, and answers with one line. It changes nothing.

use std::io::Write as _;

use aws::{Patience, named_stack};
use protocol::{Answer, Resolve, chain};

use crate::COULD_NOT_RUN;

/// Looks it up; the exit code is 2 if that fails.
///
/// # Errors
/// If standard output is closed.
pub async fn resolve(wish: &Resolve) -> std::io::Result<u8> {
    let region = wish.region.clone().or_else(|| named_stack::region(&wish.stack));
    let config = aws::config(region.as_deref()).await;
    let (answer, code) = match named_stack::resolve(&config, Patience::brief(), wish).await {
        Ok(resolved) => (Answer::Resolved(Box::new(resolved)), 0),
        Err(error) => (Answer::Failed(chain(&error)), COULD_NOT_RUN),
    };
    std::io::stdout().lock().write_all(protocol::to_line(&answer)?.as_bytes())?;
    Ok(code)
}
