//! A corpus of small templates: each is read as expected, and as AWS's own translator reads it.

#![expect(clippy::unwrap_used, reason = "tests stop at the first surprise")]

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use template::blueprint::Trigger;
use template::files::Folder;
use template::{Source, Template, TemplateError};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus")
}

/// The templates by name.
fn corpus() -> BTreeMap<String, String> {
    let files = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let templates = files.filter(|path| path.extension().is_some_and(|kind| kind == "yaml"));
    let read = |path: PathBuf| (path.file_stem().unwrap().to_str().unwrap().to_owned(), std::fs::read_to_string(&path).unwrap());
    templates.map(read).collect()
}

fn read(text: &str) -> Result<Template, TemplateError> {
    Template::read_source(Source { text, parameters: &BTreeMap::new(), files: &Folder::new(folder()) })
}

/// A value whose objects have their keys in order: the translator orders them otherwise.
fn ordered(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields: BTreeMap<_, _> = fields.iter().map(|(key, value)| (key.clone(), ordered(value))).collect();
            Value::Object(fields.into_iter().collect())
        }
        Value::Array(list) => list.iter().map(ordered).collect(),
        other => other.clone(),
    }
}

/// The same template with all its JSON in order.
fn in_order(template: &Template) -> Template {
    let mut all = template.clone();
    all.apis.iter_mut().filter_map(|api| api.policy.as_mut()).for_each(|value| *value = ordered(value));
    let it = &mut all.blueprint;
    it.subscriptions.iter_mut().filter_map(|one| one.filter.as_mut()).for_each(|value| *value = ordered(value));
    it.mappings.iter_mut().flat_map(|one| &mut one.filters).for_each(|value| *value = ordered(value));
    it.secrets.iter_mut().filter_map(|one| one.generate.as_mut()).for_each(|value| *value = ordered(value));
    for rule in &mut it.rules {
        if let Trigger::Pattern { pattern, .. } | Trigger::Both { pattern, .. } = &mut rule.trigger {
            *pattern = ordered(pattern);
        }
    }
    all
}

/// What was read, with one line for each part, in order.
fn lines(template: &Template) -> String {
    let Template { apis, blueprint: it, notices, outputs, .. } = &in_order(template);
    let mut lines: Vec<String> = Vec::new();
    let mut add = |parts: Vec<String>| lines.extend(parts);
    for api in apis {
        let mut bare = api.clone();
        let routes = std::mem::take(&mut bare.routes);
        add(vec![format!("{bare:?}")]);
        add(routes.iter().map(|route| format!("{} {route:?}", api.name)).collect());
    }
    fn each<T: std::fmt::Debug>(parts: &[T]) -> Vec<String> {
        parts.iter().map(|part| format!("{part:?}")).collect()
    }
    add(each(&it.functions));
    add(each(&it.queues));
    add(each(&it.buckets));
    add(each(&it.topics));
    add(each(&it.subscriptions));
    add(each(&it.tables));
    add(each(&it.data_streams));
    add(each(&it.buses));
    add(each(&it.rules));
    add(each(&it.alarms));
    add(each(&it.receipts));
    add(each(&it.mappings));
    add(each(&it.pools));
    add(it.policy_stores.iter().map(|id| format!("PolicyStore {id}")).collect());
    add(it.senders.iter().map(|id| format!("Sender {id}")).collect());
    add(each(&it.machines));
    add(each(&it.parameters));
    add(each(&it.secrets));
    add(each(outputs));
    add(notices.iter().map(|notice| format!("Notice {notice}")).collect());
    lines.sort();
    lines.join("\n") + "\n"
}

#[test]
fn each_template_is_read_as_expected() {
    let corpus = corpus();
    assert!(corpus.len() >= 40, "{} templates", corpus.len());
    let mut wrong = Vec::new();
    for (name, text) in &corpus {
        let found = match read(text) {
            Ok(read) => lines(&read),
            Err(why) => {
                wrong.push(format!("{name}: {why}"));
                continue;
            }
        };
        let golden = folder().join(format!("{name}.txt"));
        if std::env::var_os("BROWNOUT_BLESS").is_some() {
            std::fs::write(&golden, &found).unwrap();
        }
        if std::fs::read_to_string(&golden).unwrap_or_default() != found {
            wrong.push(format!("{name}:\n{found}"));
        }
    }
    assert!(wrong.is_empty(), "BROWNOUT_BLESS=1 writes these:\n{}", wrong.join("\n"));
}

/// Where ours and the translator's differ, and why that is right.
const DIFFERENT: [(&str, &str); 0] = [];

/// Translates templates, with files of this machine as if they were in S3.
const TRANSLATE: &str = r#"
import json, os, sys
os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
FILES = {"CodeUri", "ContentUri", "DefinitionUri"}
def away(value):
    if isinstance(value, dict):
        return {k: "s3://local/" + v if k in FILES and isinstance(v, str) and "://" not in v else away(v) for k, v in value.items()}
    return [away(v) for v in value] if isinstance(value, list) else value
def home(value):
    if isinstance(value, dict):
        if value.get("S3Bucket", value.get("Bucket")) == "local":
            return value.get("S3Key", value.get("Key"))
        return {k: home(v) for k, v in value.items()}
    return [home(v) for v in value] if isinstance(value, list) else value
out = {}
for name, template in json.load(sys.stdin).items():
    try:
        out[name] = home(Translator({}, Parser()).translate(away(template), {}))
    except Exception as why:
        out[name] = "%s %s" % (type(why).__name__, getattr(why, "message", why))
json.dump(out, sys.stdout)
"#;

fn translate(templates: &BTreeMap<String, Value>) -> Option<BTreeMap<String, Value>> {
    let given = std::env::var_os("SAM_TRANSLATOR").map(PathBuf::from);
    let packages = given.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/lint"));
    let path = match std::env::var("PYTHONPATH") {
        Ok(path) => format!("{}:{path}", packages.display()),
        Err(_) => packages.display().to_string(),
    };
    let python = |code: &str| {
        let mut command = Command::new("python3");
        command.args(["-B", "-c", code]).env("PYTHONPATH", &path).env("AWS_DEFAULT_REGION", "us-east-1");
        command
    };
    if !python("import samtranslator").stderr(Stdio::null()).status().is_ok_and(|status| status.success()) {
        println!("skipped: aws-sam-translator is not in `{}`; `.ci/run` brings it", packages.display());
        return None;
    }
    let mut child = python(TRANSLATE).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(json!(templates).to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "the translator ended early");
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

#[test]
fn aws_own_translator_gives_the_same_blueprint() {
    let sam = corpus().into_iter().filter(|(_, text)| text.contains("AWS::Serverless-2016-10-31"));
    let sam: BTreeMap<_, _> = sam.map(|(name, text)| (name, template::yaml::read(&text).unwrap().value)).collect();
    let Some(translated) = translate(&sam) else { return };
    let mut wrong = Vec::new();
    for (name, theirs) in translated {
        if let Value::String(why) = &theirs {
            wrong.push(format!("{name}: the translator refuses it: {why}"));
            continue;
        }
        let read = |text: &str| {
            let read = read(text).map(|mut read| {
                // Not all that is missing is told alike, such as properties that only SAM has.
                read.notices.clear();
                lines(&read)
            });
            read.unwrap_or_else(|why| why.to_string())
        };
        let (ours, theirs) = (read(&sam[&name].to_string()), read(&theirs.to_string()));
        let listed = DIFFERENT.iter().any(|(different, _)| *different == name);
        if (ours == theirs) == listed {
            let only = |one: &str, other: &str, sign: &str| {
                let lines = one.lines().filter(|line| !other.lines().any(|same| same == *line)).map(|line| format!("{sign} {line}\n"));
                lines.collect::<String>()
            };
            wrong.push(format!("{name}: ours -, theirs +\n{}{}", only(&ours, &theirs, "-"), only(&theirs, &ours, "+")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_shipped_templates_are_served_whole() {
    let systems = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios/src/systems");
    let folders: Vec<_> = std::fs::read_dir(systems).unwrap().map(|entry| entry.unwrap().path()).collect();
    let mut read = 0;
    for template in folders.iter().map(|folder| folder.join("template.yaml")).filter(|path| path.exists()) {
        let text = std::fs::read_to_string(&template).unwrap();
        let asked = [("BucketPrefix", ""), ("CacheUrl", "redis://127.0.0.1:6379")]
            .into_iter()
            .filter(|(name, _)| text.contains(&format!("\n  {name}:")));
        let asked = asked.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let found = Template::read(&text, &asked).map(|found| found.notices);
        let found = found.unwrap_or_else(|why| panic!("{}: {why}", template.display()));
        assert_eq!(found, [], "{}", template.display());
        read += 1;
    }
    assert_eq!(read, 6);
}
