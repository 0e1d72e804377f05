//! Whether FIS's document has cleaned up, and what to do if it has not.

use protocol::chain;

use super::deployed::{Reach, tell};
use super::driven::Wish;
use crate::function::Function;
use crate::marker::{Marker, Record, Run};
use crate::undo::{Proof, remains, undo};
use crate::{attach, canary};

/// The end of a run that FIS drove, as far as functions are concerned.
pub(super) struct Cleaned<'a> {
    /// How the functions are reached.
    pub(super) reach: &'a Reach,
    /// The run.
    pub(super) wish: &'a Wish,
    /// When it began, in seconds since 1970.
    pub(super) begun: u64,
}

impl Cleaned<'_> {
    /// Verifies that nothing is left of a function's alias, and takes back what a failed clean-up
    /// left.
    async fn prove_alias(&self, function: &exports::Function) -> Result<(), String> {
        if function.alias.is_none() {
            return Ok(());
        }
        let (arn, is_ours) = (function.arn.to_string(), |record: &Record| record.at >= self.begun);
        let taken = canary::take_all_back(&self.reach.lambda, self.reach.journal.as_ref(), &arn, is_ours).await;
        if taken.map_err(|error| chain(&error))? > 0 {
            tell(&format!("`{}` was left sharing its calls by FIS's document; that is taken back now", function.name()));
        }
        Ok(())
    }

    /// Verifies that nothing is left in a function, and undoes what a failed clean-up left, even if
    /// another user removed the undo record.
    pub(super) async fn prove(&self, before: &Function, function: &exports::Function) -> Result<String, String> {
        self.prove_alias(function).await?;
        let arn = function.arn.to_string();
        let found = self.reach.lambda.function_at_last(&arn).await.map_err(|error| chain(&error))?;
        let (left, known) = match Marker::of(&found) {
            Marker::Of(record) if record.at >= self.begun => (record.run, None),
            _ if before.config_sha.is_some() && before.config_sha == found.config_sha => return Ok(Proof::Identical.to_string()),
            _ => match self.attached(before, function)?.filter(|record| remains(&found, record)) {
                Some(record) => (record.run.clone(), Some(record)),
                None => return Ok("nothing of brownout is in it".to_owned()),
            },
        };
        tell(&format!("`{}` was left attached by FIS's document; it is undone now", found.name));
        let undone = undo(&self.reach.lambda, self.reach.journal.as_ref(), &arn, &left, known.as_ref()).await;
        undone.map(|proof| proof.to_string()).map_err(|error| chain(&error))
    }

    /// What the document changes in a function, given its state before.
    fn attached(&self, before: &Function, function: &exports::Function) -> Result<Option<Record>, String> {
        let experiment = &self.wish.experiment;
        let wish = attach::Wish {
            run: Run::try_from(self.wish.mark.run.clone())?,
            at: self.begun,
            until: self.begun,
            layer: experiment.layer.to_string().try_into()?,
            plan: self.wish.place().address(),
            settings: experiment.settings(function).into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            alias: function.alias.clone(),
        };
        Ok(attach::record_of(before, &wish))
    }
}
