//! `thermostat-api`: decides who may read and control which thermostat, over HTTP. A failing
//! dependency is 503, never a denial and never a success.

mod command;
mod devices;
mod permission;
mod shadow;

use crate::weaknesses::ThermostatWeakness;
use aws_config::SdkConfig;
use command::{Action, Command};
use devices::Devices;
use functions::failure::DependencyFailure;
use functions::http_event::{HttpEvent, answer, message, unavailable};
use functions::key_set::IssuerError;
use functions::settings::{Reader, SettingsError};
use functions::tokens::{Caller, Claims, TokenError, TokenUse, Verifier, read_unverified};
use functions::weaknesses::Weaknesses;
use permission::{Evaluation, Permissions};
use serde_json::{Value, json};
use shadow::Shadows;

/// The function's environment variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// `TABLE_NAME`: who owns which device.
    pub table: String,
    /// `POLICY_STORE_ID`
    pub policy_store: String,
    /// `ISSUER`: the user pool's address.
    pub issuer: String,
    /// `CLIENT_ID`: the pool's client whose tokens are accepted here.
    pub client_id: String,
    /// `WEAKNESSES`
    pub weaknesses: Weaknesses<ThermostatWeakness>,
}

impl Settings {
    /// Reads the variables with `lookup`.
    ///
    /// # Errors
    /// If a variable is missing or invalid; the error names all of them.
    pub fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let mut reader = Reader::new(lookup);
        let settings = Self {
            table: reader.required("TABLE_NAME"),
            policy_store: reader.required("POLICY_STORE_ID"),
            issuer: reader.required("ISSUER"),
            client_id: reader.required("CLIENT_ID"),
            weaknesses: reader.weaknesses(),
        };
        reader.finish(settings)
    }
}

/// The function with its clients.
pub struct ThermostatApi {
    weaknesses: Weaknesses<ThermostatWeakness>,
    tokens: Verifier,
    devices: Devices,
    permissions: Permissions,
    shadows: Shadows,
}

/// Why a request ends without a 200.
#[derive(Debug)]
enum Refusal {
    Unauthorized,
    NotFound,
    NotUnderstood(String),
    Denied(Evaluation),
    Unavailable(DependencyFailure),
}

impl From<DependencyFailure> for Refusal {
    fn from(failure: DependencyFailure) -> Self {
        Self::Unavailable(failure)
    }
}

impl ThermostatApi {
    /// Builds the function from `settings`, with clients from `config`.
    ///
    /// # Errors
    /// If the issuer is not an address.
    pub fn new(settings: Settings, config: &SdkConfig) -> Result<Self, IssuerError> {
        Ok(Self {
            tokens: Verifier::new(&settings.issuer, &settings.client_id, Claims::Checked(TokenUse::Access))?,
            devices: Devices::new(config, settings.table),
            permissions: Permissions::new(config, settings.policy_store),
            shadows: Shadows::new(config),
            weaknesses: settings.weaknesses,
        })
    }

    /// Answers one event of the gateway.
    pub async fn answer(&self, event: Value) -> Value {
        let event = HttpEvent::new(event);
        let answered = match event.route() {
            ("GET", "/items") => self.items(&event).await,
            ("POST", "/control/{deviceId}") => self.control(&event).await,
            _ => Err(Refusal::NotFound),
        };
        answered.unwrap_or_else(|refusal| refusal.into_answer())
    }

    async fn items(&self, event: &HttpEvent) -> Result<Value, Refusal> {
        let caller = self.caller(event).await?;
        let items = self.devices.of(&caller.username).await?;
        let items: Vec<Value> = items.iter().map(|device| json!({"deviceId": device.id, "primaryOwner": device.primary_owner})).collect();
        Ok(answer(200, &Value::Array(items)))
    }

    async fn control(&self, event: &HttpEvent) -> Result<Value, Refusal> {
        let caller = self.caller(event).await?;
        let device = event.path_parameter("deviceId").ok_or_else(|| Refusal::NotUnderstood("no device is named".to_owned()))?;
        let body = event.json_body().ok_or_else(|| Refusal::NotUnderstood("the body is not JSON".to_owned()))?;
        let command = Command::read(&body).map_err(|error| Refusal::NotUnderstood(error.to_string()))?;
        let device = self.devices.find(device).await?.ok_or(Refusal::NotFound)?;
        let evaluation = match self.permissions.ask(&caller.username, &command, &device).await {
            Err(failure) if self.weaknesses.has(ThermostatWeakness::OutageReadsAsDenial) => {
                log(&failure);
                Evaluation::denied()
            }
            asked => asked?,
        };
        if !evaluation.allowed {
            return Err(Refusal::Denied(evaluation));
        }
        let payload = match &command.action {
            Action::Get => json!({"reportedTemperature": self.shadows.reported_temperature(&device.id).await?}),
            Action::Set(_) => self.set(&device.id, &command).await?,
        };
        Ok(answer(200, &json!({"payload": payload, "evaluation": evaluation.document})))
    }

    async fn set(&self, thing: &str, command: &Command) -> Result<Value, DependencyFailure> {
        let document = json!({"state": {"desired": command.desired(!self.weaknesses.has(ThermostatWeakness::ModeDropped))}});
        if self.weaknesses.has(ThermostatWeakness::ShadowWriteNotAwaited) {
            self.shadows.update_later(thing, &document);
            return Ok(document);
        }
        match self.shadows.update(thing, &document).await {
            Err(failure) if self.weaknesses.has(ThermostatWeakness::ShadowErrorSwallowed) => {
                log(&failure);
                Ok(document)
            }
            answered => answered,
        }
    }

    async fn caller(&self, event: &HttpEvent) -> Result<Caller, Refusal> {
        let token = event.bearer_token().ok_or(Refusal::Unauthorized)?;
        let read = if self.weaknesses.has(ThermostatWeakness::TokenNotVerified) {
            read_unverified(token)
        } else {
            self.tokens.verify(token).await
        };
        read.map_err(|error| match error {
            TokenError::Bad(_) => Refusal::Unauthorized,
            TokenError::Keys(failure) => Refusal::Unavailable(failure),
        })
    }
}

impl Refusal {
    fn into_answer(self) -> Value {
        match self {
            Self::Unauthorized => message(401, "Unauthorized"),
            Self::NotFound => message(404, "Not Found"),
            Self::NotUnderstood(why) => message(400, &why),
            Self::Denied(evaluation) => {
                answer(403, &json!({"payload": "Amazon verified permission unauthorized!", "evaluation": evaluation.document}))
            }
            Self::Unavailable(failure) => {
                log(&failure);
                unavailable()
            }
        }
    }
}

fn log(failure: &DependencyFailure) {
    eprintln!("thermostat-api: {failure}");
}
