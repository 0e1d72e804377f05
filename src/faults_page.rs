//! `brownout faults`: every fault with its settings and what the caller sees, generated from the
//! types that parse them.

use std::error::Error;
use std::fmt::Write;

use engine::file::FaultEntry;
use engine::nearest::there_are;
use faults::Trigger;
use faults::kinds::{Described, KINDS, NAMES, described};
use faults::settings::Seen;
use serde_json::{Map, Value};

/// Prints the page, or the part about one kind.
pub fn faults(kind: Option<&str>) -> Result<u8, Box<dyn Error>> {
    match kind.map(|name| (name, described(name))) {
        None => page!("{}", page()?),
        Some((_, Some(kind))) => page!("{}", section(&Schema::new(), kind)?),
        Some((name, None)) => {
            return Err(format!(
                "there is no fault `{name}`; {}",
                there_are(name, NAMES.iter().copied(), "`brownout faults` describes them")
            )
            .into());
        }
    }
    Ok(0)
}

const HEAD: &str = "\
# Faults

Made by `brownout faults`; do not edit. Each fault is a `[[fault]]` table of an experiment, names the `function` (or the
`service`) that it strikes, and has exactly one kind. Whether an invocation is struck is decided by a roll that depends only on the
seed, the fault's name and the root of the invocation's trace id (for a function that a queue or a stream invokes: the id of the first message),
so that the same seed strikes the same requests.

A call to a `service` is rolled by its number, too: of the calls of one request that a fault applies to, each has a roll of its own,
as calls to a service that fails now and then do. A retry can win: with `share = 0.3` all of three tries fail in 2.7 % of the
requests. `roll = \"same-request\"` rolls once for a request, so that all its calls are struck or none, and no retry within it wins: an
outage for a part of the requests. A call without a trace, as to the cache, is rolled by its own id, whatever `roll` says.

Several faults may strike one invocation. They are carried out in this order, and within each step in the order of the file: waits
before, then what keeps the event from the handler (`error`, `throttle`, `timeout`, `kill` before), then edits of the event; while the
handler runs `resource`, `dependency` and `kill` in the middle; after its answer the waits, `again`, and then what becomes of the answer.
Only one fault can decide how an invocation ends (`error`, `response`, `stream`, `timeout`, `kill`, `throttle`): an experiment with two is
refused. If a plan written by other means has two, the first is carried out, and the ledger shows the other as not carried out.

What has begun ends with its fault. Within 250 ms on this machine, and one reading of the plan (2 s) on AWS, after the plan is calm, its lease
is over, or the fault's part of the phase is, every wait, held start, slow stream, outage and resource pressure ends: what was held goes on
untouched, and the ledger shows how long it was held. What is done by then stays done: an answer that was dropped is not sent later.

If a fault cannot be carried out, the invocation passes untouched, and the ledger says so. No fault can turn a denial into a grant.
";

fn page() -> Result<String, Box<dyn Error>> {
    let schema = Schema::new();
    let mut page = HEAD.to_owned();
    write!(page, "\n## Settings of every fault\n\n{}", table(&schema.rows_of("FaultEntry", |name| !NAMES.contains(&name))))?;
    for kind in KINDS {
        write!(page, "\n{}", section(&schema, kind)?)?;
    }
    Ok(page)
}

fn section(schema: &Schema, kind: &Described) -> Result<String, std::fmt::Error> {
    let entry = schema.property("FaultEntry", kind.name);
    let settings = Schema::target(entry).unwrap_or_default();
    let mut section = format!("## {}\n\n{}\n\n", kind.name, text(entry));
    if let Some(more) = schema.description(settings) {
        writeln!(section, "{more}\n")?;
    }
    writeln!(section, "```toml\n{}\n```\n", kind.example)?;
    let rows = schema.rows_of(settings, |_| true);
    if !rows.is_empty() {
        writeln!(section, "{}", table(&rows))?;
    }
    write!(section, "{}", seen(kind.seen)?)?;
    if kind.fits_a_service {
        section.push_str("\nIt can also strike a `service`: the call then fails or is slow, as that service would.\n");
    }
    Ok(section)
}

/// What the caller sees: a row for each trigger, a column for each variant of the settings that
/// matters.
fn seen(ways: &[Seen]) -> Result<String, std::fmt::Error> {
    let mut table = String::from("| Trigger |");
    for way in ways {
        write!(table, " The caller sees{}{} |", if way.with.is_empty() { "" } else { ": " }, way.with)?;
    }
    writeln!(table, "\n|{}", "---|".repeat(ways.len() + 1))?;
    for (at, trigger) in Trigger::ALL.into_iter().enumerate() {
        write!(table, "| {} |", trigger.name())?;
        for way in ways {
            write!(table, " {} |", way.by.get(at).copied().unwrap_or_default())?;
        }
        table.push('\n');
    }
    Ok(table)
}

/// One setting.
struct Row {
    name: String,
    form: String,
    default: String,
    what: String,
}

fn table(rows: &[Row]) -> String {
    let mut table = String::from("| Setting | Form | Default | |\n|---|---|---|---|\n");
    for Row { name, form, default, what } in rows {
        let _ = writeln!(table, "| `{name}` | {form} | {default} | {what} |");
    }
    table
}

fn text(schema: &Value) -> String {
    schema.get("description").and_then(Value::as_str).unwrap_or_default().replace('\n', " ")
}

/// The JSON Schema of a fault in an experiment file.
struct Schema {
    root: Value,
}

impl Schema {
    fn new() -> Self {
        Self { root: schemars::schema_for!(FaultEntry).to_value() }
    }

    fn named(&self, name: &str) -> &Value {
        if name == "FaultEntry" { &self.root } else { self.root.pointer(&format!("/$defs/{name}")).unwrap_or(&Value::Null) }
    }

    fn property(&self, of: &str, name: &str) -> &Value {
        self.named(of).pointer(&format!("/properties/{name}")).unwrap_or(&Value::Null)
    }

    fn description(&self, name: &str) -> Option<String> {
        Some(text(self.named(name))).filter(|text| !text.is_empty())
    }

    /// The type that a schema refers to, even if it is optional.
    fn target(schema: &Value) -> Option<&str> {
        let reference = |schema: &'_ Value| schema.get("$ref").is_some();
        let either = schema.get("anyOf").and_then(Value::as_array).into_iter().flatten().find(|one| reference(one));
        either.unwrap_or(schema).get("$ref")?.as_str()?.rsplit('/').next()
    }

    /// The settings of a table, or the variants of an enum.
    fn rows_of(&self, name: &str, wanted: impl Fn(&str) -> bool) -> Vec<Row> {
        let schema = self.named(name);
        let required: Vec<_> = schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
        let properties = schema.get("properties").and_then(Value::as_object);
        let mut rows = Vec::new();
        for (key, property) in properties.into_iter().flatten().filter(|(key, _)| wanted(key)) {
            let default = if required.contains(&key.as_str()) { "must be given".to_owned() } else { default(property) };
            rows.push(Row { name: key.clone(), form: self.form(property), default, what: text(property) });
            rows.extend(self.inner(property).into_iter().map(|row| Row { name: format!("{key}.{}", row.name), ..row }));
        }
        rows.extend(self.choices(schema));
        rows
    }

    fn inner(&self, property: &Value) -> Vec<Row> {
        Self::target(property).map(|target| self.rows_of(target, |_| true)).unwrap_or_default()
    }

    fn choices(&self, schema: &Value) -> Vec<Row> {
        let mut rows = Vec::new();
        for choice in schema.get("oneOf").and_then(Value::as_array).into_iter().flatten() {
            let plain = choice.get("const").and_then(Value::as_str);
            if let Some(name) = plain {
                rows.push(Row { name: format!("\"{name}\""), form: "text".to_owned(), default: String::new(), what: text(choice) });
            }
            for (name, property) in choice.get("properties").and_then(Value::as_object).into_iter().flatten() {
                let form = self.form(property);
                rows.push(Row { name: name.clone(), form, default: String::new(), what: text(choice) });
                rows.extend(self.inner(property).into_iter().map(|row| Row { name: format!("{name}.{}", row.name), ..row }));
            }
        }
        rows
    }

    fn form(&self, property: &Value) -> String {
        match Self::target(property) {
            Some("Time") => "time, such as `300ms`".to_owned(),
            Some("Share") => "0 to 1".to_owned(),
            Some(target) if self.named(target).get("oneOf").is_some() => "one of those below".to_owned(),
            Some(target) if self.named(target).get("enum").is_some() => names(self.named(target)),
            Some(_) => "table".to_owned(),
            None => json_type(property),
        }
    }
}

fn names(schema: &Value) -> String {
    let all = schema.get("enum").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    all.map(|name| format!("`\"{name}\"`")).collect::<Vec<_>>().join(", ")
}

fn json_type(property: &Value) -> String {
    let kind = match property.get("type") {
        Some(Value::String(kind)) => kind.as_str(),
        Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null").unwrap_or_default(),
        _ => "",
    };
    match kind {
        "string" => "text".to_owned(),
        "integer" => "whole number".to_owned(),
        "boolean" => "`true` or `false`".to_owned(),
        "array" => "list".to_owned(),
        "object" => "table".to_owned(),
        other => other.to_owned(),
    }
}

fn default(property: &Value) -> String {
    match property.get("default") {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::Object(map)) if map.is_empty() => "-".to_owned(),
        Some(Value::Object(map)) => flat(map),
        Some(value) => format!("`{value}`"),
    }
}

fn flat(map: &Map<String, Value>) -> String {
    map.iter().map(|(key, value)| format!("`{key} = {value}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    /// `BROWNOUT_WRITE=1` rewrites it.
    #[test]
    fn the_page_in_the_repository_matches_the_code() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/faults.md");
        let made = super::page().unwrap();
        if std::env::var_os("BROWNOUT_WRITE").is_some() {
            std::fs::write(path, &made).unwrap();
        }
        let kept = std::fs::read_to_string(path).unwrap_or_default();
        assert!(kept == made, "docs/faults.md is not what `brownout faults` prints; write it anew");
    }

    #[test]
    fn every_setting_has_a_description() {
        let schema = super::Schema::new();
        for kind in faults::kinds::NAMES {
            let settings = super::Schema::target(schema.property("FaultEntry", kind)).unwrap();
            for row in schema.rows_of(settings, |_| true) {
                assert!(!row.what.is_empty() && !row.form.is_empty(), "{kind}: {}", row.name);
            }
        }
    }

    #[test]
    fn every_example_is_valid_and_of_its_kind() {
        for kind in super::KINDS {
            let entry: super::FaultEntry = toml::from_str(kind.example).unwrap();
            let kinds = entry.kinds();
            assert_eq!(kinds.iter().map(faults::Kind::name).collect::<Vec<_>>(), [kind.name]);
            assert_eq!(kinds[0].complaints(), [], "{}", kind.name);
        }
    }
}
