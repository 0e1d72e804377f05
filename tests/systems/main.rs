//! The shipped systems as the stack reads them: what their templates declare is what their contracts say.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod foreign;
mod machine;
mod mistakes;
mod policies;
#[path = "../support/mod.rs"]
mod support;
mod templates;

use std::collections::BTreeMap;
use std::time::Duration;

use run_folder::deployment::Parameter;
use scenarios::systems::{self, System, Wanted};
use stack::platform::template::{Template, TemplateError};

fn wanted() -> Wanted {
    Wanted { homes: 1, members: 1, sign_ins_at_once: 0, authorizer_cache: Duration::from_secs(300), weaknesses: Vec::new() }
}

/// What a system's template says under this text, with these parameters as far as it has them.
fn read(system: &dyn System, text: &str, parameters: &[(&str, &str)]) -> Result<Template, TemplateError> {
    let value = |parameter: &Parameter| parameter.text("http://127.0.0.1:1", "redis://127.0.0.1:1");
    let own = systems::deployment([system], &wanted()).templates.remove(0).parameters;
    let mut all: BTreeMap<_, _> = own.iter().map(|(name, parameter)| (name.clone(), value(parameter))).collect();
    let known = parameters.iter().filter(|(name, _)| text.contains(&format!("\n  {name}:\n    Type:")));
    all.extend(known.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    Template::read(text, &all)
}

/// What all systems deploy together.
fn deployed(parameters: &[(&str, &str)]) -> Template {
    let each = systems::ALL.into_iter().map(|system| read(system, system.template(), parameters).unwrap());
    Template::join(each.collect()).unwrap()
}
