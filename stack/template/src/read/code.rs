//! Where code and layers are: a path of this machine, or a place that this machine cannot reach.

use serde_json::Value;

use super::section::Section;

/// Where a content is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stored {
    /// A folder or a `.zip` file, relative to the template.
    Path(String),
    /// In S3; a notice says so.
    Elsewhere,
}

/// The path in a field such as `Code`; `None` if it is not on this machine, which is a notice.
pub(crate) fn stored(section: &Section<'_>, key: &str, declared: Option<&Value>) -> Option<String> {
    let metadata = declared.and_then(|declared| declared.get("Metadata"));
    // Source: AWS CDK, `aws:asset:path`, which `cdk synth` writes for local testing.
    if let Some(path) = metadata.and_then(|metadata| metadata.get("aws:asset:path")).and_then(Value::as_str) {
        return Some(path.to_owned());
    }
    match section.value(key) {
        Some(Value::String(path)) if !path.contains("://") => return Some(path.clone()),
        None => {
            section.complain(key, "found none");
            return None;
        }
        Some(_) => {}
    }
    let place = section.within(key);
    let found = place.text("S3Key").and_then(|name| {
        let file = name.rsplit('/').next().unwrap_or(&name).to_owned();
        let hash = file.split('.').next().unwrap_or(&file);
        // A package that `serverless package` wrote is beside the template.
        section.known.assets.get(hash).cloned().or_else(|| section.known.files.has(&file).then_some(file))
    });
    if found.is_none() {
        section.notice(key, "it is in S3, which is not read: it is missing");
    }
    found
}
