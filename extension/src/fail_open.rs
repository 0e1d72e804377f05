//! A mistake of ours must not cost the function an event or an answer: a panic in what a fault does ends here, and what came goes on
//! untouched. It must never repeat what a panic said, which could quote a payload.

use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

const _: () = assert!(cfg!(panic = "unwind"), "a panic must be able to be caught: build with `panic = \"unwind\"`");

/// Something of ours panicked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Panicked;

/// Runs `future` to its end or to its panic.
///
/// # Errors
/// Where it panicked; everything that it held was dropped.
pub async fn caught<T>(future: impl Future<Output = T>) -> Result<T, Panicked> {
    let mut future = pin!(future);
    std::future::poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
        Ok(poll) => poll.map(Ok),
        Err(_) => Poll::Ready(Err(Panicked)),
    })
    .await
}

/// From here on a panic says on standard error where it happened, and nothing else.
pub fn say_only_where() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map_or_else(|| "an unknown place".to_owned(), |at| format!("{}:{}", at.file(), at.line()));
        let _ = writeln!(std::io::stderr(), "error: a mistake of brownout's extension, at {place}");
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_panics_is_caught_also_after_it_has_waited() {
        let panics = async {
            tokio::task::yield_now().await;
            panic!("a panic of this test");
        };
        assert_eq!(caught(panics).await, Err::<(), _>(Panicked));
        assert_eq!(caught(async { 1 }).await, Ok(1));
    }
}
