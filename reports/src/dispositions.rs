//! What became of everything that a system took in: tables that add up, or the books do not balance.

use serde::{Deserialize, Serialize};

use crate::words::count;

/// What became of one kind of thing, such as mails or sign-ins.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dispositions {
    /// What was taken in, such as `mails`.
    pub of: String,
    /// How many were taken in.
    pub taken: u64,
    /// Every way in which one can end, and how many did; what is still under way is a way of its own.
    pub ends: Vec<Row>,
    /// What else was counted of them, which adds up to nothing: duplicates, for example.
    pub of_these: Vec<Row>,
}

/// One line of the table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// In words, such as `delivered to all readers`.
    pub what: String,
    /// Struck by a fault on their way.
    pub struck: u64,
    /// Eligible and left alone.
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
    /// What does not add up; none where it does.
    pub fn imbalance(&self) -> Option<String> {
        let ended: u64 = self.ends.iter().map(Row::total).sum();
        (ended != self.taken).then(|| format!("{} {} were taken in, but {} are accounted for", count(self.taken), self.of, count(ended)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_adds_up_or_says_what_is_missing() {
        let delivered = Row { what: "delivered".into(), struck: 1, control: 1, neither: 2 };
        assert_eq!(delivered.total(), 4);
        let mut table = Dispositions { of: "mails".into(), taken: 4, ends: vec![delivered], of_these: vec![Row::default()] };
        assert_eq!(table.imbalance(), None);
        table.taken = 5;
        assert_eq!(table.imbalance().unwrap(), "5 mails were taken in, but 4 are accounted for");
    }
}
