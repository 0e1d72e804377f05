//! The first stage: from text to the resources of a template, with everything resolved that depends
//! on parameters, mappings and conditions.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::account::{ACCOUNT, REGION};
use crate::conditions::evaluate_all;
use crate::files::Files;
use crate::findings::Findings;
use crate::nulls;
use crate::parameters::{self, Missing};
use crate::resolve::Resolver;
use crate::schema::{self, Unknown};
use crate::yaml::Document;

/// The sections of a template. Source: CloudFormation User Guide, template sections; `Globals` is
/// SAM's.
const SECTIONS: [&str; 12] = [
    "AWSTemplateFormatVersion",
    "Conditions",
    "Description",
    "Globals",
    "Hooks",
    "Mappings",
    "Metadata",
    "Outputs",
    "Parameters",
    "Resources",
    "Rules",
    "Transform",
];

/// The attributes of a resource; `Connectors` and `IgnoreGlobals` are SAM's. Source: CloudFormation
/// User Guide, resource attributes; AWS SAM developer guide, resource attributes.
const ATTRIBUTES: [&str; 11] = [
    "Condition",
    "Connectors",
    "CreationPolicy",
    "DeletionPolicy",
    "DependsOn",
    "IgnoreGlobals",
    "Metadata",
    "Properties",
    "Type",
    "UpdatePolicy",
    "UpdateReplacePolicy",
];

/// The most resources of a template. Source: CloudFormation quotas.
const MOST: usize = 500;

/// The transforms that are carried out here.
const SAM: &str = "AWS::Serverless-2016-10-31";
const EXTENSIONS: &str = "AWS::LanguageExtensions";
const INCLUDE: &str = "AWS::Include";

/// What a template declares after the first stage.
#[derive(Debug, Default)]
pub(crate) struct Declared {
    pub(crate) resources: Map<String, Value>,
    pub(crate) globals: Map<String, Value>,
    pub(crate) outputs: Map<String, Value>,
    /// Pseudo parameters and parameters that are text.
    pub(crate) names: BTreeMap<String, String>,
    pub(crate) missing: Vec<Missing>,
    pub(crate) findings: Findings,
}

/// Reads the sections of a document.
pub(crate) fn read(document: &Document, given: &BTreeMap<String, String>, files: &dyn Files) -> Declared {
    let mut findings = Findings::default();
    for notice in &document.notices {
        findings.notice(notice.place.clone(), notice.what.clone());
    }
    let root = document.value.as_object().cloned().unwrap_or_default();
    let transforms = transforms(&root, &mut findings);
    sections(&root, &transforms, &mut findings);
    let extended = transforms.iter().any(|name| name == EXTENSIONS);
    if !extended {
        nulls::check(&root, &mut findings);
    }
    let section = |name: &str| root.get(name).and_then(Value::as_object).cloned().unwrap_or_default();
    let parameters = section("Parameters");
    let read = parameters::read(&parameters, given);
    findings.complaints.extend(read.complaints);
    for (place, what) in read.unchecked {
        findings.notice(place, what);
    }
    let mut values = pseudo();
    values.extend(read.values);
    let known = values.clone();
    // Only for further complaints: without all values there is no stack.
    let stand_in = |missing: &Missing| missing.allowed.first().cloned().unwrap_or_else(|| missing.name.clone());
    values.extend(read.missing.iter().map(|missing| (missing.name.clone(), Value::String(stand_in(missing)))));
    let mut resolver = Resolver {
        values,
        mappings: Map::new(),
        conditions: BTreeMap::new(),
        extended,
        exports: given,
        imported: BTreeSet::new(),
        files,
        complaints: Vec::new(),
        notices: Vec::new(),
        made: (0, 0),
    };
    // A mapping may be in an included file.
    resolver.mappings = resolver.fields("Mappings", &section("Mappings"));
    let conditions = looped(&mut resolver, "Conditions", section("Conditions"));
    evaluate_all(&conditions, &mut resolver);
    let declared = looped(&mut resolver, "", section("Resources"));
    let resources = resources(&declared, &transforms, &mut resolver, &mut findings);
    let globals = resolver.fields("Globals", &section("Globals"));
    let outputs = outputs(&looped(&mut resolver, "Outputs", section("Outputs")), &mut resolver);
    unused(given, &parameters, &resolver, &mut findings);
    findings.complaints.extend(resolver.complaints);
    for notice in resolver.notices {
        findings.notice(notice.place, notice.what);
    }
    let names = known.into_iter().filter_map(|(name, value)| Some((name, value.as_str()?.to_owned()))).collect();
    Declared { resources, globals, outputs, names, missing: read.missing, findings }
}

/// Source: CloudFormation User Guide, pseudo parameters.
fn pseudo() -> BTreeMap<String, Value> {
    let stack = format!("arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/brownout/00000000-0000-0000-0000-000000000000");
    let texts = [
        ("AWS::Region", REGION),
        ("AWS::AccountId", ACCOUNT),
        ("AWS::Partition", "aws"),
        ("AWS::URLSuffix", "amazonaws.com"),
        ("AWS::StackName", "brownout"),
        ("AWS::StackId", &stack),
    ];
    let mut pseudo: BTreeMap<_, _> = texts.map(|(name, value)| (name.to_owned(), Value::from(value))).into();
    pseudo.insert("AWS::NotificationARNs".to_owned(), Value::Array(Vec::new()));
    pseudo
}

/// The names in `Transform`.
fn transforms(root: &Map<String, Value>, findings: &mut Findings) -> Vec<String> {
    let all = match root.get("Transform") {
        None => Vec::new(),
        Some(Value::Array(all)) => all.clone(),
        Some(one) => vec![one.clone()],
    };
    let name = |one: &Value| one.as_str().or_else(|| one.get("Name").and_then(Value::as_str)).unwrap_or_default().to_owned();
    let names: Vec<String> = all.iter().map(name).collect();
    for name in names.iter().filter(|name| ![SAM, EXTENSIONS, INCLUDE].contains(&name.as_str())) {
        findings.notice("Transform", format!("the macro `{name}` does not run here; the template is read without it"));
    }
    if all.iter().any(|one| one.is_object() && name(one) == INCLUDE) {
        findings.notice("Transform", "a file included at the top is not read here; include it with `Fn::Transform` in its section");
    }
    names
}

fn sections(root: &Map<String, Value>, transforms: &[String], findings: &mut Findings) {
    for (key, value) in root {
        if !SECTIONS.contains(&key.as_str()) {
            findings.complain(key, format!("this is no section of a template, there are: {}", SECTIONS.join(", ")));
        } else if !matches!(key.as_str(), "AWSTemplateFormatVersion" | "Description" | "Transform")
            && !value.is_object()
            && !value.is_null()
        {
            findings.complain(key, "expected a map");
        }
    }
    if root.get("AWSTemplateFormatVersion").is_some_and(|version| version != "2010-09-09") {
        findings.complain("AWSTemplateFormatVersion", "expected `2010-09-09`, the only version");
    }
    if root.get("Resources").and_then(Value::as_object).is_none_or(Map::is_empty) {
        findings.complain("Resources", "found none, a template declares at least one");
    }
    if root.contains_key("Globals") && !transforms.iter().any(|name| name == SAM) {
        findings.complain("Globals", format!("this section needs `Transform: {SAM}`"));
    }
    if root.contains_key("Rules") {
        findings.notice("Rules", "the rules for parameters are not checked here");
    }
    if root.contains_key("Hooks") {
        findings.notice("Hooks", "hooks do not run here");
    }
}

/// A section whose loops and includes are carried out, and nothing else.
fn looped(resolver: &mut Resolver<'_>, place: &str, section: Map<String, Value>) -> Map<String, Value> {
    let is_made = |key: &String| crate::foreach::is_loop(key) || key == "Fn::Transform";
    let (made, mut plain): (Map<_, _>, Map<_, _>) = section.into_iter().partition(|(key, _)| is_made(key));
    for (key, value) in resolver.unrolled(place, &made) {
        if plain.contains_key(&key) {
            resolver.complain(&format!("{place}.{key}"), "a loop or an included file declares this again");
        }
        plain.insert(key, value);
    }
    plain
}

fn resources(
    declared: &Map<String, Value>,
    transforms: &[String],
    resolver: &mut Resolver<'_>,
    findings: &mut Findings,
) -> Map<String, Value> {
    if declared.len() > MOST {
        findings.complain("Resources", format!("found {} resources, a template has at most {MOST}", declared.len()));
    }
    let mut resources = Map::new();
    for (name, value) in declared {
        let Some(fields) = value.as_object() else {
            findings.complain(name, "expected a map with a `Type`");
            continue;
        };
        if !name.chars().all(|c| c.is_ascii_alphanumeric()) {
            findings.complain(name, "a logical id is letters and digits");
        }
        for key in fields.keys().filter(|key| !ATTRIBUTES.contains(&key.as_str()) && *key != "Fn::Transform") {
            findings.complain(format!("{name}.{key}"), format!("a resource has no such attribute, there are: {}", ATTRIBUTES.join(", ")));
        }
        check_type(name, fields, transforms, findings);
        if !exists(name, fields, resolver) {
            continue;
        }
        let mut kept = Map::new();
        for (key, value) in fields.iter().filter(|(key, _)| *key != "Condition") {
            let place = if key == "Properties" { name.clone() } else { format!("{name}.{key}") };
            if key == "Fn::Transform" {
                kept.extend(resolver.fields(name, &Map::from_iter([(key.clone(), value.clone())])));
            } else if let Some(value) = resolver.resolve(&place, value) {
                kept.insert(key.clone(), value);
            }
        }
        check_properties(name, &kept, findings);
        resources.insert(name.clone(), Value::Object(kept));
    }
    resources
}

/// Whether the condition of a resource or output holds; without one it exists.
fn exists(place: &str, fields: &Map<String, Value>, resolver: &mut Resolver<'_>) -> bool {
    let Some(condition) = fields.get("Condition") else { return true };
    let known = condition.as_str().and_then(|name| resolver.conditions.get(name).copied());
    if known.is_none() {
        resolver.complain(&format!("{place}.Condition"), format!("found {condition}, which is no condition that can be told here"));
    }
    known.unwrap_or(true)
}

fn check_type(name: &str, fields: &Map<String, Value>, transforms: &[String], findings: &mut Findings) {
    let Some(kind) = fields.get("Type").and_then(Value::as_str) else {
        return findings.complain(name, "found no `Type`");
    };
    if kind.starts_with("AWS::Serverless::") && !transforms.iter().any(|name| name == SAM) {
        findings.complain(format!("{name}.Type"), format!("`{kind}` needs `Transform: {SAM}` at the top"));
    }
    match schema::unknown_type(kind).filter(|_| kind.starts_with("AWS::")) {
        Some(Unknown::Slip(right)) => findings.complain(format!("{name}.Type"), format!("found `{kind}`, did you mean `{right}`?")),
        _ if kind.split("::").count() < 2 => {
            findings.complain(format!("{name}.Type"), format!("found `{kind}`, expected a type such as `AWS::SQS::Queue`"))
        }
        _ => {}
    }
}

/// Complains about properties that are slips of those that the type has.
fn check_properties(name: &str, fields: &Map<String, Value>, findings: &mut Findings) {
    let properties = match fields.get("Properties") {
        None => return,
        Some(Value::Object(properties)) => properties,
        Some(_) => return findings.complain(format!("{name}.Properties"), "expected a map"),
    };
    let Some(known) = fields.get("Type").and_then(Value::as_str).and_then(schema::find) else { return };
    for key in properties.keys().filter(|key| !known.properties.contains(key.as_str())) {
        let place = format!("{name}.{key}");
        match schema::unknown(key, known.properties.iter().copied()) {
            Unknown::Slip(right) => findings.complain(place, format!("the type has no such property, did you mean `{right}`?")),
            Unknown::Other => findings.notice(place, "the type has no such property that is known here"),
        }
    }
}

fn outputs(declared: &Map<String, Value>, resolver: &mut Resolver<'_>) -> Map<String, Value> {
    let mut outputs = Map::new();
    for (name, output) in declared {
        let place = format!("Outputs.{name}");
        let Some(fields) = output.as_object() else {
            resolver.complain(&place, "expected a map with a `Value`");
            continue;
        };
        if !fields.contains_key("Value") {
            resolver.complain(&place, "found no `Value`");
        }
        if exists(&place, fields, resolver)
            && let Some(output) = resolver.resolve(&place, output)
        {
            outputs.insert(name.clone(), output);
        }
    }
    outputs
}

/// A value that was given for no parameter must be one of an export of another stack.
fn unused(given: &BTreeMap<String, String>, parameters: &Map<String, Value>, resolver: &Resolver<'_>, findings: &mut Findings) {
    for name in given.keys().filter(|name| !parameters.contains_key(*name) && !resolver.imported.contains(*name)) {
        findings.complain(name, "the template has no such parameter");
    }
}
