//! The table of users. A row that cannot be read is a failure of the table, never a missing user.
//! Conditions are checked in the table itself, so that two concurrent requests cannot both succeed.

use super::user::User;
use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::put_item::builders::PutItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};
use functions::failure::DependencyFailure;
use std::collections::HashMap;

pub(super) const SERVICE: &str = "dynamodb";

/// The most users in one answer.
const PAGE: usize = 25;

type Row = HashMap<String, AttributeValue>;

/// The rows of one shape.
#[derive(Clone)]
pub(super) struct Rows {
    client: Client,
    table: String,
    /// The prefix of this shape's keys.
    prefix: String,
}

/// The result of a create.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Created {
    /// The user is new.
    New,
    /// The same user existed already.
    Before,
    /// A user with other values existed already.
    Other,
}

/// One page of users.
pub(super) struct Page {
    pub(super) users: Vec<User>,
    /// The last id of this page, if there are more.
    pub(super) next: Option<String>,
}

impl Rows {
    pub(super) fn new(config: &SdkConfig, table: String, shape: &str) -> Self {
        Self { client: Client::new(config), table, prefix: format!("{shape}#") }
    }

    fn key(&self, id: &str) -> AttributeValue {
        AttributeValue::S(format!("{}{id}", self.prefix))
    }

    /// The user with that id, if it exists.
    pub(super) async fn find(&self, id: &str) -> Result<Option<User>, DependencyFailure> {
        let asked = self.client.get_item().table_name(&self.table).key("id", self.key(id)).consistent_read(true);
        let found = asked.send().await.map_err(|error| DependencyFailure::of(SERVICE, &error))?;
        found.item().map(|row| self.read(row)).transpose()
    }

    /// Puts a user that does not exist yet.
    pub(super) async fn create(&self, user: &User) -> Result<Created, DependencyFailure> {
        let put = self
            .put_item(user)
            .condition_expression("attribute_not_exists(id)")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let Err(error) = put.send().await else { return Ok(Created::New) };
        let there = error.as_service_error().and_then(|error| match error {
            aws_sdk_dynamodb::operation::put_item::PutItemError::ConditionalCheckFailedException(failed) => failed.item(),
            _ => None,
        });
        let row = there.ok_or_else(|| DependencyFailure::of(SERVICE, &error))?;
        Ok(if self.read(row)? == *user { Created::Before } else { Created::Other })
    }

    /// Replaces the user with that id; false if it does not exist.
    pub(super) async fn replace(&self, user: &User) -> Result<bool, DependencyFailure> {
        match self.put_item(user).condition_expression("attribute_exists(id)").send().await {
            Ok(_) => Ok(true),
            Err(error) if error.as_service_error().is_some_and(|error| error.is_conditional_check_failed_exception()) => Ok(false),
            Err(error) => Err(DependencyFailure::of(SERVICE, &error)),
        }
    }

    /// Puts a user, and replaces an existing one.
    pub(super) async fn put(&self, user: &User) -> Result<(), DependencyFailure> {
        self.put_item(user).send().await.map(drop).map_err(|error| DependencyFailure::of(SERVICE, &error))
    }

    pub(super) async fn delete(&self, id: &str) -> Result<(), DependencyFailure> {
        let deleted = self.client.delete_item().table_name(&self.table).key("id", self.key(id)).send().await;
        deleted.map(drop).map_err(|error| DependencyFailure::of(SERVICE, &error))
    }

    /// The first users after that id, in the table's own order, which is arbitrary.
    pub(super) async fn list(&self, after: Option<&str>) -> Result<Page, DependencyFailure> {
        let mut start = after.map(|id| HashMap::from([("id".to_owned(), self.key(id))]));
        let mut users = Vec::new();
        loop {
            let scan = self
                .client
                .scan()
                .table_name(&self.table)
                .filter_expression("begins_with(id, :shape)")
                .expression_attribute_values(":shape", AttributeValue::S(self.prefix.clone()))
                .set_exclusive_start_key(start)
                .consistent_read(true);
            let page = scan.send().await.map_err(|error| DependencyFailure::of(SERVICE, &error))?;
            for row in page.items() {
                users.push(self.read(row)?);
            }
            start = page.last_evaluated_key().cloned();
            if users.len() > PAGE || start.is_none() {
                break;
            }
        }
        let more = users.len() > PAGE;
        users.truncate(PAGE);
        let next = users.last().filter(|_| more).map(|user| user.id.clone());
        Ok(Page { users, next })
    }

    /// Reads, and starts the write without waiting for it: the weakness `write-not-awaited`.
    pub(super) async fn create_later(&self, user: &User) -> Result<Created, DependencyFailure> {
        Ok(match self.find(&user.id).await? {
            Some(found) if found == *user => Created::Before,
            Some(_) => Created::Other,
            None => {
                self.put_later(user);
                Created::New
            }
        })
    }

    /// The same for a replacement.
    pub(super) async fn replace_later(&self, user: &User) -> Result<bool, DependencyFailure> {
        let there = self.find(&user.id).await?.is_some();
        if there {
            self.put_later(user);
        }
        Ok(there)
    }

    /// It reads once more before it writes, so the environment is frozen between the read and the
    /// write.
    fn put_later(&self, user: &User) {
        let (rows, user) = (self.clone(), user.clone());
        tokio::spawn(async move {
            let written = match rows.find(&user.id).await {
                Ok(_) => rows.put(&user).await,
                Err(failure) => Err(failure),
            };
            left_behind(written);
        });
    }

    /// The same for a delete.
    pub(super) fn delete_later(&self, id: &str) {
        let (rows, id) = (self.clone(), id.to_owned());
        tokio::spawn(async move {
            let deleted = match rows.find(&id).await {
                Ok(_) => rows.delete(&id).await,
                Err(failure) => Err(failure),
            };
            left_behind(deleted);
        });
    }

    fn put_item(&self, user: &User) -> PutItemFluentBuilder {
        self.client
            .put_item()
            .table_name(&self.table)
            .item("id", self.key(&user.id))
            .item("name", AttributeValue::S(user.name.clone()))
            .item("email", AttributeValue::S(user.email.clone()))
    }

    fn read(&self, row: &Row) -> Result<User, DependencyFailure> {
        let strange = |name: &str| DependencyFailure::new(SERVICE, format!("a row without `{name}`"));
        let text = |name: &str| row.get(name).and_then(|value| value.as_s().ok()).ok_or_else(|| strange(name));
        let id = text("id")?.strip_prefix(&self.prefix).ok_or_else(|| strange("id"))?;
        Ok(User { id: id.to_owned(), name: text("name")?.clone(), email: text("email")?.clone() })
    }
}

fn left_behind(outcome: Result<(), DependencyFailure>) {
    if let Err(failure) = outcome {
        eprintln!("users-api: left behind: {failure}");
    }
}
