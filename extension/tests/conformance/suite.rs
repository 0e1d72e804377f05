//! Runs every case against one subject and makes the table of the results.

use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::cases::CASES;
use crate::subject::{Stage, Subject};
use crate::wire::Outcome;

/// One promise of transparency.
pub struct Case {
    pub name: &'static str,
    pub run: for<'a> fn(&'a Stage) -> Pin<Box<dyn Future<Output = Outcome> + Send + 'a>>,
}

/// The results of the cases, in their order.
pub struct Results(pub Vec<(&'static str, Outcome)>);

impl Results {
    pub fn failed(&self) -> Vec<&'static str> {
        self.0.iter().filter(|(_, outcome)| outcome.is_err()).map(|(name, _)| *name).collect()
    }

    /// One line a case, and the count.
    pub fn table(&self) -> String {
        self.rows(|_| true) + &format!("{} of {} cases pass\n", self.0.len() - self.failed().len(), self.0.len())
    }

    /// The lines of those that fail.
    pub fn failures(&self) -> String {
        self.rows(Result::is_err)
    }

    fn rows(&self, shown: impl Fn(&Outcome) -> bool) -> String {
        let width = self.0.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        let row = |(name, outcome): &(&str, Outcome)| match outcome {
            Ok(()) => format!("{name:width$}  passes\n"),
            Err(why) => format!("{name:width$}  fails   {}\n", why.escape_debug()),
        };
        self.0.iter().filter(|(_, outcome)| shown(outcome)).map(row).collect()
    }
}

/// Runs them all; each takes a turn for as long as it runs.
pub async fn run(subject: Subject, turns: Arc<Semaphore>) -> Outcome<Results> {
    let shared = subject.shared_platform().await?;
    let mut running = Vec::new();
    for case in CASES {
        let (subject, shared, turns) = (subject.clone(), shared.clone(), Arc::clone(&turns));
        running.push((
            case.name,
            tokio::spawn(async move {
                let _turn = turns.acquire().await;
                let stage = subject.stage(shared).await?;
                (case.run)(&stage).await
            }),
        ));
    }
    let mut results = Vec::new();
    for (name, task) in running {
        results.push((name, task.await.unwrap_or_else(|error| Err(format!("the case itself is broken: {error}")))));
    }
    Ok(Results(results))
}
