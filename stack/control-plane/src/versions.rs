//! Versions: published from `$LATEST`, never changed, deleted unless an alias points to them.

use crate::answer::Answer;
use crate::arn::names;
use crate::configuration::{Configuration, LastUpdate};
use crate::function::Function;
use crate::state::{ControlPlane, page};

impl Function {
    /// What a version's number or an alias's name points to.
    pub(crate) fn resolve(&self, qualifier: &str) -> Result<&Configuration, Answer> {
        let number = self.aliases.get(qualifier).map_or(qualifier, |alias| alias.version.as_str());
        if number == "$LATEST" {
            return Ok(&self.latest);
        }
        let found = number.parse().ok().and_then(|number: u64| self.versions.get(&number));
        found.ok_or_else(|| Answer::not_found(format!("Function {}:{qualifier}", self.latest.name)))
    }

    /// A look at a version that is not active yet advances it.
    pub(crate) fn looked_at(&mut self, qualifier: &str) {
        let number = qualifier.parse().unwrap_or_default();
        let Some(looks) = self.pending.get_mut(&number) else { return };
        *looks = looks.saturating_sub(1);
        if *looks == 0 {
            self.pending.remove(&number);
            if let Some(version) = self.versions.get_mut(&number) {
                "Active".clone_into(&mut version.state);
            }
        }
    }

    /// The versions that a call of an alias may reach now, each with the reason why the call would
    /// fail, if it would.
    pub(crate) fn reached_by(&self, alias: &crate::alias::Alias, clock_ms: u64) -> Vec<(String, Option<&'static str>)> {
        let stale = alias.stale.iter().filter(|(_, until)| **until > clock_ms).map(|(version, _)| version);
        let reached = std::iter::once(&alias.version).chain(alias.weights.keys()).chain(stale);
        let fails = |version: &String| match self.resolve(version) {
            Err(_) => Some("502: Function not found"),
            Ok(found) if found.state == "Pending" => Some("409: the function is in the state Pending"),
            Ok(_) => None,
        };
        reached.map(|version| (version.clone(), fails(version))).collect()
    }

    /// Publishes `$LATEST`. If nothing changed since the previous version, returns that, as Lambda
    /// does.
    pub(crate) fn publish(&mut self, description: &str, revision: u64) -> Configuration {
        let mut new = Configuration { last_update: LastUpdate::Successful, revision, ..self.latest.clone() };
        if !description.is_empty() {
            description.clone_into(&mut new.description);
        }
        // A new description alone creates no new version.
        let of = |one: &Configuration| (one.layers.clone(), one.variables.clone(), one.others.clone(), one.code.clone());
        if let Some(before) = self.versions.get(&self.last_version).filter(|before| of(before) == of(&new)) {
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
        let (revision, looks) = (self.next_revision(), self.publishing.looks);
        let function = self.function(named)?;
        if wish["RevisionId"].as_str().is_some_and(|given| given != function.latest.revision_id()) {
            return Err(Answer::stale());
        }
        if function.latest.is_busy() {
            return Err(Answer::busy(&crate::arn::arn_of(&function.latest.name)));
        }
        let before = function.last_version;
        let mut new = function.publish(wish["Description"].as_str().unwrap_or_default(), revision);
        if looks > 0 && function.last_version > before {
            "Pending".clone_into(&mut new.state);
            function.pending.insert(function.last_version, looks);
            function.versions.insert(function.last_version, new.clone());
        }
        Ok(Answer::ok(201, new.shown()))
    }

    /// `ListVersionsByFunction`.
    pub(crate) fn list_versions(&mut self, named: &str, marker: Option<&str>, size: usize) -> Result<Answer, Answer> {
        let function = self.function(named)?;
        let all = std::iter::once(&function.latest).chain(function.versions.values());
        Ok(page("Versions", all.map(Configuration::listed).collect(), marker, size))
    }

    /// Simulates callers that call every alias all the time.
    pub(crate) fn witness(&mut self) {
        let clock = self.clock_ms;
        for function in self.functions.values() {
            for (name, alias) in &function.aliases {
                let failed = function.reached_by(alias, clock).into_iter().filter_map(|(version, why)| Some((version, why?)));
                self.broken.extend(failed.map(|(version, why)| format!("{}:{name} at version {version}: {why}", function.latest.name)));
            }
        }
    }

    /// `DeleteFunction`; with a qualifier it deletes one version.
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
