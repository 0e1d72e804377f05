//! All functions that are deployed here, by name: everything that invokes goes through this.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::oneshot;

use super::asynchronous::Asynchronous;
use super::deployed::Machine;
use super::invocation::{Invocation, InvokeError, Invoked, LARGEST_EVENT, Waits};
use super::invoke_stream::Sink;
use super::names;
use super::pool::Pool;
use crate::invoke::Invoke;
use run_folder::Place;

/// What a caller of the Invoke API asks for besides an answer.
#[derive(Debug, Default)]
pub(crate) struct OfCaller {
    /// The answer in pieces.
    pub sink: Option<Sink>,
    /// The end of the log.
    pub tail: Option<oneshot::Sender<Bytes>>,
    /// The alias or version.
    pub qualifier: Option<String>,
}

/// The functions by name.
#[derive(Debug)]
pub(crate) struct Functions {
    pub machine: Arc<Machine>,
    pub pools: BTreeMap<String, Arc<Pool>>,
    pub asynchronous: Asynchronous,
}

impl Functions {
    /// True if the function is deployed, and has the alias or version if the name has one.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.called(name).is_ok()
    }

    /// The region of all of them.
    pub(crate) fn region(&self) -> &str {
        self.machine.region()
    }

    /// A function's ARN, whether or not the function is deployed.
    pub(crate) fn arn(&self, name: &str) -> String {
        format!("arn:aws:lambda:{}:{}:function:{name}", self.region(), names::ACCOUNT)
    }

    /// How many invocations of a function can run at once; `None` if it is not deployed.
    pub(crate) fn at_once(&self, name: &str) -> Option<usize> {
        self.called(name).ok().map(|(pool, _)| pool.at_once())
    }

    /// An interface for callers within the process, not over HTTP.
    pub(crate) fn door(self: &Arc<Self>, waits: Waits) -> Arc<dyn Invoke> {
        Arc::new(Door { functions: Arc::downgrade(self), waits })
    }

    /// Submits an event. It runs whether or not the caller waits for the answer or reads its
    /// pieces.
    pub(crate) fn submit(
        &self,
        name: &str,
        event: Bytes,
        trace: Option<&str>,
        client_context: Option<String>,
        of_caller: OfCaller,
    ) -> Result<oneshot::Receiver<Invoked>, InvokeError> {
        let (mut invocation, answer) = Invocation::new(event, trace, client_context);
        invocation.sink = of_caller.sink;
        invocation.tail = of_caller.tail;
        invocation.qualifier = of_caller.qualifier;
        self.take(name, invocation)?;
        Ok(answer)
    }

    /// The function, if it is deployed and can be invoked with the qualifier.
    ///
    /// # Errors
    /// [`InvokeError::Unknown`] with the qualifier in the name.
    pub(crate) fn find(&self, name: &str, qualifier: Option<&str>) -> Result<&Arc<Pool>, InvokeError> {
        let whole = || qualifier.map_or_else(|| name.to_owned(), |qualifier| format!("{name}:{qualifier}"));
        let pool = self.pools.get(name).filter(|pool| qualifier.is_none_or(|qualifier| pool.deployed.has(qualifier)));
        pool.ok_or_else(|| InvokeError::Unknown(whole()))
    }

    /// The function and the qualifier of a name that may be an ARN.
    fn called<'a>(&self, name: &'a str) -> Result<(&Arc<Pool>, Option<&'a str>), InvokeError> {
        let (name, qualifier) = names::reference(name);
        Ok((self.find(name, qualifier)?, qualifier))
    }

    /// Takes an invocation for a function.
    pub(crate) fn take(&self, name: &str, mut invocation: Invocation) -> Result<(), InvokeError> {
        let (pool, qualifier) = self.called(name)?;
        invocation.qualifier = invocation.qualifier.or_else(|| qualifier.map(str::to_owned));
        if invocation.event.len() > LARGEST_EVENT {
            return Err(InvokeError::TooLarge);
        }
        self.machine.sightings.effect(|| Place::Function(pool.deployed.function.name.clone()), |place, _| invocation.effect(place));
        pool.submit(invocation)
    }

    /// Submits an event and waits for the result.
    pub(crate) async fn invoke(
        &self,
        name: &str,
        event: Bytes,
        trace: Option<&str>,
        client_context: Option<String>,
    ) -> Result<Invoked, InvokeError> {
        self.submit(name, event, trace, client_context, OfCaller::default())?.await.map_err(|_| InvokeError::Stopped)
    }
}

/// An interface that holds no strong reference: once the platform is gone, the functions are too.
struct Door {
    functions: Weak<Functions>,
    waits: Waits,
}

#[async_trait]
impl Invoke for Door {
    async fn invoke(&self, function: &str, event: Bytes, trace: Option<&str>) -> Result<Invoked, InvokeError> {
        let answer = {
            let functions = self.functions.upgrade().ok_or(InvokeError::Stopped)?;
            let (mut invocation, answer) = Invocation::new(event, trace, None);
            invocation.waits = self.waits;
            functions.take(function, invocation)?;
            answer
        };
        answer.await.map_err(|_| InvokeError::Stopped)
    }

    fn accept(&self, function: &str, event: Bytes, trace: Option<&str>) -> Result<(), InvokeError> {
        let functions = self.functions.upgrade().ok_or(InvokeError::Stopped)?;
        let (name, qualifier) = names::reference(function);
        Asynchronous::accept(&functions, name, qualifier.map(str::to_owned), event, names::trace_of(trace), None)
    }
}
