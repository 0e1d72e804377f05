//! Publishes a version with the layer and gives it a share of an alias's calls: Lambda itself
//! separates treatment and control. `$LATEST` is changed only until the version is published; one
//! update of the alias undoes the share. The version is what the alias already runs, plus the
//! layer.

mod difference;

use aws_sdk_lambda::operation::get_alias::GetAliasOutput;
use aws_sdk_lambda::operation::get_function_configuration::GetFunctionConfigurationOutput;
use aws_sdk_lambda::types::AliasRoutingConfiguration;

use difference::differences;

use crate::attach::{AttachError, Wish, attach};
use crate::call::{CallError, Meaning};
use crate::client::Lambda;
use crate::function::Function;
use crate::journal::{Entry, Journal};
use crate::marker::{Marker, Record, Run};
use crate::secret::Variables;
use crate::undo::{Proof, UndoError, undo};

/// A version with the layer, and its share of an alias.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Canary {
    /// The function.
    pub function: String,
    /// The alias.
    pub alias: String,
    /// The version with the layer.
    pub version: String,
}

/// Why there is no canary.
#[derive(Debug, thiserror::Error)]
pub enum CanaryError {
    /// The share is invalid.
    #[error("`{0}` thousandths is not a share; it is 1 to 1000")]
    Share(u16),
    /// The wish names no alias, which is needed to undo the share.
    #[error("the wish names no alias; give the one that is to be shifted")]
    NoAlias,
    /// The alias points to `$LATEST`, which cannot share calls with a version.
    #[error("alias `{0}` points to `$LATEST`, which cannot share its calls; point it to a version")]
    Latest(String),
    /// It already has two versions.
    #[error("alias `{0}` already shares its calls with another version; wait for the end of that deployment")]
    Shared(String),
    /// `$LATEST` is not what the alias runs.
    #[error(
        "`$LATEST` differs from version `{version}`, which alias `{alias}` stands for, in {}: publishing it would bring that to callers; publish, \
         and move the alias first", .settings.join(", ")
    )]
    Differs {
        /// The alias.
        alias: String,
        /// The version that it points to.
        version: String,
        /// The settings that differ, without their values.
        settings: Vec<String>,
    },
    /// Another user published a version first.
    #[error("another deployment published version `{0}` while the layer was on `$LATEST`; it keeps the layer")]
    Published(String),
    /// The version was published and cannot be called.
    #[error("version `{version}` did not become active: {reason}")]
    NotActive {
        /// The version.
        version: String,
        /// Lambda's reason.
        reason: String,
    },
    /// A call failed, or got no answer in time; the canary is undone as far as possible.
    #[error("the canary was not made")]
    Call(#[from] CallError),
    /// The journal's line before the change could not be written.
    #[error("the canary was not made")]
    Journal(#[from] crate::journal::JournalError),
    /// Attaching to `$LATEST` failed.
    #[error(transparent)]
    Attach(#[from] AttachError),
    /// It was begun and could not be undone.
    #[error("the canary was begun and is not taken back")]
    Undo(#[from] UndoError),
}

/// Attaches to `$LATEST`, publishes it, detaches from `$LATEST` again, and gives the version a
/// share (in thousandths) of the alias's calls. The version's own variables hold the undo record,
/// so that `recover` finds it wherever this ends.
///
/// # Errors
/// If it is refused, or failed and was undone.
pub async fn begin(lambda: &Lambda, journal: &dyn Journal, function: &str, wish: &Wish, share: u16) -> Result<Canary, CanaryError> {
    if !(1..=1000).contains(&share) {
        return Err(CanaryError::Share(share));
    }
    let alias = wish.alias.as_deref().ok_or(CanaryError::NoAlias)?;
    let stands_for = check(lambda, function, alias).await?;
    let attached = attach(lambda, journal, function, wish).await?;
    let published = publish(lambda, journal, function, &wish.run).await;
    undo(lambda, journal, function, &wish.run, Some(&attached.record)).await?;
    let version = published?;
    let shift = Shift { function, run: &wish.run, alias, version: &version };
    let shifted = match active(lambda, function, &version, alias, &stands_for).await {
        Ok(()) => shift.to(lambda, journal, share).await,
        Err(error) => Err(error),
    };
    if let Err(error) = shifted {
        take_back(lambda, journal, function, &wish.run, alias, &version).await?;
        return Err(error);
    }
    Ok(Canary { function: function.to_owned(), alias: alias.to_owned(), version })
}

/// Whether an alias can be shared now; read-only.
///
/// # Errors
/// Why it cannot.
pub async fn preview(lambda: &Lambda, function: &str, alias: &str) -> Result<(), CanaryError> {
    check(lambda, function, alias).await.map(drop)
}

/// Sets a version's share to 0, waits until it gets no more calls, and deletes it. It touches only
/// what belongs to the run: other weights stay.
///
/// # Errors
/// If the alias still sends it calls, or it could not be deleted.
pub async fn take_back(
    lambda: &Lambda,
    journal: &dyn Journal,
    function: &str,
    run: &Run,
    alias: &str,
    version: &str,
) -> Result<Proof, UndoError> {
    let failed = |cause| UndoError::Call { function: format!("{function}:{version}"), cause };
    match (Shift { function, run, alias, version }).to(lambda, journal, 0).await {
        Ok(()) => (),
        Err(CanaryError::Call(error)) if error.meaning == Meaning::Missing => (),
        Err(CanaryError::Call(cause)) => return Err(failed(cause)),
        Err(CanaryError::Journal(cause)) => return Err(UndoError::Journal { function: function.to_owned(), cause }),
        Err(other) => return Err(UndoError::Unsettled { function: format!("{function}:{alias}"), reason: other.to_string() }),
    }
    // Lambda's front ends learn of an alias's change with a delay, and a call to a deleted version
    // fails.
    tokio::time::sleep(lambda.grace).await;
    let entry = Entry::DeletingVersion { function: function.to_owned(), run: run.clone(), version: version.to_owned() };
    journal.note(&entry).map_err(|cause| UndoError::Journal { function: function.to_owned(), cause })?;
    let mut pauses = lambda.patience.begin();
    loop {
        let Err(error) = lambda.client.delete_function().function_name(function).qualifier(version).send().await else {
            return Ok(Proof::OursGone);
        };
        let error = CallError::read("DeleteFunction", function, &error, &Variables::default());
        match error.meaning {
            Meaning::Missing => return Ok(Proof::OursGone),
            // Lambda also returns 409 while another alias points to the version.
            Meaning::Again if pauses.pause().await => (),
            Meaning::Again | Meaning::Final => return Err(failed(error)),
        }
    }
}

/// Takes back every version of a function that a run published for a share of an alias, if its record
/// is one of ours. Returns how many there were.
///
/// # Errors
/// The first that may still be there.
pub async fn take_all_back(
    lambda: &Lambda,
    journal: &dyn Journal,
    function: &str,
    is_ours: impl Fn(&Record) -> bool,
) -> Result<usize, UndoError> {
    let failed = |cause| UndoError::Call { function: function.to_owned(), cause };
    let mut taken = 0;
    for one in lambda.versions(function).await.map_err(failed)? {
        let Marker::Of(record) = Marker::of(&one) else { continue };
        if let Some(alias) = record.alias.as_ref().filter(|_| is_ours(&record) && is_canary_of(&one, &record.run)) {
            take_back(lambda, journal, function, &record.run, alias, &one.version).await?;
            taken += 1;
        }
    }
    Ok(taken)
}

async fn read_alias(lambda: &Lambda, function: &str, alias: &str) -> Result<GetAliasOutput, CallError> {
    let once = || async {
        let read = lambda.client.get_alias().function_name(function).name(alias).send().await;
        read.map_err(|error| CallError::read("GetAlias", function, &error, &Variables::default()))
    };
    lambda.patience.insist(once).await
}

fn shared_with(alias: &GetAliasOutput) -> Option<&std::collections::HashMap<String, f64>> {
    alias.routing_config()?.additional_version_weights().filter(|weights| !weights.is_empty())
}

/// Checks that the alias can be shared and runs the same as `$LATEST`; returns the configuration it
/// runs.
async fn check(lambda: &Lambda, function: &str, name: &str) -> Result<GetFunctionConfigurationOutput, CanaryError> {
    let alias = read_alias(lambda, function, name).await?;
    let version = alias.function_version().unwrap_or("$LATEST");
    if version == "$LATEST" {
        return Err(CanaryError::Latest(name.to_owned()));
    }
    if shared_with(&alias).is_some() {
        return Err(CanaryError::Shared(name.to_owned()));
    }
    let (latest, stands_for) = (configuration(lambda, function, None).await?, configuration(lambda, function, Some(version)).await?);
    let settings = differences(&latest, &stands_for);
    if !settings.is_empty() {
        return Err(CanaryError::Differs { alias: name.to_owned(), version: version.to_owned(), settings });
    }
    Ok(stands_for)
}

/// Whether an attach changes this setting.
fn is_ours(setting: &str) -> bool {
    setting == "layers" || setting == "variable AWS_LAMBDA_EXEC_WRAPPER" || setting.starts_with("variable BROWNOUT_")
}

async fn configuration(lambda: &Lambda, function: &str, version: Option<&str>) -> Result<GetFunctionConfigurationOutput, CallError> {
    let once = || async {
        let call = lambda.client.get_function_configuration().function_name(function).set_qualifier(version.map(str::to_owned));
        call.send().await.map_err(|error| CallError::read("GetFunctionConfiguration", function, &error, &Variables::default()))
    };
    lambda.patience.insist(once).await
}

/// Waits until a version can be called: a SnapStart snapshot takes minutes. Another user may have
/// changed `$LATEST` before it was published.
async fn active(
    lambda: &Lambda,
    function: &str,
    version: &str,
    alias: &str,
    stands_for: &GetFunctionConfigurationOutput,
) -> Result<(), CanaryError> {
    let mut found = configuration(lambda, function, Some(version)).await?;
    let settings: Vec<_> = differences(&found, stands_for).into_iter().filter(|setting| !is_ours(setting)).collect();
    if !settings.is_empty() {
        let version = stands_for.version().unwrap_or_default().to_owned();
        return Err(CanaryError::Differs { alias: alias.to_owned(), version, settings });
    }
    let mut pauses = lambda.patience.begin();
    loop {
        let state = found.state().map_or("Active", |state| state.as_str());
        if !matches!(state, "Pending" | "Failed") {
            return Ok(());
        }
        if state == "Failed" || !pauses.pause().await {
            let reason = found.state_reason().unwrap_or("Lambda gives no reason").to_owned();
            return Err(CanaryError::NotActive { version: version.to_owned(), reason: format!("it is `{state}`: {reason}") });
        }
        found = configuration(lambda, function, Some(version)).await?;
    }
}

/// Publishes `$LATEST` with the layer, or finds that this run already has.
async fn publish(lambda: &Lambda, journal: &dyn Journal, function: &str, run: &Run) -> Result<String, CanaryError> {
    let mut pauses = lambda.patience.begin();
    loop {
        let error = match publish_once(lambda, journal, function, run).await {
            Err(CanaryError::Call(error)) if error.meaning == Meaning::Again => error,
            done => return done,
        };
        if !pauses.pause().await {
            return Err(error.into());
        }
    }
}

async fn publish_once(lambda: &Lambda, journal: &dyn Journal, function: &str, run: &Run) -> Result<String, CanaryError> {
    let all = lambda.versions(function).await?;
    if let Some(version) = all.iter().find(|one| is_canary_of(one, run)) {
        return Ok(version.version.clone());
    }
    let latest = all.iter().find(|one| one.version == "$LATEST").and_then(|latest| latest.revision.clone());
    journal.note(&Entry::Publishing { function: function.to_owned(), run: run.clone() })?;
    let call = lambda.client.publish_version().function_name(function).description(description(run)).set_revision_id(latest);
    let published = call.send().await.map_err(|error| CallError::read("PublishVersion", function, &error, &Variables::default()))?;
    let version = published.version().unwrap_or_default().to_owned();
    // If nothing changed since another user published, Lambda returns that version again; brownout
    // must not delete it.
    if published.description() == Some(description(run).as_str()) { Ok(version) } else { Err(CanaryError::Published(version)) }
}

/// The description of a version that a run publishes. A version without it was published by another
/// user.
fn description(run: &Run) -> String {
    format!("brownout run {run}")
}

/// Whether a version was published by this run, for a share of an alias.
pub(crate) fn is_canary_of(one: &Function, run: &Run) -> bool {
    let is_marked = matches!(Marker::of(one), Marker::Of(record) if record.run == *run && record.alias.is_some());
    is_marked && one.version != "$LATEST" && one.description == description(run)
}

/// One version's share of one alias.
#[derive(Clone, Copy)]
struct Shift<'a> {
    function: &'a str,
    run: &'a Run,
    alias: &'a str,
    version: &'a str,
}

impl Shift<'_> {
    /// Sets the share, in thousandths; at 0 the version is taken out. Reads before each try, so that a lost answer does no harm.
    async fn to(self, lambda: &Lambda, journal: &dyn Journal, share: u16) -> Result<(), CanaryError> {
        let mut pauses = lambda.patience.begin();
        loop {
            let alias = read_alias(lambda, self.function, self.alias).await?;
            let mut weights = shared_with(&alias).cloned().unwrap_or_default();
            let (before, wanted) = (weights.get(self.version).copied(), (share > 0).then(|| f64::from(share) / 1000.0));
            if before == wanted {
                return Ok(());
            }
            if share > 0 && weights.keys().any(|other| other != self.version) {
                return Err(CanaryError::Shared(self.alias.to_owned()));
            }
            match wanted {
                Some(share) => drop(weights.insert(self.version.to_owned(), share)),
                None => drop(weights.remove(self.version)),
            }
            let error = match self.update(lambda, journal, share, weights, alias.revision_id()).await {
                Err(CanaryError::Call(error)) if error.meaning == Meaning::Again => error,
                Err(error) => return Err(error),
                Ok(()) => return Ok(()),
            };
            if !pauses.pause().await {
                return Err(error.into());
            }
        }
    }

    async fn update(
        self,
        lambda: &Lambda,
        journal: &dyn Journal,
        share: u16,
        weights: std::collections::HashMap<String, f64>,
        revision: Option<&str>,
    ) -> Result<(), CanaryError> {
        let (function, run) = (self.function.to_owned(), self.run.clone());
        let (alias, version) = (self.alias.to_owned(), self.version.to_owned());
        journal.note(&Entry::Shifting { function, run, alias, version, share_thousandths: share })?;
        let routing = AliasRoutingConfiguration::builder().set_additional_version_weights(Some(weights)).build();
        let call = lambda.client.update_alias().function_name(self.function).name(self.alias).routing_config(routing);
        let call = call.set_revision_id(revision.map(str::to_owned)).send().await;
        call.map(drop).map_err(|error| CallError::read("UpdateAlias", self.function, &error, &Variables::default()).into())
    }
}
