//! Data for a load in a stack that somebody else may use too: created with a mark, never over something that is there, and deleted again exactly.

mod decide;
mod error;
mod item;
mod journal;
mod key;
mod policies;
mod rows;
mod services;
mod shadows;
mod things;
mod undo;
mod users;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use protocol::Seed;
use run_folder::SeedFolder;
use run_folder::deployment::{Link, PolicyStore};
use run_folder::seed_folder::write_private;

pub use decide::Wanted;
pub use error::SeedError;
pub use item::{Item, Undone};
pub use journal::{Begun, Journal, JournalError, Noted};
pub use services::{AT_ONCE, Services};
pub use undo::{Left, Undoing, unseed};

use key::{KeyError, KeyPair, hex};
use policies::{LinkOf, Token};

/// What was created, by kind: how many, and of what.
pub type Created = BTreeMap<&'static str, usize>;

/// A seed under way.
struct Seeding<'a> {
    services: &'a Services,
    journal: &'a Journal,
    folder: &'a Path,
    password: String,
    created: std::sync::Mutex<Created>,
}

/// What is new in this seed's mark: where it is made, and when.
///
/// # Errors
/// If the system provides no randomness.
pub fn begin(task: &Seed) -> Result<Begun, SeedError> {
    let mut random = [0_u8; 8];
    rand::fill(&mut random).map_err(KeyError::from)?;
    let (stack, at) = (&task.stack, crate::marker::now());
    let (name, region, account) = (stack.stack.clone(), stack.region.clone(), stack.account.clone());
    Ok(Begun { id: hex(&random), stack: name, region, account, partition: stack.layer.partition.clone(), at })
}

/// Creates everything that `task` wants. What was created is in the journal also if this fails or is killed.
///
/// # Errors
/// Why not everything was created.
pub async fn seed(services: &Services, task: &Seed) -> Result<Created, SeedError> {
    let begun = begin(task)?;
    let wanted = Wanted::of(services, task, &begun.id).await?;
    let journal = Journal::begin(&task.folder, begun)?;
    let password = password()?;
    let seeding = Seeding { services, journal: &journal, folder: &task.folder, password, created: std::sync::Mutex::default() };
    seeding.all(wanted).await?;
    let failed = |cause| SeedError::File { path: task.folder.display().to_string(), cause };
    journal.finished(&seeding.password).finish(&task.folder).map_err(failed)?;
    Ok(seeding.created.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner))
}

/// Long enough for any pool, with all kinds of characters that one may demand.
fn password() -> Result<String, SeedError> {
    let mut random = [0_u8; 24];
    rand::fill(&mut random).map_err(KeyError::from)?;
    Ok(format!("aA1-{}", URL_SAFE_NO_PAD.encode(random)))
}

impl Seeding<'_> {
    async fn all(&self, wanted: Wanted) -> Result<(), SeedError> {
        self.each(wanted.groups).await?;
        self.each(wanted.users).await?;
        self.each(wanted.rows).await?;
        for (store, policies) in wanted.policies {
            self.policies(&store, policies).await?;
        }
        self.each(wanted.iot_policy).await?;
        self.each(wanted.things).await?;
        self.each(wanted.shadows).await?;
        let create = |thing| async move { self.create(self.requested(thing)?).await.map(drop) };
        stream::iter(wanted.certificates).map(Ok).try_for_each_concurrent(self.services.at_once, create).await
    }

    async fn each(&self, items: impl IntoIterator<Item = Item>) -> Result<(), SeedError> {
        let create = |item| async move { self.create(item).await.map(drop) };
        stream::iter(items).map(Ok).try_for_each_concurrent(self.services.at_once, create).await
    }

    /// Creates one thing: on disk before and after. Returns the id that the service gave.
    async fn create(&self, item: Item) -> Result<Option<String>, SeedError> {
        let (services, id) = (self.services, self.journal.begun().id.as_str());
        let number = self.journal.creating(&item)?;
        let token = Token { id, number };
        let given = match &item {
            Item::Group { pool, name } => services.create_group(&item, pool, name, id).await.map(|()| None),
            Item::User { pool, name, groups } => services.create_user(&item, (pool, name, groups), id, &self.password).await,
            Item::Row { table, key, row } => services.put_row(&item, table, key, row).await.map(|()| None),
            Item::PolicyTemplate { store, statement, .. } => services.create_template(&item, store, statement, &token).await.map(Some),
            Item::Policy { store, statement, .. } => services.create_policy(&item, store, statement, &token).await.map(Some),
            Item::Link { store, template, principal, resource, .. } => {
                services.create_link(&item, &LinkOf { store, template, principal, resource }, &token).await.map(Some)
            }
            Item::IotPolicy { name } => {
                let Begun { partition, region, account, .. } = self.journal.begun();
                services.create_iot_policy(&item, name, &things::policy_document(partition, region, account)).await.map(|()| None)
            }
            Item::Thing { name } => services.create_thing(&item, name, id).await,
            Item::Shadow { thing } => services.create_shadow(&item, thing, id).await.map(|()| None),
            Item::Certificate { thing, policy, request, .. } => self.certify(&item, thing, policy, request).await.map(Some),
        }?;
        self.journal.created(number, given.clone())?;
        self.count(&item);
        Ok(given)
    }

    fn count(&self, item: &Item) {
        let kind = match item {
            Item::Group { .. } => "groups",
            Item::User { .. } => "users",
            Item::Row { .. } => "rows",
            Item::PolicyTemplate { .. } => "policy templates",
            Item::Policy { .. } | Item::Link { .. } => "policies",
            Item::IotPolicy { .. } => "AWS IoT policies",
            Item::Thing { .. } => "things",
            Item::Shadow { .. } => "shadows",
            Item::Certificate { .. } => "certificates",
        };
        *self.created.lock().unwrap_or_else(std::sync::PoisonError::into_inner).entry(kind).or_default() += 1;
    }

    /// Creates the policies that a store does not contain.
    async fn policies(&self, store: &str, wanted: PolicyStore) -> Result<(), SeedError> {
        let contents = self.services.contents(store).await.map_err(SeedError::Read)?;
        let mut templates = BTreeMap::new();
        for (name, statement) in wanted.templates {
            let id = match contents.template(&statement) {
                Some(id) => Some(id.to_owned()),
                None => self.create(Item::PolicyTemplate { store: store.to_owned(), name: name.clone(), statement }).await?,
            };
            templates.extend(id.map(|id| (name, id)));
        }
        let missing = wanted.policies.into_iter().filter(|(_, statement)| !contents.has_policy(statement));
        self.each(missing.map(|(name, statement)| Item::Policy { store: store.to_owned(), name, statement })).await?;
        let template = |link: &Link| templates.get(&link.template).cloned().unwrap_or_default();
        let missing = wanted.links.into_iter().map(|link| (template(&link), link)).filter(|(id, link)| !contents.has_link(id, link));
        let item = |(template, link): (String, Link)| {
            let Link { id: name, principal, resource, .. } = link;
            Item::Link { store: store.to_owned(), name, template, principal, resource }
        };
        self.each(missing.map(item)).await
    }

    /// The certificate that a thing gets. Its key is on disk before it exists.
    fn requested(&self, thing: String) -> Result<Item, SeedError> {
        let id = &self.journal.begun().id;
        let pair = KeyPair::generate(&item::mark(id))?;
        self.write(&thing, "key", &pair.private)?;
        Ok(Item::Certificate { thing, policy: things::policy_name(id), public_key: pair.public, request: pair.request })
    }

    fn write(&self, thing: &str, ending: &str, text: &str) -> Result<(), SeedError> {
        let failed = |path: &Path, cause| SeedError::File { path: path.display().to_string(), cause };
        let folder = SeedFolder::certificates(self.folder).map_err(|cause| failed(self.folder, cause))?;
        let path = folder.join(format!("{thing}.{ending}"));
        write_private(&path, text.as_bytes()).map_err(|cause| failed(&path, cause))
    }

    /// Creates a certificate and attaches it; returns its id. If the id is lost, the key finds it.
    async fn certify(&self, item: &Item, thing: &str, policy: &str, request: &str) -> Result<String, SeedError> {
        let made = self.services.create_certificate(item, request).await?;
        self.write(thing, "pem", &made.pem)?;
        self.services.attach_certificate(thing, policy, &made.arn).await.map_err(|cause| SeedError::call(item, cause))?;
        Ok(made.id)
    }
}

/// Counts in words, such as `3 users, 2 rows`.
pub fn told(created: &Created) -> String {
    let mut text = String::new();
    for (kind, count) in created {
        let _ = write!(text, "{}{count} {kind}", if text.is_empty() { "" } else { ", " });
    }
    if text.is_empty() { "nothing: the stack has all of it".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_new_each_time_and_strong_enough_for_every_pool() {
        let (one, other) = (password().unwrap(), password().unwrap());
        assert_ne!(one, other);
        for kind in [|c: char| c.is_ascii_lowercase(), |c: char| c.is_ascii_uppercase(), |c: char| c.is_ascii_digit(), |c: char| c == '-'] {
            assert!(one.chars().any(kind), "{one}");
        }
        assert_eq!(one.len(), 36);
    }
}
