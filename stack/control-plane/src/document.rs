//! An SSM document with its versions.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::answer::Answer;

/// One document.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Document {
    /// Its versions by number, which begins with 1; numbers are never reused.
    pub versions: BTreeMap<usize, DocumentVersion>,
    /// The number of the default version, which is the one that is started.
    pub default: usize,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    pub(crate) last: usize,
}

/// One version of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentVersion {
    /// Its name, if it has one.
    pub name: Option<String>,
    /// The document as it was given.
    pub content: String,
}

impl Document {
    /// The content of a version, or of the default one.
    pub fn content(&self, number: Option<usize>) -> Option<&str> {
        self.versions.get(&number.unwrap_or(self.default)).map(|version| version.content.as_str())
    }

    /// The number of the version with this name.
    pub(crate) fn called(&self, name: &str) -> Result<usize, Answer> {
        let found = self.versions.iter().find(|(_, version)| version.name.as_deref() == Some(name)).map(|(number, _)| *number);
        found.ok_or_else(|| Answer::refused(400, "InvalidDocumentVersion", "The document version isn't valid or doesn't exist."))
    }

    pub(crate) fn shown(&self, name: &str, number: usize) -> Value {
        let version = self.versions.get(&number);
        json!({
            "Name": name, "DocumentVersion": number.to_string(), "DefaultVersion": self.default.to_string(),
            "LatestVersion": self.last.to_string(), "VersionName": version.and_then(|version| version.name.as_ref()),
            "DocumentFormat": "YAML", "DocumentType": "Automation", "Status": "Active",
        })
    }

    /// As `ListDocuments` shows it.
    pub(crate) fn listed(&self, name: &str) -> Value {
        let tags: Vec<_> = self.tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect();
        json!({"Name": name, "DocumentVersion": self.default.to_string(), "DocumentType": "Automation", "Owner": crate::arn::ACCOUNT, "Tags": tags})
    }

    pub(crate) fn add(&mut self, wish: &Value) -> Result<usize, Answer> {
        let content = wish["Content"].as_str().unwrap_or_default().to_owned();
        let name = wish["VersionName"].as_str().map(str::to_owned);
        let fits = |name: &String| (3..=128).contains(&name.len()) && name.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c));
        if name.as_ref().is_some_and(|name| !fits(name)) {
            return Err(Answer::refused(400, "ValidationException", "VersionName must satisfy ^[a-zA-Z0-9_\\-.]{1,128}$"));
        }
        if self.versions.values().any(|there| there.content == content) {
            return Err(Answer::refused(
                400,
                "DuplicateDocumentContent",
                "The content of the association document matches another document.",
            ));
        }
        if name.is_some() && self.versions.values().any(|there| there.name == name) {
            return Err(Answer::refused(400, "DuplicateDocumentVersionName", "The version name has already been used in this document."));
        }
        self.last += 1;
        self.versions.insert(self.last, DocumentVersion { name, content });
        Ok(self.last)
    }
}
