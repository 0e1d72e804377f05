//! What journeys request once: before the first arrival and after the last answer. Never part of what is measured.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use load::chance::Chance;
use load::{TrafficError, http};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use crate::journeys::{Around, FIRST_NUMBER, Step};
use crate::traffic::order::Order;
use crate::traffic::steps::{is_expected, keep, line, voice};
use crate::traffic::voice::Voice;

/// No arrival has this number, so that the trace ids of these requests are their own.
const NO_ARRIVAL: u64 = u64::MAX;

/// The setups and the teardowns of all journeys.
pub struct Once(Vec<Asking>);

/// Those of one journey.
struct Asking {
    /// The journey's index.
    journey: usize,
    name: &'static str,
    around: Around,
    voice: Voice,
    address: String,
    values: BTreeMap<String, String>,
    chance: Chance,
    /// How many requests were sent.
    sent: u64,
    has_begun: bool,
}

impl Once {
    /// Nothing is sent yet.
    ///
    /// # Errors
    /// If the stack has no such API.
    pub fn of(order: &Order) -> Result<Self, TrafficError> {
        // No rule sees these requests.
        let (events, _) = mpsc::unbounded_channel();
        let journeys = order.load.journeys.iter().enumerate().zip(FIRST_NUMBER..);
        let journeys = journeys.filter(|((_, journey), _)| !journey.around.setup.is_empty() || !journey.around.teardown.is_empty());
        let asking = journeys.map(|((index, journey), number)| {
            let (voice, address) = voice(order, journey, number, &events)?;
            let chance = Chance::new(&[order.seed, number, NO_ARRIVAL]);
            let (name, around, values) = (journey.name, journey.around.clone(), BTreeMap::new());
            Ok(Asking { journey: index, name, around, voice, address, values, chance, sent: 0, has_begun: false })
        });
        Ok(Self(asking.collect::<Result<_, _>>()?))
    }

    /// Sends all setups, one request after another. What they keep becomes a value of each row of the journey's data.
    ///
    /// # Errors
    /// Names the first request that is not answered as expected; nothing more is sent then.
    pub async fn set_up(&mut self, order: &mut Order) -> Result<(), TrafficError> {
        for asking in &mut self.0 {
            asking.has_begun = true;
            for step in asking.around.setup.clone() {
                let asked = asking.ask(&step).await;
                asked.map_err(|what| TrafficError::Preparation(format!("the setup of `{}` failed: {what}", asking.name)))?;
            }
            let Some(journey) = order.load.journeys.get_mut(asking.journey) else { continue };
            let mut rows = Arc::unwrap_or_clone(std::mem::take(&mut journey.rows));
            rows.resize_with(rows.len().max(1), BTreeMap::new);
            rows.iter_mut().for_each(|row| row.extend(asking.values.clone()));
            journey.rows = Arc::new(rows);
        }
        Ok(())
    }

    /// Sends the teardowns of all journeys whose setup has begun, and returns what failed.
    pub async fn tear_down(self) -> Vec<String> {
        let mut failed = Vec::new();
        for mut asking in self.0.into_iter().filter(|asking| asking.has_begun) {
            for step in asking.around.teardown.clone() {
                if let Err(what) = asking.ask(&step).await {
                    failed.push(format!("the teardown of `{}` failed: {what}", asking.name));
                }
            }
        }
        failed
    }
}

impl Asking {
    /// Sends a request until it is answered as expected.
    ///
    /// # Errors
    /// Says what was answered instead; no body, for it may hold what must not be kept.
    async fn ask(&mut self, step: &Step) -> Result<(), String> {
        if let Some(missing) = step.names().find(|name| !self.values.contains_key(*name)) {
            return Err(format!("`{}` was not sent, because the setup did not get as far as `{{{{{missing}}}}}`", step.of));
        }
        sleep(step.pause).await;
        let first = Instant::now();
        loop {
            let (status, body) = self.send(step).await?;
            let is_right = is_expected(step, status, &body, &self.values);
            let again = step.retry.filter(|retry| !is_right && first.elapsed() + retry.every <= retry.within);
            let Some(retry) = again else { return self.take(step, status, &body) };
            sleep(retry.every).await;
        }
    }

    async fn send(&mut self, step: &Step) -> Result<(u16, bytes::Bytes), String> {
        let (values, chance) = (&self.values, &mut self.chance);
        let headers: Vec<_> = step.headers.iter().map(|(name, value)| (*name, value.filled(values, chance))).collect();
        let mut line = line(step, &headers, values, chance);
        let request = self.voice.request(NO_ARRIVAL, self.sent, Duration::ZERO, &mut line);
        self.sent += 1;
        let (_, request) = request.ok_or_else(|| format!("HTTP cannot carry the request `{}`", step.of))?;
        http::once(&self.address, request).await.map_err(|error| format!("`{}`: {error}", step.of))
    }

    fn take(&mut self, step: &Step, status: u16, body: &[u8]) -> Result<(), String> {
        let Step { of, expected, .. } = step;
        if !expected.statuses.contains(&status) {
            let right: Vec<_> = expected.statuses.iter().map(u16::to_string).collect();
            return Err(format!("`{of}` was answered with {status} instead of {}", right.join(" or ")));
        }
        if let Some(missed) = expected.missed(body, &self.values) {
            return Err(format!("`{of}` was answered with {status}, and {missed}"));
        }
        if keep(step, body, &mut self.values) { Ok(()) } else { Err(format!("the answer of `{of}` lacks what it should keep")) }
    }
}
