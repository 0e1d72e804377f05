//! An SSM document with its versions.

use serde_json::{Value, json};

use crate::answer::Answer;

/// One document.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Document {
    /// Its versions in order, the first of which has the number 1.
    pub versions: Vec<DocumentVersion>,
    /// The number of the default version, which is the one that is started.
    pub default: usize,
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
    /// The content of the default version.
    pub fn content(&self) -> Option<&str> {
        self.versions.get(self.default.checked_sub(1)?).map(|version| version.content.as_str())
    }

    pub(crate) fn shown(&self, name: &str, number: usize) -> Value {
        let version = number.checked_sub(1).and_then(|index| self.versions.get(index));
        json!({
            "Name": name, "DocumentVersion": number.to_string(), "DefaultVersion": self.default.to_string(),
            "LatestVersion": self.versions.len().to_string(), "VersionName": version.and_then(|version| version.name.as_ref()),
            "DocumentFormat": "YAML", "DocumentType": "Automation", "Status": "Active",
        })
    }

    pub(crate) fn add(&mut self, wish: &Value) -> Result<usize, Answer> {
        let content = wish["Content"].as_str().unwrap_or_default().to_owned();
        let name = wish["VersionName"].as_str().map(str::to_owned);
        if self.versions.iter().any(|there| there.content == content) {
            return Err(Answer::refused(
                400,
                "DuplicateDocumentContent",
                "The content of the association document matches another document.",
            ));
        }
        if name.is_some() && self.versions.iter().any(|there| there.name == name) {
            return Err(Answer::refused(400, "DuplicateDocumentVersionName", "The version name has already been used in this document."));
        }
        self.versions.push(DocumentVersion { name, content });
        Ok(self.versions.len())
    }
}
