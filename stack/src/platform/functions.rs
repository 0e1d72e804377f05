//! All functions that are deployed here, by name: the one door through which everything invokes.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::oneshot;

use super::deployed::Machine;
use super::invocation::{Invocation, InvokeError, Invoked, LARGEST_EVENT};
use super::invoke_stream::Sink;
use super::pool::Pool;

/// The functions by name.
#[derive(Debug)]
pub(crate) struct Functions {
    pub machine: Arc<Machine>,
    pub pools: BTreeMap<String, Arc<Pool>>,
}

impl Functions {
    /// True where the function is deployed.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.pools.contains_key(name)
    }

    /// The region of all of them.
    pub(crate) fn region(&self) -> &str {
        self.machine.region()
    }

    /// Hands an event in. It runs whether or not anybody waits for the answer, or takes its pieces.
    pub(crate) fn submit(
        &self,
        name: &str,
        event: Bytes,
        trace: Option<&str>,
        client_context: Option<String>,
        sink: Option<Sink>,
    ) -> Result<oneshot::Receiver<Invoked>, InvokeError> {
        let pool = self.pools.get(name).ok_or_else(|| InvokeError::Unknown(name.to_owned()))?;
        if event.len() > LARGEST_EVENT {
            return Err(InvokeError::TooLarge);
        }
        let (mut invocation, answer) = Invocation::new(event, trace, client_context);
        invocation.sink = sink;
        pool.submit(invocation)?;
        Ok(answer)
    }

    /// Hands an event in and waits for what comes of it.
    pub(crate) async fn invoke(
        &self,
        name: &str,
        event: Bytes,
        trace: Option<&str>,
        client_context: Option<String>,
    ) -> Result<Invoked, InvokeError> {
        self.submit(name, event, trace, client_context, None)?.await.map_err(|_| InvokeError::Stopped)
    }
}
