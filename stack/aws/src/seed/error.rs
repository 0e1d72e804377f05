//! Why a seed was not finished.

use std::io;

use super::item::Item;
use super::journal::JournalError;
use super::key::KeyError;
use crate::call::CallError;

/// Why a seed was not finished.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    /// The stack lacks something; nothing was created.
    #[error("{}", .0.join("; "))]
    Lacking(Vec<String>),
    /// Something of this name is there, and not from this seed. It is not touched.
    #[error("there is a {0} already, and this seed did not create it; delete it, or seed a stack that nobody else uses")]
    Taken(String),
    /// A call failed.
    #[error("the {item} could not be created")]
    Call {
        /// What it was about.
        item: String,
        /// Why.
        #[source]
        cause: CallError,
    },
    /// What is there could not be read.
    #[error("the stack could not be read")]
    Read(#[source] CallError),
    /// The journal could not be written.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A key could not be made.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A file of the seed could not be written.
    #[error("`{path}` cannot be written; choose a writable folder with free space")]
    File {
        /// The file.
        path: String,
        /// Why.
        #[source]
        cause: io::Error,
    },
}

impl SeedError {
    pub(super) fn call(item: &Item, cause: CallError) -> Self {
        Self::Call { item: item.to_string(), cause }
    }
}
