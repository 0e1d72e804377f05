//! The Cedar policies of both systems, as text; whoever decides compiles them.

/// A policy store's content.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PolicyStore {
    /// Policies that stand alone: id and text.
    pub policies: Vec<(String, String)>,
    /// Templates: id and text.
    pub templates: Vec<(String, String)>,
    /// Template-linked policies.
    pub links: Vec<Link>,
    /// The schema in Cedar's human form.
    pub schema: String,
}

/// A policy made of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Its own id.
    pub id: String,
    /// The template's id.
    pub template: String,
    /// What fills `?principal`: entity type and id.
    pub principal: (String, String),
    /// What fills `?resource`: entity type and id.
    pub resource: (String, String),
}
