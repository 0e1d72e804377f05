//! A greeting: the smallest system under test. One function answers `GET /hello`.

mod load;
mod rules;
mod table;

use std::ops::Range;

use faults::Trigger;

use super::under_test::{UnderTest, experiments};

pub use table::GreetingLoad;

/// One function that greets.
pub struct Greeting;

impl UnderTest for Greeting {
    fn name(&self) -> &'static str {
        "greeting"
    }

    fn template(&self) -> &'static str {
        include_str!("template.yaml")
    }

    fn functions(&self) -> &'static [(&'static str, Trigger)] {
        &[("greet", Trigger::Http)]
    }

    fn endpoints(&self) -> Vec<(&'static str, f64)> {
        vec![(ENDPOINT, 1.0)]
    }

    fn experiments(&self) -> &'static [(&'static str, &'static str)] {
        experiments!["slow-greeting"]
    }

    fn numbers(&self) -> Range<u64> {
        40..41
    }
}

/// The API, as the template names it.
const API: &str = "HelloApi";

/// What its requests are recorded under.
const ENDPOINT: &str = "greeting GET /hello";
