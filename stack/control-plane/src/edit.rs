//! Changes to a function by another user of the account.

use crate::configuration::Configuration;
use crate::state::ControlPlane;

/// One change by another user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit {
    /// A variable gets this value, whether it existed or not.
    Set(String, String),
    /// A variable is removed.
    Unset(String),
    /// A layer is added at the end.
    AddLayer(String),
    /// A layer is removed.
    RemoveLayer(String),
    /// A version is published.
    Publish,
}

impl Edit {
    /// The configuration after the edit; `None` if nothing changes or Lambda would refuse.
    pub fn of(&self, before: &Configuration) -> Option<Configuration> {
        let mut after = before.clone();
        match self {
            Self::Set(name, value) => {
                after.variables.insert(name.clone(), value.clone());
            }
            Self::Unset(name) => {
                after.variables.remove(name);
            }
            Self::AddLayer(layer) if !after.layers.contains(layer) => after.layers.push(layer.clone()),
            Self::RemoveLayer(layer) => after.layers.retain(|one| one != layer),
            Self::AddLayer(_) | Self::Publish => (),
        }
        (after != *before && after.check().is_ok()).then_some(after)
    }
}

impl ControlPlane {
    /// Carries out an edit at once, even while an update is in progress, when AWS would make it
    /// wait. True if something changed.
    pub fn edit(&mut self, function: &str, edit: &Edit) -> bool {
        let revision = self.revisions + 1;
        let Some(function) = self.functions.get_mut(function) else { return false };
        if *edit == Edit::Publish {
            function.publish("", revision);
        } else if let Some(after) = edit.of(&function.latest) {
            function.latest = Configuration { revision, ..after };
        } else {
            return false;
        }
        self.revisions = revision;
        true
    }
}
