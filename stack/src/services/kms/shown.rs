//! The keys on the page, with their aliases.

use super::{Kms, OF_SERVICES};
use crate::services::shows::{Part, Rows, Shows, Thing};

/// The name of the one list.
const ALL: &str = "keys";

impl Shows for Kms {
    fn things(&self) -> Vec<Thing> {
        vec![Thing::new("list", ALL, self.keys.len())]
    }

    fn rows(&self, thing: &str, part: Part) -> Option<Rows> {
        (thing == ALL).then(|| {
            Rows::of(["Key", "Aliases"], self.keys.keys(), part, |id| {
                let own: Vec<_> = self.aliases.iter().filter(|(_, key)| *key == id).map(|(alias, _)| alias.as_str()).collect();
                let aliases = if id == OF_SERVICES { "alias/aws/...".to_owned() } else { own.join(", ") };
                [id.as_str().into(), aliases.into()]
            })
        })
    }
}
