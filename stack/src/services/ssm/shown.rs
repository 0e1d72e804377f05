//! The parameters on the page. The value of a secret one is not shown.

use super::Parameters;
use super::store::Kind;
use crate::services::shows::{Part, Rows, Shows, Thing};

/// The name of the one list.
const ALL: &str = "parameters";

impl Shows for Parameters {
    fn things(&self) -> Vec<Thing> {
        vec![Thing::new("list", ALL, self.store().names().count())]
    }

    fn rows(&self, thing: &str, part: Part) -> Option<Rows> {
        let store = self.store();
        let all: Vec<_> = store.names().filter_map(|name| Some((name, store.versions(name)?.last()?))).collect();
        (thing == ALL).then(|| {
            Rows::of(["Parameter", "Type", "Version", "Value"], all.into_iter(), part, |(name, version)| {
                let value = if version.kind == Kind::SecureString { "(secret)" } else { version.value.as_str() };
                [name.into(), format!("{:?}", version.kind).into(), version.number.to_string().into(), value.into()]
            })
        })
    }
}
