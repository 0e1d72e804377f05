//! The rows: one for each record, put by the function that ingests it. The archiver claims the row
//! first, and a record is withdrawn only by deleting a row that is not claimed and that no other
//! request relies on. So a record is either archived or refused, whatever the order of events.

use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure};
use functions::clock::iso8601;
use functions::failure::DependencyFailure;
use std::collections::HashMap;
use std::time::SystemTime;

const SERVICE: &str = "dynamodb";
const ID: &str = "sourceTransactionID";
const SHA256: &str = "sha256";
/// The requests that rely on the row.
const REQUESTS: &str = "requests";

/// A flag that a row holds about its record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flag {
    /// It is being archived, or was.
    Archiving,
    Archived,
    Described,
    Closed,
}

impl Flag {
    const fn name(self) -> &'static str {
        match self {
            Self::Archiving => "archiving",
            Self::Archived => "archived",
            Self::Described => "described",
            Self::Closed => "closed",
        }
    }
}

/// A row that was read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Row(HashMap<String, AttributeValue>);

impl Row {
    pub(crate) fn has(&self, flag: Flag) -> bool {
        self.0.get(flag.name()) == Some(&AttributeValue::Bool(true))
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_s().ok().map(String::as_str)
    }

    pub(crate) fn has_digest(&self, sha256: &str) -> bool {
        self.text(SHA256) == Some(sha256)
    }

    fn requests(&self) -> &[String] {
        self.0.get(REQUESTS).and_then(|requests| requests.as_ss().ok()).map_or(&[], Vec::as_slice)
    }
}

/// The result of withdrawing a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TakenBack {
    /// The row does not exist (any more): nothing will archive the record.
    Yes,
    /// Another request relies on the row.
    Anothers,
    /// It is being archived already.
    TooLate,
}

/// The table of records.
pub(crate) struct Rows {
    client: Client,
    table: String,
}

impl Rows {
    pub(crate) fn new(config: &SdkConfig, table: String) -> Self {
        Self { client: Client::new(config), table }
    }

    /// Puts the row of a record if it does not exist; otherwise returns the existing one.
    pub(crate) async fn put(&self, id: &str, sha256: &str, request: &str) -> Result<Option<Row>, DependencyFailure> {
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .item(ID, text(id))
            .item(SHA256, text(sha256))
            .item("receivedAt", text(&iso8601(SystemTime::now())))
            .item(REQUESTS, only(request))
            .condition_expression("attribute_not_exists(#id)")
            .expression_attribute_names("#id", ID)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match put.send().await {
            Ok(_) => Ok(None),
            Err(error) => match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(found)) => {
                    let row = Row(found.item().cloned().unwrap_or_default());
                    // An attempt whose answer was lost.
                    Ok(Some(row).filter(|row| row.requests() != [request]))
                }
                _ => Err(DependencyFailure::of(SERVICE, &error)),
            },
        }
    }

    /// Makes this request rely on the row, so that no other one withdraws the record; `false` if the
    /// row does not exist any more.
    pub(crate) async fn join(&self, id: &str, request: &str) -> Result<bool, DependencyFailure> {
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .key(ID, text(id))
            .condition_expression("attribute_exists(#id)")
            .update_expression("ADD #requests :request")
            .expression_attribute_names("#id", ID)
            .expression_attribute_names("#requests", REQUESTS)
            .expression_attribute_values(":request", only(request));
        Ok(raised(update).await?.is_some())
    }

    /// Deletes the row if this request alone relies on it, unless its record is being archived.
    pub(crate) async fn take_back(&self, id: &str, request: &str) -> Result<TakenBack, DependencyFailure> {
        let delete = self
            .client
            .delete_item()
            .table_name(&self.table)
            .key(ID, text(id))
            .condition_expression("#requests = :request AND attribute_not_exists(#archiving)")
            .expression_attribute_names("#requests", REQUESTS)
            .expression_attribute_names("#archiving", Flag::Archiving.name())
            .expression_attribute_values(":request", only(request))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match delete.send().await {
            Ok(_) => Ok(TakenBack::Yes),
            Err(error) => match error.as_service_error() {
                Some(DeleteItemError::ConditionalCheckFailedException(found)) => Ok(match found.item().cloned().map(Row) {
                    None => TakenBack::Yes,
                    Some(row) if row.requests() == [request] => TakenBack::TooLate,
                    Some(_) => TakenBack::Anothers,
                }),
                _ => Err(DependencyFailure::of(SERVICE, &error)),
            },
        }
    }

    /// The row of a record.
    pub(crate) async fn find(&self, id: &str) -> Result<Option<Row>, DependencyFailure> {
        let found = self.client.get_item().table_name(&self.table).key(ID, text(id)).consistent_read(true).send().await;
        let found = found.map_err(|error| DependencyFailure::of(SERVICE, &error))?;
        Ok(found.item.map(Row))
    }

    /// Raises a flag and sets more attributes; returns the row after that. `None` if the row must
    /// exist and does not.
    pub(crate) async fn raise(
        &self,
        id: &str,
        flag: Flag,
        more: &[(&str, AttributeValue)],
        must_be_there: bool,
    ) -> Result<Option<Row>, DependencyFailure> {
        let mut expression = "SET #flag = :true".to_owned();
        let mut update = self
            .client
            .update_item()
            .table_name(&self.table)
            .key(ID, text(id))
            .expression_attribute_names("#flag", flag.name())
            .expression_attribute_values(":true", AttributeValue::Bool(true))
            .return_values(ReturnValue::AllNew);
        for (n, (name, value)) in more.iter().enumerate() {
            expression.push_str(&format!(", #a{n} = :a{n}"));
            update =
                update.expression_attribute_names(format!("#a{n}"), *name).expression_attribute_values(format!(":a{n}"), value.clone());
        }
        if must_be_there {
            update = update.condition_expression("attribute_exists(#id)").expression_attribute_names("#id", ID);
        }
        raised(update.update_expression(expression)).await
    }
}

async fn raised(update: UpdateItemFluentBuilder) -> Result<Option<Row>, DependencyFailure> {
    match update.send().await {
        Ok(row) => Ok(Some(Row(row.attributes.unwrap_or_default()))),
        Err(error) if matches!(error.as_service_error(), Some(UpdateItemError::ConditionalCheckFailedException(_))) => Ok(None),
        Err(error) => Err(DependencyFailure::of(SERVICE, &error)),
    }
}

/// A set of one text as an attribute.
fn only(text: &str) -> AttributeValue {
    AttributeValue::Ss(vec![text.to_owned()])
}

/// A text as an attribute.
fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}
