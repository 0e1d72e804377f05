//! Attaches the layer to one function, on `$LATEST` or on a separate version that has a share of an
//! alias's calls, and removes it.

use protocol::chain;

use super::deployed::Function;
use crate::attach::attach;
use crate::canary::{self, Canary};
use crate::client::Lambda;
use crate::journal::{File, records};
use crate::marker::{Record, Run};
use crate::recover::{Which, recover};
use crate::undo::{Proof, undo};

/// How far an attach has come.
#[derive(Debug, Clone)]
pub enum Attached {
    /// It was begun; whether it completed is not known.
    Begun,
    /// `$LATEST` has the layer; the record undoes it.
    Latest(Box<Record>),
    /// A version has the layer and a share of an alias.
    Version(Canary),
}

/// Attaches the layer to a function; also returns the warnings to show.
pub(super) async fn bring(lambda: &Lambda, journal: &File, function: &Function) -> Result<(Attached, Vec<String>), String> {
    if function.wish.alias.is_none() {
        let attached = attach(lambda, journal, &function.arn, &function.wish).await.map_err(|error| chain(&error))?;
        let warnings = attached.warnings.iter().map(|warning| format!("warning: {warning}")).collect();
        return Ok((Attached::Latest(Box::new(attached.record)), warnings));
    }
    let canary = canary::begin(lambda, journal, &function.arn, &function.wish, function.alias_thousandths).await;
    let canary = canary.map_err(|error| chain(&error))?;
    let said = format!("version {} of `{}` has the layer and a share of alias `{}`", canary.version, function.name, canary.alias);
    Ok((Attached::Version(canary), vec![said]))
}

/// Removes the layer, and says how that was verified.
pub(super) async fn take(lambda: &Lambda, journal: &File, function: &Function, run: &Run, attached: &Attached) -> Result<String, String> {
    let proof = match (attached, &function.wish.alias) {
        (Attached::Version(canary), _) => {
            canary::take_back(lambda, journal, &function.arn, run, &canary.alias, &canary.version).await.map_err(|error| chain(&error))?
        }
        (Attached::Begun, Some(_)) => return search(lambda, journal, function, run).await,
        (Attached::Latest(record), _) => undo(lambda, journal, &function.arn, run, Some(record)).await.map_err(|error| chain(&error))?,
        (Attached::Begun, None) => {
            let entries = journal.entries().unwrap_or_default();
            let known = records(&entries, Some(run)).remove(function.name.as_str());
            undo(lambda, journal, &function.arn, run, known).await.map_err(|error| chain(&error))?
        }
    };
    Ok(proof.to_string())
}

/// A canary that was begun may be on `$LATEST`, on a version, or nowhere: the markers show where.
async fn search(lambda: &Lambda, journal: &File, function: &Function, run: &Run) -> Result<String, String> {
    let noted = journal.entries().unwrap_or_default();
    let found = recover(lambda, journal, &Which::Of(run.clone()), &noted).await.map_err(|error| chain(&error))?;
    let mut proof = Proof::NothingThere;
    for one in found.into_iter().filter(|one| one.function == function.name) {
        proof = one.result.map_err(|error| chain(&error))?;
    }
    Ok(proof.to_string())
}
