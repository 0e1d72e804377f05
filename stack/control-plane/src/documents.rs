//! SSM's documents, as far as an automation needs them: versions with names, one of which is the
//! default.

use serde_json::{Value, json};

use crate::answer::Answer;
use crate::document::{Document, DocumentVersion};
use crate::state::ControlPlane;

impl ControlPlane {
    /// One call about a document; `None` if the operation is not one of these.
    pub(crate) fn documents(&mut self, operation: &str, wish: &Value) -> Option<Result<Answer, Answer>> {
        let name = wish["Name"].as_str().unwrap_or_default();
        match operation {
            "CreateDocument" => Some(self.create_document(name, wish)),
            "DescribeDocument" => Some(self.describe_document(name, wish)),
            "UpdateDocument" => Some(self.update_document(name, wish)),
            "ListDocuments" => Some(self.list_documents(wish)),
            "ListDocumentVersions" => Some(self.list_document_versions(name, wish)),
            "DeleteDocument" => Some(self.delete_document(name, wish)),
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
        let mut document = Document { default: 1, ..Document::default() };
        document.add(wish)?;
        for tag in wish["Tags"].as_array().into_iter().flatten() {
            let text = |key: &str| tag[key].as_str().unwrap_or_default().to_owned();
            document.tags.insert(text("Key"), text("Value"));
        }
        let shown = document.shown(name, 1);
        self.documents.insert(name.to_owned(), document);
        Ok(Answer::ok(200, json!({"DocumentDescription": shown})))
    }

    fn describe_document(&mut self, name: &str, wish: &Value) -> Result<Answer, Answer> {
        let document = self.document(name)?;
        let number = wish["VersionName"].as_str().map_or(Ok(document.default), |called| document.called(called))?;
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

    /// One document a page, so that a caller that reads only the first page fails its test.
    fn list_documents(&self, wish: &Value) -> Result<Answer, Answer> {
        for filter in wish["Filters"].as_array().into_iter().flatten() {
            if !["Owner", "DocumentType"].contains(&filter["Key"].as_str().unwrap_or_default()) {
                return Err(Answer::refused(400, "InvalidFilterKey", format!("{filter} is not understood here")));
            }
        }
        let all = self.documents.iter().map(|(name, document)| document.listed(name)).collect();
        Ok(one_a_page("DocumentIdentifiers", all, wish))
    }

    fn list_document_versions(&mut self, name: &str, wish: &Value) -> Result<Answer, Answer> {
        let document = self.document(name)?;
        let shown = |(number, version): (&usize, &DocumentVersion)| {
            let is_default = *number == document.default;
            json!({"Name": name, "DocumentVersion": number.to_string(), "VersionName": version.name, "IsDefaultVersion": is_default})
        };
        let all = document.versions.iter().map(shown).collect();
        Ok(one_a_page("DocumentVersions", all, wish))
    }

    /// `DeleteDocument`: one version, which may not be the default, or all of it.
    fn delete_document(&mut self, name: &str, wish: &Value) -> Result<Answer, Answer> {
        let document = self.document(name)?;
        match wish["VersionName"].as_str() {
            None => drop(self.documents.remove(name)),
            Some(called) => {
                let number = document.called(called)?;
                if number == document.default {
                    return Err(Answer::refused(400, "InvalidDocumentOperation", "The default version of a document cannot be deleted."));
                }
                document.versions.remove(&number);
            }
        }
        Ok(Answer::ok(200, json!({})))
    }
}

fn one_a_page(key: &str, all: Vec<Value>, wish: &Value) -> Answer {
    let from = wish["NextToken"].as_str().and_then(|next| next.parse::<usize>().ok()).unwrap_or(0);
    let more = (from + 1 < all.len()).then(|| (from + 1).to_string());
    let shown: Vec<_> = all.into_iter().skip(from).take(1).collect();
    Answer::ok(200, json!({key: shown, "NextToken": more}))
}
