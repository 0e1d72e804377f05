//! The door through which services invoke functions. Services are up before the platform is, so the door is put in later; until then nothing is invoked.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use bytes::Bytes;

use crate::platform::invocation::{InvokeError, Invoked};

/// Whoever invokes functions.
#[async_trait]
pub trait Invoke: Send + Sync {
    /// Hands an event in and waits for what comes of it. `trace` is an X-Ray trace header whose root is passed on.
    async fn invoke(&self, function: &str, event: Bytes, trace: Option<&str>) -> Result<Invoked, InvokeError>;
}

/// A door that is put in once.
#[derive(Clone, Default)]
pub struct LateInvoke(Arc<OnceLock<Arc<dyn Invoke>>>);

impl LateInvoke {
    /// Puts the door in; a second one is ignored.
    pub fn put(&self, door: Arc<dyn Invoke>) {
        let _ = self.0.set(door);
    }

    /// The door, where it is in.
    ///
    /// # Errors
    /// [`InvokeError::Stopped`] where there is none yet.
    pub fn door(&self) -> Result<&Arc<dyn Invoke>, InvokeError> {
        self.0.get().ok_or(InvokeError::Stopped)
    }
}
