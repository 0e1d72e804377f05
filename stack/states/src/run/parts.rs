//! The flows within a state: the branches of a Parallel, and the items of a Map. They run
//! concurrently; the first that fails cancels the others, and its error is the state's.

use std::sync::Arc;

use futures::future::{BoxFuture, FutureExt, try_join_all};
use futures::stream::{self, StreamExt, TryStreamExt};
use serde_json::{Value, json};

use super::shape::text_of;
use super::visit::Waiting;
use super::{Ended, Run, Stopped};
use crate::definition::{Given, Map, Name, Parallel};
use crate::failure::Failure;
use crate::history::What;
use crate::path::Scope;

/// The most items of a Map at once. Source: developer guide, "Using Map state in Inline mode".
const AT_ONCE: usize = 40;

impl Run<'_> {
    /// The results of all branches, in their order.
    pub(super) async fn branches(&self, name: &Name, parallel: &Parallel, input: &Value, last: &mut u64) -> Result<Value, Failure> {
        text_of(input, "input to the branches", name)?;
        let started = self.history.add(*last, What::ParallelStarted);
        let branches = parallel.branches.iter().map(|branch| self.flow(branch, input.clone(), started));
        match try_join_all(branches).await {
            Ok(ended) => {
                *last = self.history.add(latest(&ended, started), What::ParallelSucceeded);
                Ok(Value::Array(ended.into_iter().map(|branch| branch.output).collect()))
            }
            Err(Stopped { failure, last: at }) => {
                *last = self.history.add(at, What::ParallelFailed);
                Err(failure)
            }
        }
    }

    /// The results for all items, in their order.
    pub(super) async fn items(
        &self,
        name: &Name,
        map: &Map,
        (input, scope): (&Value, &Scope<'_>),
        last: &mut u64,
    ) -> Result<Value, Failure> {
        let scope = Scope { input, ..*scope };
        let Some(Value::Array(items)) = map.items.find(&scope) else {
            return Err(Failure::runtime(name, &format!("Reference path \"{}\" must point to array.", map.items)));
        };
        let at_once = at_once(map, name, &scope)?;
        let started = self.history.add(*last, What::MapStarted(items.len()));
        let all: Vec<BoxFuture<'_, Result<(usize, Ended), Stopped>>> =
            items.into_iter().enumerate().map(|(index, item)| self.item(name, map, (index, item), scope, started).boxed()).collect();
        match stream::iter(all).buffer_unordered(at_once).try_collect::<Vec<_>>().await {
            Ok(mut ended) => {
                ended.sort_by_key(|(index, _)| *index);
                let ended: Vec<_> = ended.into_iter().map(|(_, ended)| ended).collect();
                *last = self.history.add(latest(&ended, started), What::MapSucceeded);
                Ok(Value::Array(ended.into_iter().map(|item| item.output).collect()))
            }
            Err(Stopped { failure, last: at }) => {
                *last = self.history.add(at, What::MapFailed);
                Err(failure)
            }
        }
    }

    async fn item(
        &self,
        name: &Name,
        map: &Map,
        (index, item): (usize, Value),
        scope: Scope<'_>,
        previous: u64,
    ) -> Result<(usize, Ended), Stopped> {
        let began = self.history.add(previous, What::IterationStarted(Arc::clone(name), index));
        let mut waiting = Waiting::new(self.history, began, What::IterationAborted(Arc::clone(name), index));
        let ended = match of_item(name, map, (index, item), scope) {
            Ok((input, context)) => {
                // The states below see their item in the context.
                let context = super::with(&self.context, "Map", context);
                Run { context, ..*self }.flow(&map.flow, input, began).await
            }
            Err(failure) => Err(Stopped { failure, last: began }),
        };
        match ended {
            Ok(ended) => {
                let last = waiting.ended_after(ended.last, What::IterationSucceeded(Arc::clone(name), index));
                Ok((index, Ended { last, ..ended }))
            }
            Err(Stopped { failure, last }) => {
                let last = waiting.ended_after(last, What::IterationFailed(Arc::clone(name), index));
                Err(Stopped { failure, last })
            }
        }
    }
}

/// What the states of an item get, and what they find in the context.
fn of_item(name: &Name, map: &Map, (index, item): (usize, Value), scope: Scope<'_>) -> Result<(Value, Value), Failure> {
    let of_map = json!({"Item": {"Index": index, "Value": item}});
    let input = match &map.item {
        None => item,
        Some(selector) => {
            let context = super::with(scope.context, "Map", of_map.clone());
            selector.fill(&Scope { context: &context, ..scope }).map_err(|failure| failure.of_state(name))?
        }
    };
    text_of(&input, "input to an item", name)?;
    Ok((input, of_map))
}

fn at_once(map: &Map, name: &str, scope: &Scope<'_>) -> Result<usize, Failure> {
    let most = match &map.at_once {
        Given::Here(most) => *most,
        Given::At(path) => {
            let most = path.find(scope).and_then(|value| value.as_u64());
            most.ok_or_else(|| Failure::runtime(name, "The MaxConcurrencyPath field refers to value that is not a whole number."))?
        }
    };
    Ok(usize::try_from(most).ok().filter(|most| *most > 0).unwrap_or(AT_ONCE).min(AT_ONCE))
}

fn latest(ended: &[Ended], started: u64) -> u64 {
    ended.iter().map(|part| part.last).max().unwrap_or(started)
}
