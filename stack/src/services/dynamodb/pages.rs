//! A page of a query or a scan: what is asked, checked against the table, and which rows it has.

use std::collections::HashMap;
use std::sync::Arc;

use serde::Deserialize;
use template::blueprint::{Index, Key};
use winterbaume_dynamodb::Item;
use winterbaume_dynamodb::expr::{CompOp, Expr, Operand, parse_expression};
use winterbaume_dynamodb::types::{AttributeValue, PathSegment, render_path};

use super::conditions::{holds, kind_of};
use super::keys::{attributes, code};
use super::paths::{self, Path};
use super::requests::Refusal;
use super::store::{At, Place, Shelf, Sorted, between};
use super::values::{self, INVALID};

/// The most bytes of a page, before the filter. Source: Amazon DynamoDB, "Paginating table query
/// results".
const LARGEST_PAGE: usize = 1024 * 1024;

/// A query or a scan, as asked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub struct Asked {
    /// The table.
    pub table_name: String,
    index_name: Option<String>,
    key_condition_expression: Option<String>,
    filter_expression: Option<String>,
    projection_expression: Option<String>,
    #[serde(default)]
    expression_attribute_names: HashMap<String, String>,
    #[serde(default)]
    expression_attribute_values: HashMap<String, AttributeValue>,
    exclusive_start_key: Option<Item>,
    limit: Option<i64>,
    scan_index_forward: Option<bool>,
    segment: Option<i64>,
    total_segments: Option<i64>,
    select: Option<String>,
    /// `ConsistentRead`.
    #[serde(default)]
    pub consistent_read: bool,
    /// `ReturnConsumedCapacity`.
    pub return_consumed_capacity: Option<String>,
}

/// A query or a scan, checked.
pub struct Plan<'a> {
    rows: &'a Sorted,
    key: &'a Key,
    of_table: &'a Key,
    from: Option<At>,
    to: Option<At>,
    forward: bool,
    condition: Option<Expr>,
    segment: Option<(u64, u64)>,
    limit: usize,
    /// `FilterExpression`.
    pub filter: Option<Expr>,
    /// What of each row is answered; `None` is everything.
    pub projection: Option<Vec<Path>>,
    /// Whether only the numbers are answered.
    pub counts: bool,
    /// What an index holds of each row, if not everything.
    held: Option<Vec<Path>>,
}

/// What a page has.
pub struct Page {
    /// The rows that pass the filter.
    pub rows: Vec<Arc<Item>>,
    /// How many were read.
    pub scanned: usize,
    /// Their bytes.
    pub bytes: usize,
    /// Where the next page begins, if there may be one.
    pub last: Option<Item>,
}

/// Read units of so many bytes. Source: Amazon DynamoDB, read and write capacity.
pub fn read_units(bytes: usize, consistent: bool) -> f64 {
    let whole = u32::try_from(bytes.div_ceil(4096).max(1)).map_or(f64::INFINITY, f64::from);
    if consistent { whole } else { whole / 2.0 }
}

/// Checks what is asked.
///
/// # Errors
/// If DynamoDB would refuse it.
pub fn plan<'a>(operation: &str, mut asked: Asked, shelf: &'a Shelf) -> Result<Plan<'a>, Refusal> {
    let index = match &asked.index_name {
        None => None,
        Some(name) => {
            let found = shelf.index(name);
            Some(found.ok_or_else(|| Refusal::invalid(format!("The table does not have the specified index: {name}")))?)
        }
    };
    let (key, rows) = index.map_or((&shelf.table.key, shelf.all()), |(index, rows)| (&index.key, rows));
    if asked.consistent_read && index.is_some_and(|(index, _)| !index.local) {
        return Err(Refusal::invalid("Consistent reads are not supported on global secondary indexes"));
    }
    let placeholders = values::row(std::mem::take(&mut asked.expression_attribute_values))
        .map_err(|why| Refusal::invalid(format!("ExpressionAttributeValues contains invalid value: {why}")))?;
    let expression = |name: &str, text: Option<&String>| {
        let parsed = text.map(|text| parse_expression(text, &asked.expression_attribute_names, &placeholders));
        parsed.transpose().map_err(|why| Refusal::invalid(format!("Invalid {name}: {why}")))
    };
    let filter = expression("FilterExpression", asked.filter_expression.as_ref())?;
    let condition = expression("KeyConditionExpression", asked.key_condition_expression.as_ref())?;
    let projection = asked.projection_expression.as_deref().map(|text| paths::read(text, &asked.expression_attribute_names));
    let projection = projection.transpose().map_err(Refusal::invalid)?;
    let mut plan = Plan {
        rows,
        key,
        of_table: &shelf.table.key,
        from: None,
        to: None,
        forward: true,
        condition: None,
        segment: segment(&asked)?,
        limit: limit(asked.limit)?,
        filter,
        projection,
        counts: false,
        held: None,
    };
    match operation {
        "Query" => plan.of_query(condition, asked.scan_index_forward)?,
        _ if condition.is_some() || asked.scan_index_forward.is_some() => {
            return Err(Refusal::invalid("a scan has no key condition and no order"));
        }
        _ => {}
    }
    plan.selected(asked.select.as_deref(), index.map(|(index, _)| index))?;
    if let Some(start) = asked.exclusive_start_key {
        plan.begin(start, index.is_some())?;
    }
    Ok(plan)
}

fn limit(limit: Option<i64>) -> Result<usize, Refusal> {
    match limit.map(usize::try_from) {
        None => Ok(usize::MAX),
        Some(Ok(limit)) if limit > 0 => Ok(limit),
        Some(_) => Err(Refusal::invalid(format!(
            "1 validation error detected: Value '{}' at 'limit' failed to satisfy constraint: Member must have value greater than or equal to 1",
            limit.unwrap_or_default()
        ))),
    }
}

fn segment(asked: &Asked) -> Result<Option<(u64, u64)>, Refusal> {
    match (asked.segment.map(u64::try_from), asked.total_segments.map(u64::try_from)) {
        (None, None) => Ok(None),
        (Some(Ok(segment)), Some(Ok(total @ 1..=1_000_000))) if segment < total => Ok(Some((segment, total))),
        (Some(_), None) => Err(Refusal::invalid(
            "The TotalSegments parameter is required but was not present in the request when Segment parameter is present",
        )),
        (None, Some(_)) => Err(Refusal::invalid(
            "The Segment parameter is required but was not present in the request when parameter TotalSegments is present",
        )),
        _ => Err(Refusal::invalid("The Segment parameter is zero-based and must be less than parameter TotalSegments")),
    }
}

impl Plan<'_> {
    fn of_query(&mut self, condition: Option<Expr>, forward: Option<bool>) -> Result<(), Refusal> {
        let missing = "Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.";
        let (partition, sort) = split(condition.ok_or_else(|| Refusal::invalid(missing))?, self.key)?;
        let (from, to) = Place::partition(self.key, &partition).ok_or_else(mismatch)?;
        let keys: Vec<&str> = attributes(self.key).map(|it| it.name.as_str()).collect();
        if let Some(name) = self.filter.as_ref().and_then(|filter| mentioned(filter, &keys)) {
            return Err(Refusal::invalid(format!(
                "Filter Expression can only contain non-primary key attributes: Primary key attribute: {name}"
            )));
        }
        (self.from, self.to, self.condition, self.forward) = (Some(from), Some(to), sort, forward.unwrap_or(true));
        Ok(())
    }

    /// `Select`, and what an index holds.
    fn selected(&mut self, select: Option<&str>, index: Option<&Index>) -> Result<(), Refusal> {
        let held = index.and_then(|index| Some((index, index.projected.as_ref()?)));
        let held = held.map(|(index, more)| {
            let keys = attributes(&index.key).chain(attributes(self.of_table)).map(|it| &it.name);
            (index, keys.chain(more).map(|name| vec![PathSegment::Attr(name.clone())]).collect::<Vec<Path>>())
        });
        match select {
            None | Some("SPECIFIC_ATTRIBUTES") if self.projection.is_some() => {}
            Some("COUNT") if self.projection.is_none() => self.counts = true,
            None | Some("ALL_ATTRIBUTES") if self.projection.is_none() => {}
            Some("ALL_PROJECTED_ATTRIBUTES") if self.projection.is_none() && index.is_some() => {}
            Some("ALL_PROJECTED_ATTRIBUTES") if index.is_none() => {
                return Err(Refusal::invalid(format!(
                    "{INVALID}: ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName"
                )));
            }
            Some(other) => return Err(Refusal::invalid(format!("Cannot specify the ProjectionExpression when choosing to get {other}"))),
            None => {}
        }
        let Some((index, held)) = held else { return Ok(()) };
        let name = &index.name;
        // A local index reads the other attributes from the table.
        if !index.local {
            if select == Some("ALL_ATTRIBUTES") {
                return Err(Refusal::invalid(format!(
                    "{INVALID}: Select type ALL_ATTRIBUTES is not supported for global secondary index {name} because its projection type is not ALL"
                )));
            }
            let missing: Vec<String> = self
                .projection
                .iter()
                .flatten()
                .filter(|path| !held.iter().any(|held| path.starts_with(held)))
                .map(|it| render_path(it))
                .collect();
            if !missing.is_empty() {
                return Err(Refusal::invalid(format!(
                    "{INVALID}: Global secondary index {name} does not project [{}]",
                    missing.join(", ")
                )));
            }
        } else if select == Some("ALL_ATTRIBUTES") {
            return Ok(());
        }
        if self.projection.is_none() {
            self.projection = Some(held.clone());
        }
        self.held = Some(held);
        Ok(())
    }

    /// `ExclusiveStartKey`.
    fn begin(&mut self, start: Item, of_index: bool) -> Result<(), Refusal> {
        let invalid = || Refusal::invalid("The provided starting key is invalid");
        let start = values::row(start).map_err(Refusal::invalid)?;
        let names: std::collections::BTreeSet<&str> =
            attributes(self.key).chain(attributes(self.of_table)).map(|attribute| attribute.name.as_str()).collect();
        let place = Place::of(self.key, &start).filter(|_| start.len() == names.len()).ok_or_else(invalid)?;
        let at = (place, if of_index { Some(Place::of(self.of_table, &start).ok_or_else(invalid)?) } else { None });
        let within = self.from.as_ref().is_none_or(|from| *from < at) && self.to.as_ref().is_none_or(|to| at < *to);
        if !within {
            return Err(Refusal::invalid("The provided starting key is outside query boundaries based on provided conditions"));
        }
        if self.segment.is_some_and(|(segment, total)| at.0.segment(total) != segment) {
            return Err(Refusal::invalid(
                "The provided starting key is invalid: Invalid ExclusiveStartKey. Please use ExclusiveStartKey with correct Segment.",
            ));
        }
        if self.forward {
            self.from = Some(at)
        } else {
            self.to = Some(at)
        }
        Ok(())
    }

    fn key_of(&self, row: &Item) -> Item {
        let names = attributes(self.key).chain(attributes(self.of_table)).map(|attribute| &attribute.name);
        names.filter_map(|name| Some((name.clone(), row.get(name)?.clone()))).collect()
    }
}

fn mismatch() -> Refusal {
    Refusal::invalid(format!("{INVALID}: Condition parameter type does not match schema type"))
}

/// The value of the partition key, and the condition on the sort key.
fn split(condition: Expr, key: &Key) -> Result<(AttributeValue, Option<Expr>), Refusal> {
    let (one, other) = match condition {
        Expr::And(one, other) => (*one, Some(*other)),
        one => (one, None),
    };
    let (partition, sort) = match (equals(&one, &key.partition.name), other) {
        (Some(value), other) => (value, other),
        (None, Some(other)) => match equals(&other, &key.partition.name) {
            Some(value) => (value, Some(one)),
            None => return Err(missed(&key.partition.name)),
        },
        (None, None) => return Err(missed(&key.partition.name)),
    };
    if let Some(sort) = &sort {
        let attribute = key.sort.as_ref().ok_or_else(|| Refusal::invalid("Query key condition not supported"))?;
        let values = on_sort_key(sort, &attribute.name)?;
        if values.iter().any(|value| kind_of(value) != code(attribute.kind)) {
            return Err(mismatch());
        }
    }
    Ok((partition, sort))
}

fn missed(name: &str) -> Refusal {
    Refusal::invalid(format!("Query condition missed key schema element: {name}"))
}

fn is_name(operand: &Operand, name: &str) -> bool {
    matches!(operand, Operand::Path(path) if matches!(path.as_slice(), [PathSegment::Attr(other)] if other == name))
}

fn equals(condition: &Expr, name: &str) -> Option<AttributeValue> {
    match condition {
        Expr::Comparison(a, CompOp::Eq, Operand::Value(value)) if is_name(a, name) => Some(value.clone()),
        Expr::Comparison(Operand::Value(value), CompOp::Eq, a) if is_name(a, name) => Some(value.clone()),
        _ => None,
    }
}

/// The values that the condition on a sort key names.
fn on_sort_key<'a>(condition: &'a Expr, name: &str) -> Result<Vec<&'a AttributeValue>, Refusal> {
    let found = match condition {
        Expr::Comparison(_, CompOp::Ne, _) => return Err(Refusal::invalid("Unsupported operator on KeyCondition: operator: <>")),
        Expr::Comparison(a, _, Operand::Value(value)) | Expr::Comparison(Operand::Value(value), _, a) if is_name(a, name) => vec![value],
        Expr::Between(it, Operand::Value(low), Operand::Value(high)) if is_name(it, name) => vec![low, high],
        Expr::BeginsWith(path, Operand::Value(value)) if matches!(path.as_slice(), [PathSegment::Attr(other)] if other == name) => {
            if matches!(value, AttributeValue::N(_)) {
                return Err(Refusal::invalid(
                    "Invalid KeyConditionExpression: Incorrect operand type for operator or function; operator or function: begins_with, operand type: N",
                ));
            }
            vec![value]
        }
        Expr::And(..) => return Err(Refusal::invalid("Conditions can be of length 1 or 2 only")),
        Expr::Comparison(..) | Expr::Between(..) | Expr::BeginsWith(..) => return Err(missed(name)),
        _ => return Err(Refusal::invalid("Invalid operator used in KeyConditionExpression")),
    };
    Ok(found)
}

/// A key that the filter looks at.
fn mentioned<'a>(filter: &Expr, keys: &[&'a str]) -> Option<&'a str> {
    let path = |path: &[PathSegment]| keys.iter().copied().find(|key| path.first().and_then(PathSegment::as_attr) == Some(key));
    let operand = |operand: &Operand| match operand {
        Operand::Path(at) | Operand::Size(at) => path(at),
        Operand::Value(_) => None,
    };
    match filter {
        Expr::And(a, b) | Expr::Or(a, b) => mentioned(a, keys).or_else(|| mentioned(b, keys)),
        Expr::Not(it) => mentioned(it, keys),
        Expr::Comparison(a, _, b) => operand(a).or_else(|| operand(b)),
        Expr::Between(a, b, c) => operand(a).or_else(|| operand(b)).or_else(|| operand(c)),
        Expr::In(a, all) => operand(a).or_else(|| all.iter().find_map(operand)),
        Expr::AttributeExists(at) | Expr::AttributeNotExists(at) => path(at),
        Expr::AttributeType(at, it) | Expr::Contains(at, it) | Expr::BeginsWith(at, it) => path(at).or_else(|| operand(it)),
    }
}

/// Reads a page; `passes` is the filter, which sees what the index holds.
pub fn read(plan: &Plan<'_>, passes: impl Fn(&Item) -> bool) -> Page {
    let mut page = Page { rows: Vec::new(), scanned: 0, bytes: 0, last: None };
    let mut latest: Option<&Arc<Item>> = None;
    for (at, row) in between(plan.rows, plan.from.as_ref(), plan.to.as_ref(), plan.forward) {
        let elsewhere = plan.segment.is_some_and(|(segment, total)| at.0.segment(total) != segment);
        if elsewhere || plan.condition.as_ref().is_some_and(|condition| !holds(condition, row)) {
            continue;
        }
        let held = plan.held.as_ref().map(|held| paths::select(row, held));
        let size = held.as_ref().map_or_else(|| values::bytes(row), values::bytes);
        if page.scanned > 0 && page.bytes + size > LARGEST_PAGE {
            page.last = latest.map(|row| plan.key_of(row));
            return page;
        }
        page.scanned += 1;
        page.bytes += size;
        latest = Some(row);
        if passes(held.as_ref().unwrap_or(row)) {
            page.rows.push(Arc::clone(row));
        }
        if page.scanned >= plan.limit {
            page.last = Some(plan.key_of(row));
            return page;
        }
    }
    page
}
