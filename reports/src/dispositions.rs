//! The outcomes of everything that a system accepted, in tables that must add up.

use serde::{Deserialize, Serialize};

use crate::words::count;

/// The outcomes of one kind of thing, such as mails or sign-ins.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dispositions {
    /// The kind, such as `mails`.
    pub of: String,
    /// How many were accepted.
    pub taken: u64,
    /// Every outcome, with its count; still in progress is an outcome too.
    pub ends: Vec<Row>,
    /// Other counts, which are not part of the sum: duplicates, for example.
    pub of_these: Vec<Row>,
}

/// One line of the table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// In words, such as `delivered to all readers`.
    pub what: String,
    /// Struck by a fault.
    pub struck: u64,
    /// Eligible and not struck.
    pub control: u64,
    /// No fault was about them.
    pub neither: u64,
}

impl Row {
    /// All of them.
    pub const fn total(&self) -> u64 {
        self.struck + self.control + self.neither
    }
}

impl Dispositions {
    /// What does not add up; `None` if the table is balanced.
    pub fn imbalance(&self) -> Option<String> {
        let ended: u64 = self.ends.iter().map(Row::total).sum();
        (ended != self.taken).then(|| format!("{} {} were taken in, but {} are accounted for", count(self.taken), self.of, count(ended)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_adds_up_or_reports_what_is_missing() {
        let delivered = Row { what: "delivered".into(), struck: 1, control: 1, neither: 2 };
        assert_eq!(delivered.total(), 4);
        let mut table = Dispositions { of: "mails".into(), taken: 4, ends: vec![delivered], of_these: vec![Row::default()] };
        assert_eq!(table.imbalance(), None);
        table.taken = 5;
        assert_eq!(table.imbalance().unwrap(), "5 mails were taken in, but 4 are accounted for");
    }
}
