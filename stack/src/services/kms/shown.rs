//! The declared keys on the page, with their aliases.

use super::{Kms, OF_SERVICES};
use crate::services::shows::{Part, Rows, Shows, Thing};

/// The name of the one list.
const ALL: &str = "keys";

impl Shows for Kms {
    fn things(&self) -> Vec<Thing> {
        vec![Thing::new("list", ALL, self.declared().len())]
    }

    fn rows(&self, thing: &str, part: Part) -> Option<Rows> {
        (thing == ALL).then(|| {
            Rows::of(["Key", "Aliases"], self.declared().into_iter(), part, |id| {
                let own: Vec<_> = self.aliases.iter().filter(|(_, key)| *key == id).map(|(alias, _)| alias.as_str()).collect();
                [id.as_str().into(), own.join(", ").into()]
            })
        })
    }
}

impl Kms {
    /// All keys but the one that an account has without declaring it.
    fn declared(&self) -> Vec<&String> {
        self.keys.keys().filter(|id| *id != OF_SERVICES).collect()
    }
}
