//! A fixed plan in a variable. It is in force from the start until its lease ends, and never again.
//! Its age is unknown, so with faults it must contain its end, or every new environment would begin
//! its lease again.

use super::source::{Look, Source};

/// The text of one plan.
#[derive(Debug)]
pub struct Variable {
    text: String,
    is_told: bool,
}

impl Variable {
    /// The plan in `text`.
    pub const fn new(text: String) -> Self {
        Self { text, is_told: false }
    }
}

impl Source for Variable {
    fn look(&mut self) -> Look {
        if std::mem::replace(&mut self.is_told, true) {
            return Look::Same;
        }
        Look::Found { plan: self.text.clone().into_bytes(), age: None }
    }

    fn forget(&mut self) {
        self.is_told = false;
    }
}
