//! `users-api`: users by id, over HTTP. One binary serves every shape of the API; the gateway
//! decides which routes reach it. A failing table is 503, never a missing user, and nothing is
//! acknowledged before it is written.

mod rows;
mod user;

use crate::weaknesses::UsersWeakness;
use aws_config::SdkConfig;
use functions::clock::Deadline;
use functions::failure::DependencyFailure;
use functions::http_event::{HttpEvent, answer, message, unavailable};
use functions::settings::{Reader, SettingsError};
use functions::weaknesses::Weaknesses;
use rows::{Created, Rows};
use serde_json::{Value, json};
use std::time::Duration;
use user::{NotUnderstood, User};

/// Time to keep in reserve for the answer.
const TO_ANSWER: Duration = Duration::from_secs(1);

/// The function's environment variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// `TABLE_NAME`: the users of all shapes.
    pub table: String,
    /// `SHAPE`: the prefix of this shape's keys, so that no shape sees another's users.
    pub shape: String,
    /// `WEAKNESSES`
    pub weaknesses: Weaknesses<UsersWeakness>,
}

impl Settings {
    /// Reads the variables with `lookup`.
    ///
    /// # Errors
    /// If a variable is missing or invalid; the error names all of them.
    pub fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let mut reader = Reader::new(lookup);
        let settings = Self { table: reader.required("TABLE_NAME"), shape: reader.required("SHAPE"), weaknesses: reader.weaknesses() };
        reader.finish(settings)
    }
}

/// The function with its client.
pub struct UsersApi {
    weaknesses: Weaknesses<UsersWeakness>,
    rows: Rows,
}

/// Why a request ends without a 2xx.
#[derive(Debug)]
enum Refusal {
    NotFound,
    NotUnderstood(NotUnderstood),
    Taken,
    Unavailable(DependencyFailure),
}

impl From<DependencyFailure> for Refusal {
    fn from(failure: DependencyFailure) -> Self {
        Self::Unavailable(failure)
    }
}

impl From<NotUnderstood> for Refusal {
    fn from(what: NotUnderstood) -> Self {
        Self::NotUnderstood(what)
    }
}

impl UsersApi {
    /// Builds the function from `settings`, with a client from `config`.
    pub fn new(settings: Settings, config: &SdkConfig) -> Self {
        Self { rows: Rows::new(config, settings.table, &settings.shape), weaknesses: settings.weaknesses }
    }

    /// Answers one event of the gateway before `deadline`.
    pub async fn answer(&self, event: Value, deadline: Deadline) -> Value {
        let event = HttpEvent::new(event);
        let answered = match deadline.limit(TO_ANSWER, self.route(&event)).await {
            Ok(answered) => answered,
            Err(late) => Err(DependencyFailure::new(rows::SERVICE, late.to_string()).into()),
        };
        answered.unwrap_or_else(Refusal::into_answer)
    }

    async fn route(&self, event: &HttpEvent) -> Result<Value, Refusal> {
        match event.route() {
            ("GET", "/users") => self.list(event).await,
            ("POST", "/users") => self.create(event).await,
            ("GET", "/users/{id}") => self.get(event).await,
            ("PUT", "/users/{id}") => self.replace(event).await,
            ("DELETE", "/users/{id}") => self.delete(event).await,
            _ => Err(Refusal::NotFound),
        }
    }

    async fn list(&self, event: &HttpEvent) -> Result<Value, Refusal> {
        let after = event.query_parameter("after").map(|after| user::id(after, "after")).transpose()?;
        let page = self.rows.list(after).await?;
        let users: Vec<Value> = page.users.iter().map(User::document).collect();
        Ok(answer(200, &json!({"users": users, "next": page.next})))
    }

    async fn get(&self, event: &HttpEvent) -> Result<Value, Refusal> {
        let id = path_id(event)?;
        let found = self.rows.find(id).await.or_else(|failure| self.absence(failure))?;
        found.map(|user| answer(200, &user.document())).ok_or(Refusal::NotFound)
    }

    async fn create(&self, event: &HttpEvent) -> Result<Value, Refusal> {
        let user = User::read(event.json_body(), None)?;
        let created = || answer(201, &user.document());
        if self.weaknesses.has(UsersWeakness::CreateOverwrites) {
            self.rows.put(&user).await?;
            return Ok(created());
        }
        let made = if self.weaknesses.has(UsersWeakness::WriteNotAwaited) {
            self.rows.create_later(&user).await?
        } else {
            self.rows.create(&user).await?
        };
        match made {
            Created::New => Ok(created()),
            Created::Before => Ok(answer(200, &user.document())),
            Created::Other => Err(Refusal::Taken),
        }
    }

    async fn replace(&self, event: &HttpEvent) -> Result<Value, Refusal> {
        let user = User::read(event.json_body(), Some(path_id(event)?))?;
        if self.weaknesses.has(UsersWeakness::WriteNotAwaited) {
            let there = self.rows.replace_later(&user).await?;
            return there.then(|| answer(200, &user.document())).ok_or(Refusal::NotFound);
        }
        let replaced = self.rows.replace(&user).await.map(|there| there.then_some(())).or_else(|failure| self.absence(failure))?;
        replaced.map(|()| answer(200, &user.document())).ok_or(Refusal::NotFound)
    }

    async fn delete(&self, event: &HttpEvent) -> Result<Value, Refusal> {
        let id = path_id(event)?;
        if self.weaknesses.has(UsersWeakness::WriteNotAwaited) {
            self.rows.delete_later(id);
        } else {
            self.rows.delete(id).await?;
        }
        Ok(json!({"statusCode": 204, "body": "", "isBase64Encoded": false}))
    }

    /// A failure stays a failure, except with the weakness `outage-reads-as-absence`.
    fn absence<T>(&self, failure: DependencyFailure) -> Result<Option<T>, DependencyFailure> {
        if self.weaknesses.has(UsersWeakness::OutageReadsAsAbsence) {
            log(&failure);
            return Ok(None);
        }
        Err(failure)
    }
}

fn path_id(event: &HttpEvent) -> Result<&str, NotUnderstood> {
    user::id(event.path_parameter("id").unwrap_or_default(), "id")
}

impl Refusal {
    fn into_answer(self) -> Value {
        match self {
            Self::NotFound => message(404, "Not Found"),
            Self::NotUnderstood(what) => message(400, &what.to_string()),
            Self::Taken => message(409, "there is a user with this id and other values"),
            Self::Unavailable(failure) => {
                log(&failure);
                unavailable()
            }
        }
    }
}

fn log(failure: &DependencyFailure) {
    eprintln!("users-api: {failure}");
}
