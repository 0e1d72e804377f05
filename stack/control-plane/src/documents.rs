//! SSM's documents, as far as an automation needs them: versions with names, one of which is the
//! default.

use serde_json::{Value, json};

use crate::answer::Answer;
use crate::document::Document;
use crate::state::ControlPlane;

impl ControlPlane {
    /// One call about a document; `None` if the operation is not one of these.
    pub(crate) fn documents(&mut self, operation: &str, wish: &Value) -> Option<Result<Answer, Answer>> {
        let name = wish["Name"].as_str().unwrap_or_default();
        match operation {
            "CreateDocument" => Some(self.create_document(name, wish)),
            "DescribeDocument" => Some(self.describe_document(name, wish)),
            "UpdateDocument" => Some(self.update_document(name, wish)),
            "UpdateDocumentDefaultVersion" => Some(self.update_default(name, wish)),
            _ => None,
        }
    }

    fn document(&mut self, name: &str) -> Result<&mut Document, Answer> {
        self.documents.get_mut(name).ok_or_else(|| Answer::refused(400, "InvalidDocument", "The specified SSM document doesn't exist."))
    }

    fn create_document(&mut self, name: &str, wish: &Value) -> Result<Answer, Answer> {
        if self.documents.contains_key(name) {
            return Err(Answer::refused(400, "DocumentAlreadyExists", format!("Document with name {name} already exists")));
        }
        if wish["Content"].as_str().is_none_or(|content| content.is_empty() || content.len() > 64 * 1024) {
            return Err(Answer::refused(400, "MaxDocumentSizeExceeded", "The size limit of a document is 64 KB."));
        }
        let mut document = Document { versions: Vec::new(), default: 1 };
        document.add(wish)?;
        let shown = document.shown(name, 1);
        self.documents.insert(name.to_owned(), document);
        Ok(Answer::ok(200, json!({"DocumentDescription": shown})))
    }

    fn describe_document(&mut self, name: &str, wish: &Value) -> Result<Answer, Answer> {
        let document = self.document(name)?;
        let number = match wish["VersionName"].as_str() {
            Some(called) => document.versions.iter().position(|version| version.name.as_deref() == Some(called)).map(|index| index + 1),
            None => Some(document.default),
        };
        let number =
            number.ok_or_else(|| Answer::refused(400, "InvalidDocumentVersion", "The document version isn't valid or doesn't exist."))?;
        Ok(Answer::ok(200, json!({"Document": document.shown(name, number)})))
    }

    fn update_document(&mut self, name: &str, wish: &Value) -> Result<Answer, Answer> {
        let document = self.document(name)?;
        if wish["DocumentVersion"] != "$LATEST" {
            return Err(Answer::refused(400, "InvalidDocumentVersion", "Only the latest version can be updated."));
        }
        let number = document.add(wish)?;
        Ok(Answer::ok(200, json!({"DocumentDescription": document.shown(name, number)})))
    }

    fn update_default(&mut self, name: &str, wish: &Value) -> Result<Answer, Answer> {
        let document = self.document(name)?;
        let number = wish["DocumentVersion"].as_str().and_then(|number| number.parse().ok());
        let number = number.filter(|number| (1..=document.versions.len()).contains(number));
        document.default = number.ok_or_else(|| Answer::refused(400, "InvalidDocumentVersion", "There is no such version."))?;
        Ok(Answer::ok(200, json!({"Description": {"Name": name, "DefaultVersion": document.default.to_string()}})))
    }
}
