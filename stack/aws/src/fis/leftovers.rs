//! What runs made in FIS and Systems Manager for themselves: it is found by its mark, and deleted
//! once no run needs it. What has no mark is never deleted.

use aws_sdk_ssm::types::DocumentKeyValuesFilter;
use exports::{Experiment, Mark};

use super::client::{Fis, failed};
use crate::call::{CallError, Meaning};

/// The templates and documents that may have been made by runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Leftovers {
    templates: Vec<(String, Mark)>,
    documents: Vec<Document>,
}

/// A document with its versions.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Document {
    name: String,
    /// Whether a run created it; otherwise a stack did, and only versions are from runs.
    is_of_a_run: bool,
    versions: Vec<Version>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Version {
    mark: Option<Mark>,
    is_default: bool,
}

/// One thing to delete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leftover {
    /// The run that made it.
    pub mark: Mark,
    /// What it is.
    pub what: What,
}

/// What a run has made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// An experiment template, by its id.
    Template(String),
    /// A document with all its versions, by its name.
    Document(String),
    /// A version of a document, by the document's name.
    Version(String),
}

impl std::fmt::Display for Leftover {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.what {
            What::Template(id) => write!(f, "experiment template {id} of FIS"),
            What::Document(name) => write!(f, "document {name}"),
            What::Version(document) => write!(f, "version {} of document {document}", self.mark.version_name()),
        }
    }
}

impl Leftovers {
    /// What is to be deleted if the marks that `is_meant` selects are. A document that a run created
    /// is deleted with its last version; its default version cannot be deleted before.
    pub fn select(&self, is_meant: impl Fn(&Mark) -> bool) -> Vec<Leftover> {
        let templates = self.templates.iter().filter(|(_, mark)| is_meant(mark));
        let mut all: Vec<_> = templates.map(|(id, mark)| Leftover { mark: mark.clone(), what: What::Template(id.clone()) }).collect();
        for document in &self.documents {
            let meant = |version: &&Version| version.mark.as_ref().is_some_and(&is_meant);
            let is_whole = document.is_of_a_run && document.versions.iter().all(|version| meant(&version));
            let versions = document.versions.iter().filter(meant);
            if is_whole {
                let last = versions.filter_map(|version| version.mark.clone()).max_by_key(|mark| mark.until);
                all.extend(last.map(|mark| Leftover { mark, what: What::Document(document.name.clone()) }));
            } else {
                let marks = versions.filter(|version| !version.is_default).filter_map(|version| version.mark.clone());
                all.extend(marks.map(|mark| Leftover { mark, what: What::Version(document.name.clone()) }));
            }
        }
        all
    }
}

impl Fis {
    /// Everything that runs made, or only runs of one experiment; read-only.
    ///
    /// # Errors
    /// The call that failed.
    pub async fn leftovers(&self, experiment: Option<&Experiment>) -> Result<Leftovers, CallError> {
        let templates = self.templates(experiment.map(|experiment| experiment.named("run"))).await?;
        let mut documents = Vec::new();
        for (name, is_of_a_run) in self.documents(experiment.map(|experiment| experiment.named("strike"))).await? {
            let versions = self.versions(&name).await?;
            documents.push(Document { name, is_of_a_run, versions });
        }
        Ok(Leftovers { templates, documents })
    }

    async fn templates(&self, named: Option<String>) -> Result<Vec<(String, Mark)>, CallError> {
        let (mut found, mut next) = (Vec::new(), None);
        loop {
            let listed = self.patience.insist(|| async {
                let listed = self.fis.list_experiment_templates().set_next_token(next.clone()).send().await;
                listed.map_err(|error| failed("ListExperimentTemplates", "FIS", &error))
            });
            let listed = listed.await?;
            for template in listed.experiment_templates() {
                let tag = |name: &str| template.tags().and_then(|tags| tags.get(name)).map(String::as_str);
                let is_meant = named.as_deref().is_none_or(|named| tag("Name") == Some(named));
                if let (Some(id), Some(mark), true) = (template.id(), Mark::in_tags(tag), is_meant) {
                    found.push((id.to_owned(), mark));
                }
            }
            next = listed.next_token;
            if next.is_none() {
                return Ok(found);
            }
        }
    }

    /// The documents that have the name of one of brownout's, each with whether a run created it.
    async fn documents(&self, named: Option<String>) -> Result<Vec<(String, bool)>, CallError> {
        let filter = |key: &str, value: &str| DocumentKeyValuesFilter::builder().key(key).values(value).build();
        let (mut found, mut next) = (Vec::new(), None);
        loop {
            let listed = self.patience.insist(|| async {
                let call = self.ssm.list_documents().filters(filter("Owner", "Self")).filters(filter("DocumentType", "Automation"));
                let listed = call.set_next_token(next.clone()).send().await;
                listed.map_err(|error| failed("ListDocuments", "Systems Manager", &error))
            });
            let listed = listed.await?;
            for document in listed.document_identifiers() {
                let name = document.name().unwrap_or_default();
                let is_meant = match &named {
                    Some(named) => name == named,
                    None => name.starts_with("brownout-") && name.ends_with("-strike"),
                };
                let tag = |key: &str| document.tags().iter().find(|tag| tag.key() == key).map(|tag| tag.value());
                if is_meant {
                    found.push((name.to_owned(), Mark::in_tags(tag).is_some()));
                }
            }
            next = listed.next_token.filter(|next| !next.is_empty());
            if next.is_none() {
                return Ok(found);
            }
        }
    }

    async fn versions(&self, name: &str) -> Result<Vec<Version>, CallError> {
        let (mut found, mut next) = (Vec::new(), None);
        loop {
            let listed = self.patience.insist(|| async {
                let listed = self.ssm.list_document_versions().name(name).set_next_token(next.clone()).send().await;
                listed.map_err(|error| failed("ListDocumentVersions", name, &error))
            });
            let listed = listed.await?;
            found.extend(listed.document_versions().iter().map(|version| Version {
                mark: version.version_name().and_then(Mark::in_version_name),
                is_default: version.is_default_version(),
            }));
            next = listed.next_token.filter(|next| !next.is_empty());
            if next.is_none() {
                return Ok(found);
            }
        }
    }

    /// Deletes it; if it is gone already, that is as good. Experiments and executions that were
    /// started from it go on.
    ///
    /// # Errors
    /// If it may still be there.
    pub async fn delete(&self, leftover: &Leftover) -> Result<(), CallError> {
        let deleted = match &leftover.what {
            What::Template(id) => {
                let call = || async {
                    let deleted = self.fis.delete_experiment_template().id(id).send().await;
                    deleted.map(drop).map_err(|error| failed("DeleteExperimentTemplate", id, &error))
                };
                self.patience.insist(call).await
            }
            What::Document(name) => self.delete_document(name, None).await,
            What::Version(name) => self.delete_document(name, Some(leftover.mark.version_name())).await,
        };
        match deleted {
            Err(error)
                if error.meaning == Meaning::Missing || matches!(error.code.as_str(), "InvalidDocument" | "InvalidDocumentVersion") =>
            {
                Ok(())
            }
            deleted => deleted,
        }
    }

    async fn delete_document(&self, name: &str, version: Option<String>) -> Result<(), CallError> {
        let call = || async {
            let deleted = self.ssm.delete_document().name(name).set_version_name(version.clone()).send().await;
            deleted.map(drop).map_err(|error| failed("DeleteDocument", name, &error))
        };
        self.patience.insist(call).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(run: &str, until: u64) -> Mark {
        Mark { run: run.to_owned(), until }
    }

    fn version(mark: Option<Mark>, is_default: bool) -> Version {
        Version { mark, is_default }
    }

    #[test]
    fn only_what_a_run_made_and_no_run_needs_is_selected() {
        let document = |is_of_a_run, versions| Document { name: "d".into(), is_of_a_run, versions };
        let of_a_stack = document(false, vec![version(None, true), version(Some(mark("a", 1)), false), version(Some(mark("b", 9)), false)]);
        let leftovers =
            Leftovers { templates: vec![("t1".into(), mark("a", 1)), ("t2".into(), mark("b", 9))], documents: vec![of_a_stack] };
        let said = |leftovers: &Leftovers, until| {
            let selected = leftovers.select(|mark| mark.until <= until);
            selected.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(said(&leftovers, 5), ["experiment template t1 of FIS", "version brownout-run.1.a of document d"]);
        assert_eq!(said(&leftovers, 9).len(), 4);
        // The first version of a run's own document is the default, which goes with the last one.
        let of_a_run = document(true, vec![version(Some(mark("a", 1)), true), version(Some(mark("b", 9)), false)]);
        let leftovers = Leftovers { templates: Vec::new(), documents: vec![of_a_run] };
        assert_eq!((said(&leftovers, 5), said(&leftovers, 9)), (Vec::new(), vec!["document d".to_owned()]));
        // A version that another user added to it keeps it.
        let with_another = document(true, vec![version(Some(mark("a", 1)), true), version(None, false)]);
        assert_eq!(said(&Leftovers { templates: Vec::new(), documents: vec![with_another] }, 9), Vec::<String>::new());
    }
}
