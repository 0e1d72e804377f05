//! The rules that an experiment's file writes about its own stack: what an answer acknowledged is
//! where it should be, as often as it should be, whatever faults struck. The services tell what
//! happens at the places that the rules name.

mod blame;
mod book;
mod cases;
mod claims;
mod dead_letters;
mod records;
mod standing;
#[cfg(test)]
mod tests;
mod words;

use crate::invariants::{Invariant, Judge};

use self::book::Book;
pub use self::claims::{Claim, Conservation, FileRule, Times, Wanted, When};

impl Conservation {
    /// The rules with the book that they share; `None` without any.
    pub(crate) fn judge(&self) -> Option<Box<dyn Invariant>> {
        let rules = Book::rules(self);
        (!rules.is_empty()).then(|| Box::new(Judge::new(Book::new(self), rules)) as Box<dyn Invariant>)
    }
}
