//! Aliases: a name for a version, with a share of the calls for one other.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::alias::Alias;
use crate::answer::Answer;
use crate::state::ControlPlane;

impl ControlPlane {
    /// `CreateAlias`.
    pub(crate) fn create_alias(&mut self, named: &str, wish: &Value) -> Result<Answer, Answer> {
        let revision = self.next_revision();
        let function = self.function(named)?;
        let Some(name) = wish["Name"].as_str() else { return Err(Answer::invalid("Name is required")) };
        if function.aliases.contains_key(name) {
            return Err(Answer::refused(409, "ResourceConflictException", format!("Alias already exists: {name}")));
        }
        let mut alias = Alias { revision, ..Alias::new("") };
        alias.apply(wish)?;
        for version in alias.weights.keys().chain([&alias.version]) {
            function.resolve(version)?;
        }
        let shown = alias.shown(&function.latest.name, name);
        function.aliases.insert(name.to_owned(), alias);
        Ok(Answer::ok(201, shown))
    }

    /// `UpdateAlias`: what is not given is unchanged.
    pub(crate) fn update_alias(&mut self, named: &str, name: &str, wish: &Value) -> Result<Answer, Answer> {
        let (revision, until) = (self.next_revision(), self.clock_ms + self.publishing.propagation_ms);
        let clock = self.clock_ms;
        let function = self.function(named)?;
        let before = function.aliases.get(name).ok_or_else(|| Answer::not_found(format!("alias {name}")))?;
        if wish["RevisionId"].as_str().is_some_and(|given| given != before.revision_id()) {
            return Err(Answer::stale());
        }
        let mut alias = Alias { revision, ..before.clone() };
        alias.apply(wish)?;
        let stood_for = before.weights.keys().chain([&before.version]).filter(|version| !alias.points_at(version));
        let stale: BTreeMap<_, _> = stood_for.map(|version| (version.clone(), until)).collect();
        alias.stale.extend(stale);
        alias.stale.retain(|_, until| *until > clock);
        for version in alias.weights.keys().chain([&alias.version]) {
            function.resolve(version)?;
        }
        let shown = alias.shown(&function.latest.name, name);
        function.aliases.insert(name.to_owned(), alias);
        Ok(Answer::ok(200, shown))
    }

    /// `GetAlias`.
    pub(crate) fn get_alias(&mut self, named: &str, name: &str) -> Result<Answer, Answer> {
        let function = self.function(named)?;
        let alias = function.aliases.get(name).ok_or_else(|| Answer::not_found(format!("alias {name}")))?;
        Ok(Answer::ok(200, alias.shown(&function.latest.name, name)))
    }

    /// `ListAliases`.
    pub(crate) fn list_aliases(&mut self, named: &str) -> Result<Answer, Answer> {
        let function = self.function(named)?;
        let shown: Vec<_> = function.aliases.iter().map(|(name, alias)| alias.shown(&function.latest.name, name)).collect();
        Ok(Answer::ok(200, json!({"Aliases": shown})))
    }

    /// `DeleteAlias`; deleting a missing one succeeds.
    pub(crate) fn delete_alias(&mut self, named: &str, name: &str) -> Result<Answer, Answer> {
        self.function(named)?.aliases.remove(name);
        Ok(Answer::ok(204, Value::Null))
    }
}
