//! A fixed plan in a variable. It is in force from the start until its lease is over, and never again.

use super::{Look, Source};

/// The text of one plan.
#[derive(Debug)]
pub struct Variable(Option<String>);

impl Variable {
    /// The plan in `text`.
    pub const fn new(text: String) -> Self {
        Self(Some(text))
    }
}

impl Source for Variable {
    fn look(&mut self) -> Look {
        self.0.take().map_or(Look::Same, |text| Look::Found(text.into_bytes()))
    }
}
