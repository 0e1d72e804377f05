//! The request that the work under way is for, as the root of its trace. A service's call has it while
//! the call is carried out, so that what the call causes can say it. It decides nothing.

use std::sync::Arc;

tokio::task_local! {
    static CAUSE: Option<Arc<str>>;
}

/// Carries out `work` for the request with this root, if it is known.
pub async fn with<T>(root: Option<&str>, work: impl Future<Output = T>) -> T {
    CAUSE.scope(root.map(Into::into), work).await
}

/// The same for work that does not wait.
pub fn with_sync<T>(root: Option<&str>, work: impl FnOnce() -> T) -> T {
    CAUSE.sync_scope(root.map(Into::into), work)
}

/// The root of the request that is being worked for, if it is known.
pub fn root() -> Option<String> {
    CAUSE.try_with(|cause| cause.as_deref().map(str::to_owned)).ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_cause_is_known_only_within_its_work() {
        assert_eq!(root(), None);
        let within = with(Some("1-a-b"), async {
            tokio::task::yield_now().await;
            (root(), with_sync(None, root), with_sync(Some("1-c-d"), root), root())
        });
        let known = |root: &str| Some(root.to_owned());
        assert_eq!(within.await, (known("1-a-b"), None, known("1-c-d"), known("1-a-b")));
        assert_eq!(root(), None);
    }
}
