//! What a service shows of its content on the page: the things that it holds, and their rows. A view
//! reads and changes nothing.

use serde::Serialize;

/// A service whose content is shown.
pub trait Shows: Send + Sync {
    /// What it holds now: its queues, its tables.
    fn things(&self) -> Vec<Thing>;

    /// Some rows of one of them; `None` if it does not exist.
    fn rows(&self, thing: &str, part: Part) -> Option<Rows>;
}

/// A thing that a service holds, such as a queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Thing {
    /// Its kind, such as `queue`.
    pub kind: &'static str,
    /// Its name, which is unique within its service.
    pub name: String,
    /// How many rows it has.
    pub count: usize,
    /// What else matters, such as the queue of its dead letters; may be empty.
    pub note: String,
    /// Whether it can be run now: a schedule.
    pub fires: bool,
}

impl Thing {
    /// A thing that needs no note.
    pub fn new(kind: &'static str, name: impl Into<String>, count: usize) -> Self {
        Self { kind, name: name.into(), count, note: String::new(), fires: false }
    }
}

/// Which of the rows are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// The position of the first, from 0.
    pub from: usize,
    /// The most rows.
    pub most: usize,
}

/// Some rows of a thing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Rows {
    /// The headings.
    pub columns: Vec<String>,
    /// One cell for each heading in every row.
    pub rows: Vec<Vec<Cell>>,
    /// How many rows the thing has.
    pub total: usize,
}

/// A cell of a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cell {
    /// A text.
    Text(String),
    /// A text that opens the rows of another thing of the service.
    Opens {
        /// The text.
        text: String,
        /// The other thing, which need not be among [`Shows::things`].
        thing: String,
    },
    /// An object of a bucket, which can be looked at.
    Object {
        /// The bucket.
        bucket: String,
        /// The key.
        key: String,
    },
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::Text(text.into())
    }
}

impl Rows {
    /// The asked part of all rows, each made into cells.
    pub fn of<T, const N: usize>(
        columns: [&str; N],
        all: impl ExactSizeIterator<Item = T>,
        part: Part,
        cells: impl Fn(T) -> [Cell; N],
    ) -> Self {
        let total = all.len();
        let rows = all.skip(part.from).take(part.most).map(|row| cells(row).to_vec()).collect();
        Self { columns: columns.map(str::to_owned).to_vec(), rows, total }
    }
}

/// A yes or a no for people.
pub const fn yes(it_is: bool) -> &'static str {
    if it_is { "yes" } else { "no" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_has_its_rows_and_the_number_of_all() {
        let rows = |from, most| Rows::of(["N"], (0..5).map(|n: i32| n.to_string()), Part { from, most }, |n| [n.into()]);
        assert_eq!((rows(0, 2).rows.len(), rows(4, 2).rows.len(), rows(9, 2).rows.len()), (2, 1, 0));
        assert_eq!((rows(4, 2).rows, rows(9, 2).total), (vec![vec![Cell::Text("4".into())]], 5));
    }
}
