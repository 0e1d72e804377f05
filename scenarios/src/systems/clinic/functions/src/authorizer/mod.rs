//! `authorizer`: one request authorizer for two user pools. The gateway caches its answer per
//! token, so the answer must be right for every path of that token. A failing dependency is an
//! error, which is not cached, and never a Deny, which would be.

mod appointments_table;
mod method_arn;
mod permission;
mod policy_document;

use crate::weaknesses::AuthorizerWeakness;
use appointments_table::AppointmentsTable;
use aws_config::SdkConfig;
use functions::failure::DependencyFailure;
use functions::http_event::HttpEvent;
use functions::key_set::IssuerError;
use functions::settings::{Reader, SettingsError};
use functions::tokens::{Caller, Claims, TokenError, TokenUse, Verifier};
use functions::weaknesses::Weaknesses;
use method_arn::MethodArn;
use permission::{EntityTypes, Permissions};
use policy_document::{Subject, allow, deny};
use serde_json::Value;
use std::time::Duration;
use thiserror::Error;
use tokio::time::timeout;

/// The limit for one answer, all calls together; Lambda ends the function after 3 s.
pub const TIME_LIMIT: Duration = Duration::from_millis(2500);

/// The function's environment variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// `INTERNAL_ISSUER` and `INTERNAL_CLIENT_ID`
    pub internal: PoolSettings,
    /// `EXTERNAL_ISSUER` and `EXTERNAL_CLIENT_ID`
    pub external: PoolSettings,
    /// `POLICY_STORE_ID`
    pub policy_store: String,
    /// `TABLE_NAME`: the appointments.
    pub table: String,
    /// `WEAKNESSES`
    pub weaknesses: Weaknesses<AuthorizerWeakness>,
}

/// One user pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolSettings {
    /// The pool's address.
    pub issuer: String,
    /// The pool's client whose tokens are accepted here.
    pub client_id: String,
}

impl Settings {
    /// Reads the variables with `lookup`.
    ///
    /// # Errors
    /// If a variable is missing or invalid; the error names all of them.
    pub fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let mut reader = Reader::new(lookup);
        let settings = Self {
            internal: PoolSettings { issuer: reader.required("INTERNAL_ISSUER"), client_id: reader.required("INTERNAL_CLIENT_ID") },
            external: PoolSettings { issuer: reader.required("EXTERNAL_ISSUER"), client_id: reader.required("EXTERNAL_CLIENT_ID") },
            policy_store: reader.required("POLICY_STORE_ID"),
            table: reader.required("TABLE_NAME"),
            weaknesses: reader.weaknesses(),
        };
        reader.finish(settings)
    }
}

/// Why the function cannot start.
#[derive(Debug, Error)]
pub enum InitError {
    /// An issuer is not an address.
    #[error(transparent)]
    Issuer(#[from] IssuerError),
    /// With `keys-fetched-once`: the keys could not be fetched.
    #[error(transparent)]
    Keys(#[from] DependencyFailure),
}

/// Why there is no answer; the gateway caches none of these.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AuthorizerError {
    /// A dependency failed.
    #[error(transparent)]
    Dependency(#[from] DependencyFailure),
    /// The calls took too long together.
    #[error("no decision in time")]
    TooLate,
    /// Not an authorizer's event.
    #[error("the event has no method ARN")]
    Event,
}

/// The two user pools.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pool {
    Internal,
    External,
}

impl Pool {
    fn named(client_type: &str) -> Option<Self> {
        [Self::Internal, Self::External].into_iter().find(|pool| pool.name().eq_ignore_ascii_case(client_type.trim()))
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Internal => "internal",
            Self::External => "external",
        }
    }
}

/// The function with its clients.
pub struct Authorizer {
    weaknesses: Weaknesses<AuthorizerWeakness>,
    internal: Verifier,
    external: Verifier,
    appointments: AppointmentsTable,
    permissions: Permissions,
}

impl Authorizer {
    /// Builds the function from `settings`, with clients from `config`.
    ///
    /// # Errors
    /// If an issuer is not an address, or if keys that must be fetched at start cannot be.
    pub async fn new(settings: Settings, config: &SdkConfig) -> Result<Self, InitError> {
        let shared = settings.weaknesses.has(AuthorizerWeakness::OneNamespaceForBothPools);
        Ok(Self {
            internal: verifier(&settings.internal, &settings.weaknesses).await?,
            external: verifier(&settings.external, &settings.weaknesses).await?,
            appointments: AppointmentsTable::new(config, settings.table),
            permissions: Permissions::new(config, settings.policy_store, if shared { EntityTypes::SHARED } else { EntityTypes::BY_POOL }),
            weaknesses: settings.weaknesses,
        })
    }

    /// The policy for one event of the gateway.
    ///
    /// # Errors
    /// If no decision is possible; the gateway then answers 500 and caches nothing.
    pub async fn answer(&self, event: Value) -> Result<Value, AuthorizerError> {
        let event = HttpEvent::new(event);
        let decided = timeout(TIME_LIMIT, self.decide(&event)).await.unwrap_or(Err(AuthorizerError::TooLate));
        match decided {
            Err(error) if self.weaknesses.has(AuthorizerWeakness::ErrorCachedAsDeny) => {
                eprintln!("authorizer: {error}");
                Ok(deny(None, "*"))
            }
            Err(error) => {
                eprintln!("authorizer: {error}");
                Err(error)
            }
            decided => decided,
        }
    }

    async fn decide(&self, event: &HttpEvent) -> Result<Value, AuthorizerError> {
        let arn = MethodArn::read(event.method_arn()).ok_or(AuthorizerError::Event)?;
        let (Some(token), Some(pool)) = (event.bearer_token(), event.header("clienttype").and_then(Pool::named)) else {
            return Ok(deny(None, "*"));
        };
        let verifier = match pool {
            Pool::Internal => &self.internal,
            Pool::External => &self.external,
        };
        let caller = match verifier.verify(token).await {
            Ok(caller) => caller,
            Err(TokenError::Bad(_)) => return Ok(deny(None, "*")),
            Err(TokenError::Keys(failure)) => return Err(failure.into()),
        };
        let subject = Subject { caller: &caller, pool: pool.name() };
        if self.weaknesses.has(AuthorizerWeakness::PolicyNamesOnePath) {
            return self.decide_one_path(&arn, pool, &caller, &subject).await;
        }
        let permitted = self.permitted(&arn, pool, &caller).await?;
        Ok(if permitted.is_empty() { deny(Some(&subject), "*") } else { allow(&subject, permitted) })
    }

    /// The ARNs of everything that the caller may see, independent of what this request asks.
    async fn permitted(&self, arn: &MethodArn<'_>, pool: Pool, caller: &Caller) -> Result<Vec<String>, AuthorizerError> {
        let appointments = self.appointments.all().await?;
        let permitted = self.permissions.those_permitted(pool, &caller.username, &appointments).await?;
        Ok(permitted.into_iter().filter_map(|appointment| arn.of_appointment(&appointment.id)).collect())
    }

    /// The weakness `policy-names-one-path`: right for this request, wrong for the token's next
    /// one.
    async fn decide_one_path(
        &self,
        arn: &MethodArn<'_>,
        pool: Pool,
        caller: &Caller,
        subject: &Subject<'_>,
    ) -> Result<Value, AuthorizerError> {
        let appointment = match arn.appointment() {
            Some(id) => self.appointments.find(id).await?,
            None => None,
        };
        let allowed = match appointment {
            Some(appointment) => self.permissions.is_permitted(pool, &caller.username, &arn.action(), &appointment).await?,
            None => false,
        };
        Ok(if allowed { allow(subject, vec![arn.text().to_owned()]) } else { deny(Some(subject), arn.text()) })
    }
}

async fn verifier(pool: &PoolSettings, weaknesses: &Weaknesses<AuthorizerWeakness>) -> Result<Verifier, InitError> {
    let ignored = weaknesses.has(AuthorizerWeakness::ClaimsNotChecked);
    let claims = if ignored { Claims::Ignored } else { Claims::Checked(TokenUse::Id) };
    let verifier = Verifier::new(&pool.issuer, &pool.client_id, claims)?;
    Ok(if weaknesses.has(AuthorizerWeakness::KeysFetchedOnce) { verifier.with_frozen_keys().await? } else { verifier })
}
