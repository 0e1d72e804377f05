//! Authorizers: who may call a method, which function is asked, and which results are cached for
//! how long. A failure is never cached, and never grants.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use faults::Entry;
use regex::Regex;
use serde_json::{Map, Value};
use template::apis::{Api, Authorizer, Identity, Payload};

use super::call::Call;
use super::condition::Facts;
use super::grant::{Grant, ROOT};
use super::issuers::{Issuers, TokenError, issuer_in};
use super::policy::{Decision, Form, Granted, Policy};
use super::refusal::Refusal;
use super::routes::Front;
use super::{event_v1, event_v2, signature};
use crate::platform::functions::Functions;
use crate::platform::names::ACCOUNT;

/// Above this number, expired results are removed whenever a new one is added.
const MANY: usize = 10_000;
/// How long an authorizer may take. Sources: "Quotas for REST APIs" (the integration timeout, 29 s)
/// and "Quotas for HTTP APIs" (authorizer response timeout, 10 s).
const REST_LIMIT: Duration = Duration::from_secs(29);
const HTTP_LIMIT: Duration = Duration::from_secs(10);

/// API, authorizer and the values of the identity sources.
type Key = (String, String, Vec<String>);

/// What decides, and the cached results. The policy is cached, not the decision: every request is
/// decided by its own method ARN.
#[derive(Debug)]
pub(crate) struct Authorizers {
    cached: Mutex<HashMap<Key, (Instant, Arc<Granted>)>>,
    /// Validation expressions by their text; `None` if one is not understood, which no token fits.
    expressions: HashMap<String, Option<Regex>>,
    issuers: Issuers,
}

impl Authorizers {
    /// Nothing is cached yet.
    pub(crate) fn new<'a>(apis: impl Iterator<Item = &'a Api>, issuers: Issuers) -> Self {
        let expression = |authorizer: &Authorizer| match authorizer {
            Authorizer::Token { pattern: Some(pattern), .. } => Some((pattern.clone(), Regex::new(&format!("^(?:{pattern})$")).ok())),
            _ => None,
        };
        let expressions = apis.flat_map(|api| api.authorizers.values()).filter_map(expression).collect();
        Self { cached: Mutex::default(), expressions, issuers }
    }

    /// What lets this call pass: the authorizer of its route and the resource policy of its API
    /// together. Source: "How API Gateway resource policies affect authorization workflow".
    pub(crate) async fn authorize(
        &self,
        functions: &Functions,
        policy: Option<&Policy>,
        call: &Call<'_>,
        body: &Bytes,
    ) -> Result<Grant, Refusal> {
        let authorizer = match &call.found.route.authorizer {
            None => None,
            // A route whose authorizer is missing must not be open.
            Some(name) => Some((name, call.api.authorizers.get(name).ok_or(Refusal::AuthorizerFailed)?)),
        };
        let resource = |signed: bool| policy.map(|policy| policy.decide(&call.method_arn(), &facts(call, signed)));
        let allowed = |decision: Option<Decision>| match decision {
            None | Some(Decision::Allow) => Ok(()),
            Some(decision) => Err(denied(call, decision)),
        };
        match authorizer {
            None => allowed(resource(false)).map(|()| Grant::Open),
            Some((_, Authorizer::Iam)) => {
                signature::check(call, body)?;
                // The account's key is the account's own: only a denial takes its rights away.
                allowed(resource(true).filter(|decision| *decision == Decision::ExplicitDeny)).map(|()| Grant::Signature)
            }
            Some((_, Authorizer::Cognito { pools, header })) => {
                let grant = self.cognito(pools, header, call).await.map_err(|error| refused(functions, call, error))?;
                allowed(resource(false)).map(|()| grant)
            }
            Some((_, Authorizer::Jwt { issuer, audience, identity })) => {
                self.jwt(issuer, audience, identity, call).await.map_err(|error| refused(functions, call, error))
            }
            Some((name, Authorizer::Token { .. } | Authorizer::Request { .. })) => {
                let resource = resource(false);
                if resource == Some(Decision::ExplicitDeny) {
                    return Err(denied(call, Decision::ExplicitDeny));
                }
                let granted = self.function(functions, name, call).await?;
                let decision = granted.decide(&call.method_arn(), &facts(call, false));
                match resource.map_or(decision, |resource| decision.and(resource)) {
                    Decision::Allow => Ok(Grant::Function(granted)),
                    Decision::ImplicitDeny => Err(Refusal::ImplicitDeny),
                    Decision::ExplicitDeny => Err(Refusal::ExplicitDeny),
                }
            }
        }
    }

    /// The result of an authorizer that is a function, from the cache or from the function.
    async fn function(&self, functions: &Functions, name: &str, call: &Call<'_>) -> Result<Arc<Granted>, Refusal> {
        let (sources, cached, token) = match call.api.authorizers.get(name) {
            Some(Authorizer::Request { identity, cached, .. }) => (Cow::Borrowed(identity.as_slice()), *cached, false),
            Some(Authorizer::Token { header, cached, .. }) => (Cow::Owned(vec![Identity::Header(header.clone())]), *cached, true),
            _ => return Err(Refusal::AuthorizerFailed),
        };
        let values = sources.iter().map(|source| call.identity(source));
        let values: Vec<Cow<'_, str>> = values.collect::<Option<_>>().ok_or(Refusal::Unauthorized)?;
        if let (true, Some(Authorizer::Token { pattern: Some(pattern), .. })) = (token, call.api.authorizers.get(name)) {
            let fits = |regex: &Regex| values.first().is_some_and(|value| regex.is_match(value));
            if !self.expressions.get(pattern).and_then(Option::as_ref).is_some_and(fits) {
                return Err(Refusal::Unauthorized);
            }
        }
        // Without identity sources there is no key to cache a result under.
        let key = (!cached.is_zero() && !values.is_empty())
            .then(|| (call.api.id.clone(), name.to_owned(), values.iter().map(|value| value.clone().into_owned()).collect::<Vec<_>>()));
        if let Some(granted) = key.as_ref().and_then(|key| self.find(key)) {
            return Ok(granted);
        }
        let granted = Arc::new(ask(functions, name, call, &values).await?);
        if let Some(key) = key {
            self.keep(key, cached, &granted);
        }
        Ok(granted)
    }

    fn find(&self, key: &Key) -> Option<Arc<Granted>> {
        let cached = self.cached.lock().unwrap_or_else(PoisonError::into_inner);
        cached.get(key).filter(|(until, _)| *until > Instant::now()).map(|(_, granted)| Arc::clone(granted))
    }

    fn keep(&self, key: Key, time: Duration, granted: &Arc<Granted>) {
        let now = Instant::now();
        let mut cached = self.cached.lock().unwrap_or_else(PoisonError::into_inner);
        if cached.len() >= MANY {
            cached.retain(|_, (until, _)| *until > now);
        }
        cached.insert(key, (now + time, Arc::clone(granted)));
    }

    /// A user pool's token. Source: "Control access to REST APIs using Amazon Cognito user pools":
    /// without scopes the token must be an identity token, with scopes an access token.
    async fn cognito(&self, pools: &[String], header: &str, call: &Call<'_>) -> Result<Grant, TokenError> {
        let token = bearer(call.header(header).ok_or(TokenError::Missing)?);
        let claimed = issuer_in(token).ok_or(TokenError::Invalid("the token is malformed"))?;
        let pool = pools.iter().filter_map(|name| self.issuers.pool(name)).find(|pool| pool.issuer == claimed);
        let pool = pool.ok_or(TokenError::Invalid("the token has an invalid issuer"))?;
        let claims = self.issuers.claims(&pool.issuer, token).await?;
        let scopes = &call.found.route.scopes;
        let wanted = if scopes.is_empty() { "id" } else { "access" };
        if claims.get("token_use").and_then(Value::as_str) != Some(wanted) {
            return Err(TokenError::Invalid("the token is for another use"));
        }
        let scopes = granted_scopes(&claims, scopes).ok_or(TokenError::Invalid("the token has none of the scopes"))?;
        Ok(Grant::Token { claims, scopes })
    }

    /// Source: "Control access to HTTP APIs with JWT authorizers".
    async fn jwt(&self, issuer: &str, audience: &[String], identity: &Identity, call: &Call<'_>) -> Result<Grant, TokenError> {
        let token = call.identity(identity).ok_or(TokenError::Missing)?;
        let claims = self.issuers.claims(self.issuers.local(issuer), bearer(&token)).await?;
        // `client_id` is looked at only if there is no `aud`.
        let found = match claims.get("aud").or_else(|| claims.get("client_id")) {
            Some(Value::String(one)) => audience.contains(one),
            Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).any(|one| audience.iter().any(|wanted| wanted == one)),
            _ => false,
        };
        if !found {
            return Err(TokenError::Invalid("the token does not have a valid audience"));
        }
        let scopes = granted_scopes(&claims, &call.found.route.scopes).ok_or(TokenError::Scope)?;
        Ok(Grant::Token { claims, scopes })
    }
}

/// The scopes of the route that the token has; `None` if the route has scopes and the token none of
/// them.
fn granted_scopes(claims: &Map<String, Value>, wanted: &[String]) -> Option<Option<Vec<String>>> {
    if wanted.is_empty() {
        return Some(None);
    }
    let has = |scope: &&String| match claims.get("scope").or_else(|| claims.get("scp")) {
        Some(Value::String(all)) => all.split(' ').any(|one| one == scope.as_str()),
        Some(Value::Array(all)) => all.iter().any(|one| one.as_str() == Some(scope.as_str())),
        _ => false,
    };
    let found: Vec<String> = wanted.iter().filter(has).cloned().collect();
    (!found.is_empty()).then_some(Some(found))
}

/// A token with or without `Bearer `.
fn bearer(value: &str) -> &str {
    let (scheme, token) = value.split_once(' ').unwrap_or(("", value));
    if scheme.eq_ignore_ascii_case("bearer") { token.trim() } else { value }
}

fn facts<'a>(call: &'a Call<'_>, signed: bool) -> Facts<'a> {
    Facts {
        source: call.peer,
        agent: call.header("user-agent"),
        referer: call.header("referer"),
        principal: signed.then_some(&[ACCOUNT, ROOT]),
    }
}

fn denied(call: &Call<'_>, decision: Decision) -> Refusal {
    Refusal::PolicyDeny { explicit: decision == Decision::ExplicitDeny, method_arn: call.method_arn() }
}

/// The answer to a token that is not valid. Why an issuer's keys are not there is noted once.
fn refused(functions: &Functions, call: &Call<'_>, error: TokenError) -> Refusal {
    match error {
        TokenError::Missing => Refusal::Unauthorized,
        TokenError::Expired => Refusal::ExpiredToken,
        TokenError::Scope => Refusal::InsufficientScope,
        TokenError::Invalid(why) if call.front == Front::Http => Refusal::InvalidToken(why),
        TokenError::Invalid(_) => Refusal::Unauthorized,
        TokenError::NoKeys(why) => {
            if let Some(what) = why {
                // The ledger is closed when the platform ends.
                let _ = functions.machine.ledger.send(Entry::Note { place: call.api.name.clone(), what });
            }
            Refusal::InvalidToken("the keys of the issuer cannot be had")
        }
    }
}

async fn ask(functions: &Functions, name: &str, call: &Call<'_>, values: &[Cow<'_, str>]) -> Result<Granted, Refusal> {
    let method_arn = call.method_arn();
    let (function, event, form) = match call.api.authorizers.get(name) {
        Some(Authorizer::Token { function, .. }) => {
            (function, event_v1::of_token(&method_arn, values.first().map_or("", |value| value)), Form::Rest)
        }
        Some(Authorizer::Request { function, payload, simple, .. }) => {
            let event = match payload {
                Payload::V1 => event_v1::of_authorizer(call, &method_arn, values),
                Payload::V2 => event_v2::of_authorizer(call, &method_arn, values),
            };
            let form = match (call.front, simple) {
                (Front::Rest, _) => Form::Rest,
                (_, true) => Form::Simple,
                (_, false) => Form::Http,
            };
            (function, event, form)
        }
        _ => return Err(Refusal::AuthorizerFailed),
    };
    let limit = if call.front == Front::Rest { REST_LIMIT } else { HTTP_LIMIT };
    let invoked = tokio::time::timeout(limit, functions.invoke(function, event, Some(call.trace), None)).await;
    let invoked = invoked.map_err(|_| Refusal::AuthorizerFailed)?.map_err(|_| Refusal::AuthorizerFailed)?;
    if invoked.failed {
        // The one error that REST APIs understand: an authorizer that throws exactly this word.
        let error: Option<Value> = serde_json::from_slice(&invoked.payload).ok();
        let says = error.as_ref().and_then(|error| error.get("errorMessage")).and_then(|message| message.as_str());
        let is_word = says == Some("Unauthorized") && call.front == Front::Rest;
        return Err(if is_word { Refusal::Unauthorized } else { Refusal::AuthorizerFailed });
    }
    Granted::read(&invoked.payload, form).ok_or(Refusal::AuthorizerFailed)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_token_needs_one_of_the_scopes() {
        let claims = |claims: Value| claims.as_object().unwrap().clone();
        let wanted = ["read".to_owned(), "write".to_owned()];
        for (token, scopes) in [
            (json!({ "scope": "openid write" }), Some(Some(vec!["write".to_owned()]))),
            (json!({ "scp": ["read"] }), Some(Some(vec!["read".to_owned()]))),
            (json!({ "scope": "reads" }), None),
            (json!({}), None),
        ] {
            assert_eq!(granted_scopes(&claims(token.clone()), &wanted), scopes, "{token}");
        }
        assert_eq!(granted_scopes(&claims(json!({})), &[]), Some(None));
    }

    #[test]
    fn a_bearer_prefix_is_taken_off() {
        for (value, token) in [("Bearer a.b.c", "a.b.c"), ("bearer a", "a"), ("a.b.c", "a.b.c"), ("Basic x", "Basic x"), ("", "")] {
            assert_eq!(bearer(value), token);
        }
    }
}
