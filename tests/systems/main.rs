//! The shipped systems as the stack reads them: their templates declare what their contracts say.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod foreign;
mod machine;
mod mistakes;
mod policies;
#[path = "../support/mod.rs"]
mod support;
mod templates;

use std::collections::BTreeMap;

use run_folder::Deployment;
use run_folder::deployment::Parameter;
use scenarios::systems::{self, Setup, System};
use serde_json::json;
use template::{Template, TemplateError};

/// What a stack deploys for a system.
fn deployment(system: System, setup: &Setup) -> Deployment {
    systems::deployment([&*system.read_load(json!({"rate": "1/s"})).unwrap()], setup)
}

/// A system's template, read from this text, with those of these parameters that it has.
fn read(system: System, text: &str, parameters: &[(&str, &str)]) -> Result<Template, TemplateError> {
    let value = |parameter: &Parameter| parameter.text("http://127.0.0.1:1", "redis://127.0.0.1:1");
    let own = deployment(system, &Setup::default()).templates.remove(0).parameters;
    let mut all: BTreeMap<_, _> = own.iter().map(|(name, parameter)| (name.clone(), value(parameter))).collect();
    let known = parameters.iter().filter(|(name, _)| text.contains(&format!("\n  {name}:\n    Type:")));
    all.extend(known.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    Template::read(text, &all)
}

/// The combined template of all systems.
fn deployed(parameters: &[(&str, &str)]) -> Template {
    let each = System::ALL.into_iter().map(|system| read(system, system.template(), parameters).unwrap());
    Template::join(each.collect()).unwrap()
}

#[test]
fn the_template_of_the_example_is_read() {
    let template = Template::read(include_str!("../../examples/own-system/greeting/template.yaml"), &BTreeMap::new()).unwrap();
    let functions: Vec<_> = template.blueprint.functions.iter().map(|function| function.name.as_str()).collect();
    assert_eq!(functions, ["greet"]);
}
