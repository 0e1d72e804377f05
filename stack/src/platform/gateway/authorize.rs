//! Request authorizers: which one is called, and which results are cached for how long. A failure
//! is never cached.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::INTEGRATION;
use super::answers::Refusal;
use super::event::Call;
use super::policy::{Decision, Policy};
use crate::platform::functions::Functions;
use template::apis::{Authorizer, Identity};

/// Above this number, expired results are removed whenever a new one is added.
const MANY: usize = 10_000;

/// API, authorizer and the values of the identity sources.
type Key = (String, String, Vec<String>);

/// The cached results. The policy is cached, not the decision: every request is decided by its own
/// method ARN.
#[derive(Debug, Default)]
pub(crate) struct Kept(Mutex<HashMap<Key, (Instant, Arc<Policy>)>>);

impl Kept {
    /// The policy that allows this call, from the authorizer or from the cache.
    pub(crate) async fn authorize(&self, functions: &Functions, authorizer: &Authorizer, call: &Call<'_>) -> Result<Arc<Policy>, Refusal> {
        let Authorizer::Request { function, identity, cached, .. } = authorizer else { return Err(Refusal::AuthorizerFailed) };
        let values = identity.iter().map(|source| {
            let Identity::Header(name) = source else { return None };
            let value = call.headers.get(name)?.to_str().ok()?;
            (!value.is_empty()).then(|| value.to_owned())
        });
        let values: Vec<String> = values.collect::<Option<_>>().ok_or(Refusal::Unauthorized)?;
        let key = (call.api.id.clone(), call.found.route.authorizer.clone().unwrap_or_default(), values);
        let method_arn = call.method_arn();
        let policy = match self.find(&key) {
            Some(policy) => policy,
            None => {
                let policy = Arc::new(ask(functions, function, call, &method_arn).await?);
                self.keep(key, *cached, &policy);
                policy
            }
        };
        match policy.decide(&method_arn) {
            Decision::Allow => Ok(policy),
            Decision::ImplicitDeny => Err(Refusal::ImplicitDeny),
            Decision::ExplicitDeny => Err(Refusal::ExplicitDeny),
        }
    }

    fn find(&self, key: &Key) -> Option<Arc<Policy>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(key).filter(|(until, _)| *until > Instant::now()).map(|(_, policy)| Arc::clone(policy))
    }

    fn keep(&self, key: Key, cached: Duration, policy: &Arc<Policy>) {
        // Without identity sources there is no key to cache a result under.
        if cached.is_zero() || key.2.is_empty() {
            return;
        }
        let now = Instant::now();
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MANY {
            kept.retain(|_, (until, _)| *until > now);
        }
        kept.insert(key, (now + cached, Arc::clone(policy)));
    }
}

async fn ask(functions: &Functions, function: &str, call: &Call<'_>, method_arn: &str) -> Result<Policy, Refusal> {
    let event = call.authorizer_event(method_arn);
    let invoked = tokio::time::timeout(INTEGRATION, functions.invoke(function, event, Some(call.trace), None)).await;
    let invoked = invoked.map_err(|_| Refusal::AuthorizerFailed)?.map_err(|_| Refusal::AuthorizerFailed)?;
    if invoked.failed {
        // The one error that the gateway understands: an authorizer that throws exactly this word.
        let error: Option<serde_json::Value> = serde_json::from_slice(&invoked.payload).ok();
        let says = error.as_ref().and_then(|error| error.get("errorMessage")).and_then(|message| message.as_str());
        return Err(if says == Some("Unauthorized") { Refusal::Unauthorized } else { Refusal::AuthorizerFailed });
    }
    Policy::read(&invoked.payload).ok_or(Refusal::AuthorizerFailed)
}
