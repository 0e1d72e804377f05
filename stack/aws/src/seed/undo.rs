//! Deletes what a seed created: what somebody deleted is no error, what somebody changed stays and is named.

use std::path::Path;

use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use run_folder::SeedFolder;

use super::error::SeedError;
use super::item::{Item, Undone};
use super::journal::{Begun, Journal, JournalError, Noted};
use super::policies::LinkOf;
use super::services::Services;
use crate::call::CallError;

/// Something that is not deleted, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// What it is.
    pub item: Item,
    /// Why.
    pub why: String,
}

/// What came of it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Undoing {
    /// How many things were deleted.
    pub deleted: usize,
    /// How many were not there any more.
    pub gone: usize,
    /// What is left.
    pub left: Vec<Left>,
}

/// Certificates and shadows go before their things and their policy, links before their templates.
fn turn(item: &Item) -> u8 {
    match item {
        Item::Certificate { .. } | Item::Shadow { .. } => 0,
        Item::Thing { .. } | Item::IotPolicy { .. } | Item::Link { .. } => 1,
        Item::Policy { .. } | Item::PolicyTemplate { .. } => 2,
        Item::Row { .. } | Item::User { .. } => 3,
        Item::Group { .. } => 4,
    }
}

/// Deletes what the journal says may be there. Once all is gone, the folder holds no secret any more and may be used again.
///
/// # Errors
/// If the folder cannot be written.
pub async fn unseed(services: &Services, folder: &Path, journal: &Journal, noted: Vec<Noted>) -> Result<Undoing, SeedError> {
    let failed = |cause| SeedError::File { path: folder.display().to_string(), cause };
    SeedFolder::withdraw(folder).map_err(failed)?;
    let mut undoing = Undoing::default();
    for now in 0..=4 {
        let these = noted.iter().filter(|noted| turn(&noted.item) == now);
        let done = stream::iter(these).map(|noted| one(services, journal, noted)).buffer_unordered(services.at_once);
        for (noted, undone) in done.try_collect::<Vec<_>>().await? {
            match undone {
                Ok(Undone::Deleted) => undoing.deleted += 1,
                Ok(Undone::Gone) => undoing.gone += 1,
                Ok(Undone::Changed(why)) => undoing.left.push(Left { item: noted.item.clone(), why }),
                Err(error) => undoing.left.push(Left { item: noted.item.clone(), why: error.to_string() }),
            }
        }
    }
    if undoing.left.is_empty() {
        SeedFolder::forget_certificates(folder).map_err(failed)?;
        journal.over()?;
    }
    Ok(undoing)
}

type Done<'a> = (&'a Noted, Result<Undone, CallError>);

async fn one<'a>(services: &Services, journal: &Journal, noted: &'a Noted) -> Result<Done<'a>, JournalError> {
    let undone = delete(services, journal.begun(), noted).await;
    if matches!(undone, Ok(Undone::Deleted | Undone::Gone)) {
        journal.deleted(noted.number)?;
    }
    Ok((noted, undone))
}

async fn delete(services: &Services, begun: &Begun, noted: &Noted) -> Result<Undone, CallError> {
    let (id, known, created) = (begun.id.as_str(), noted.id.as_deref(), noted.created);
    match &noted.item {
        Item::Group { pool, name } => services.delete_group(pool, name, id, created).await,
        Item::User { pool, name, .. } => services.delete_user(pool, name, id, known).await,
        Item::Row { table, key, row } => services.delete_row(table, key, row, created).await,
        Item::PolicyTemplate { store, statement, .. } => services.delete_template(store, statement, id, known).await,
        Item::Policy { store, statement, .. } => services.delete_policy(store, statement, id, known).await,
        Item::Link { store, template, principal, resource, .. } => {
            services.delete_link(&LinkOf { store, template, principal, resource }, known).await
        }
        Item::IotPolicy { name } => services.delete_iot_policy(name).await,
        Item::Thing { name } => services.delete_thing(name, id, known).await,
        Item::Shadow { thing } => services.delete_shadow(thing, id, created).await,
        Item::Certificate { thing, policy, public_key, .. } => {
            services.delete_certificate((thing, policy, public_key), known, begun.at).await
        }
    }
}
