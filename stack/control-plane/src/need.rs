//! The permissions that a call needs.

/// One permission: all of these resources must be allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Need {
    pub(crate) action: &'static str,
    pub(crate) resources: Vec<String>,
    pub(crate) context: Vec<(&'static str, String)>,
}

impl Need {
    pub(crate) fn new(action: &'static str, resource: impl Into<String>) -> Self {
        Self { action, resources: vec![resource.into()], context: Vec::new() }
    }

    pub(crate) fn with(mut self, key: &'static str, values: impl IntoIterator<Item = String>) -> Self {
        self.context.extend(values.into_iter().map(|value| (key, value)));
        self
    }
}
