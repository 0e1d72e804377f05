//! How services invoke functions. Services start before the platform, so the platform's interface
//! is set later; until then nothing is invoked.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use bytes::Bytes;

use crate::platform::invocation::{InvokeError, Invoked};

/// Invokes functions.
#[async_trait]
pub trait Invoke: Send + Sync {
    /// Submits an event and waits for the result. `trace` is an X-Ray trace header whose root is
    /// passed on.
    async fn invoke(&self, function: &str, event: Bytes, trace: Option<&str>) -> Result<Invoked, InvokeError>;

    /// Accepts an event for an asynchronous invocation, which Lambda retries. `trace` as above.
    ///
    /// # Errors
    /// If the function does not exist or takes no asynchronous events.
    fn accept(&self, function: &str, _event: Bytes, _trace: Option<&str>) -> Result<(), InvokeError> {
        Err(InvokeError::Unknown(function.to_owned()))
    }
}

/// The platform's interface, set once.
#[derive(Clone, Default)]
pub struct LateInvoke(Arc<OnceLock<Arc<dyn Invoke>>>);

impl LateInvoke {
    /// Sets the interface; a second call is ignored.
    pub fn put(&self, door: Arc<dyn Invoke>) {
        let _ = self.0.set(door);
    }

    /// The interface, once it is set.
    ///
    /// # Errors
    /// [`InvokeError::Stopped`] if it is not set yet.
    pub fn door(&self) -> Result<&Arc<dyn Invoke>, InvokeError> {
        self.0.get().ok_or(InvokeError::Stopped)
    }
}
