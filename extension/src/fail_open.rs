//! A bug in brownout must not lose the function's event or answer: a panic in a fault's code ends
//! here, and the message goes on untouched. It must never print the message of a panic, which could
//! quote a payload.

use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

const _: () = assert!(cfg!(panic = "unwind"), "a panic must be able to be caught: build with `panic = \"unwind\"`");

/// brownout's code panicked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Panicked;

/// Runs `future` to its end or to its panic.
///
/// # Errors
/// If it panicked; everything that it held was dropped.
pub async fn caught<T>(future: impl Future<Output = T>) -> Result<T, Panicked> {
    let mut future = pin!(future);
    std::future::poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
        Ok(poll) => poll.map(Ok),
        Err(_) => Poll::Ready(Err(Panicked)),
    })
    .await
}

/// Makes every panic print only where it happened.
pub fn print_only_the_place() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map_or_else(|| "an unknown place".to_owned(), |at| format!("{}:{}", at.file(), at.line()));
        let _ = writeln!(std::io::stderr(), "error: bug in brownout's extension at {place}; please report it");
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_caught_even_after_a_wait() {
        let panics = async {
            tokio::task::yield_now().await;
            panic!("a panic of this test");
        };
        assert_eq!(caught(panics).await, Err::<(), _>(Panicked));
        assert_eq!(caught(async { 1 }).await, Ok(1));
    }
}
