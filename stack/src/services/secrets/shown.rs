//! The secrets on the page: their names, never their values.

use super::Secrets;
use crate::services::shows::{Part, Rows, Shows, Thing, yes};

/// The name of the one list.
const ALL: &str = "secrets";

impl Shows for Secrets {
    fn things(&self) -> Vec<Thing> {
        vec![Thing::new("list", ALL, self.secrets().len())]
    }

    fn rows(&self, thing: &str, part: Part) -> Option<Rows> {
        let secrets = self.secrets();
        (thing == ALL).then(|| {
            Rows::of(["Secret", "Description", "Deleted"], secrets.iter(), part, |(name, held)| {
                [name.as_str().into(), held.description.clone().unwrap_or_default().into(), yes(held.deleted.is_some()).into()]
            })
        })
    }
}
