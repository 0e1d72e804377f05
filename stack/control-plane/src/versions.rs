//! Versions: published from `$LATEST`, never changed, deleted unless an alias points at them.

use serde_json::json;

use crate::{Answer, Configuration, ControlPlane, Function, LastUpdate};

/// The name in a name, a name with a qualifier, or an ARN, and the qualifier where there is one.
pub(crate) fn names(named: &str) -> (String, Option<String>) {
    let rest = named.split_once(":function:").map_or(named, |(_, rest)| rest);
    match rest.split_once(':') {
        Some((name, qualifier)) => (name.to_owned(), Some(qualifier.to_owned())),
        None => (rest.to_owned(), None),
    }
}

impl Function {
    /// What a version's number or an alias's name stands for.
    pub(crate) fn resolve(&self, qualifier: &str) -> Result<&Configuration, Answer> {
        let number = self.aliases.get(qualifier).map_or(qualifier, |alias| alias.version.as_str());
        if number == "$LATEST" {
            return Ok(&self.latest);
        }
        let found = number.parse().ok().and_then(|number: u64| self.versions.get(&number));
        found.ok_or_else(|| Answer::not_found(format!("Function {}:{qualifier}", self.latest.name)))
    }

    /// Publishes `$LATEST`; the version before where nothing changed since, as Lambda does.
    pub(crate) fn publish(&mut self, description: &str, revision: u64) -> Configuration {
        let mut new = Configuration { last_update: LastUpdate::Successful, revision, ..self.latest.clone() };
        if !description.is_empty() {
            description.clone_into(&mut new.description);
        }
        if let Some(before) = self.versions.get(&self.last_version)
            && (&before.layers, &before.variables, &before.description) == (&new.layers, &new.variables, &new.description)
        {
            return before.clone();
        }
        self.last_version += 1;
        new.version = self.last_version.to_string();
        self.versions.insert(self.last_version, new.clone());
        new
    }
}

impl ControlPlane {
    /// `PublishVersion`.
    pub(crate) fn publish_version(&mut self, named: &str, wish: &serde_json::Value) -> Result<Answer, Answer> {
        let revision = self.next_revision();
        let function = self.function(named)?;
        if wish["RevisionId"].as_str().is_some_and(|given| given != function.latest.revision_id()) {
            return Err(Answer::stale());
        }
        if function.latest.is_busy() {
            return Err(Answer::busy(&crate::arn_of(&function.latest.name)));
        }
        let new = function.publish(wish["Description"].as_str().unwrap_or_default(), revision);
        Ok(Answer::ok(201, new.shown()))
    }

    /// `ListVersionsByFunction`.
    pub(crate) fn list_versions(&mut self, named: &str) -> Result<Answer, Answer> {
        let function = self.function(named)?;
        let all = std::iter::once(&function.latest).chain(function.versions.values());
        Ok(Answer::ok(200, json!({"Versions": all.map(Configuration::shown).collect::<Vec<_>>()})))
    }

    /// `DeleteFunction`, with a qualifier one version.
    pub(crate) fn delete_function(&mut self, named: &str, qualifier: Option<&str>) -> Result<Answer, Answer> {
        let (name, own) = names(named);
        let function = self.function(named)?;
        let Some(qualifier) = qualifier.map(str::to_owned).or(own) else {
            self.functions.remove(&name);
            return Ok(Answer::ok(204, serde_json::Value::Null));
        };
        let Some(number) = qualifier.parse::<u64>().ok() else { return Err(Answer::invalid("$LATEST version cannot be deleted")) };
        if function.aliases.values().any(|alias| alias.points_at(&qualifier)) {
            return Err(Answer::refused(409, "ResourceConflictException", format!("an alias points at version {number}")));
        }
        function.versions.remove(&number).ok_or_else(|| Answer::not_found(format!("Function {name}:{number}")))?;
        Ok(Answer::ok(204, serde_json::Value::Null))
    }
}
