//! The permissions that a call needs.

use std::borrow::Cow;

/// One permission: all of these resources must be allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Need {
    pub(crate) action: Cow<'static, str>,
    pub(crate) resources: Vec<String>,
    pub(crate) context: Vec<(&'static str, String)>,
}

impl Need {
    pub(crate) fn new(action: impl Into<Cow<'static, str>>, resource: impl Into<String>) -> Self {
        Self { action: action.into(), resources: vec![resource.into()], context: Vec::new() }
    }

    pub(crate) fn with(mut self, key: &'static str, values: impl IntoIterator<Item = String>) -> Self {
        self.context.extend(values.into_iter().map(|value| (key, value)));
        self
    }
}
