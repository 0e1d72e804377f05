//! What an exploration knows of a stack from its templates: what invokes each function, how long it may
//! take, and how long the stack's retries wait.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use faults::Trigger;
use run_folder::{Compressed, deployment};
use template::blueprint::{Blueprint, Queue, Source};
use template::files::Folder;
use template::{Template, TemplateError};

use crate::check::faults::functions;
use crate::plan::{Plan, Wave};

/// A message may become visible again only after its function has certainly ended.
const MARGIN: Duration = Duration::from_secs(2);

/// Retries that nothing else bounds come this many times sooner than at AWS.
const FASTEST: u32 = 30;

/// Lambda retries an asynchronous event after one minute and after two more.
const ASYNCHRONOUS_RETRIES: Duration = Duration::from_secs(180);

/// No wave waits longer than this until all is at rest.
const LONGEST_SETTLING: Duration = Duration::from_secs(90);

/// The environments of each function that are started before a wave.
const WARM: u32 = 4;

/// The address that stands for the services' and the cache's in a template.
const NOWHERE: (&str, &str) = ("http://127.0.0.1:1", "redis://127.0.0.1:1");

/// A stack's functions and queues.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ground {
    functions: BTreeMap<String, Function>,
    /// The queues that functions poll: each with its visibility timeout and the longest timeout of
    /// its functions.
    queues: BTreeMap<String, (Duration, Duration)>,
    /// How often a message is received at most.
    receives: u32,
}

/// A function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// What invokes it.
    pub triggers: Vec<Trigger>,
    /// Its timeout.
    pub timeout: Duration,
}

impl Ground {
    /// Reads the templates of a plan.
    ///
    /// # Errors
    /// If one cannot be read.
    pub fn of(plan: &Plan) -> Result<Self, TemplateError> {
        let deployment = plan.deployment();
        let read = deployment.templates.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        let blueprint = Template::join(read)?.blueprint;
        let triggers = |name: &str| match &plan.own {
            Some(own) => own.functions.get(name).cloned().unwrap_or_default(),
            None => functions().filter(|(known, ..)| *known == name).map(|(.., trigger)| trigger).collect(),
        };
        let functions = blueprint.functions.iter();
        let functions =
            functions.map(|function| (function.name.clone(), Function { triggers: triggers(&function.name), timeout: function.timeout }));
        Ok(Self { functions: functions.collect(), queues: queues(&blueprint), receives: receives(&blueprint) })
    }

    /// A function, by its name.
    pub fn function(&self, name: &str) -> Option<&Function> {
        self.functions.get(name)
    }

    /// Whether other functions call it and wait for its answer.
    pub fn is_called(&self, function: &str) -> bool {
        self.function(function).is_some_and(|function| function.triggers.contains(&Trigger::Invoke))
    }

    /// The functions' names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.functions.keys().map(String::as_str)
    }

    /// How much sooner retries may come without a message becoming visible while its function may
    /// still work on it.
    pub fn compressed(&self, as_set: Compressed) -> Compressed {
        if as_set.queues > 1 {
            return as_set;
        }
        let factor = |(visibility, timeout): &(Duration, Duration)| visibility.as_secs() / (*timeout + MARGIN).as_secs().max(1);
        let most = self.queues.values().map(factor).min().unwrap_or(FASTEST.into());
        let queues = u32::try_from(most).unwrap_or(FASTEST).clamp(1, FASTEST);
        Compressed { queues, ..as_set }
    }

    /// Whether anything is tried again by a queue or by Lambda.
    pub fn retries(&self) -> bool {
        let is_retried = |function: &Function| function.triggers.contains(&Trigger::Asynchronous);
        !self.queues.is_empty() || self.functions.values().any(is_retried)
    }

    /// What a wave needs: how long after its last answer all retries have come.
    pub fn wave(&self, compressed: Compressed) -> Wave {
        let visible = self.queues.values().map(|(visibility, _)| compressed.queue(*visibility) * self.receives).max().unwrap_or_default();
        let again = compressed.queue(ASYNCHRONOUS_RETRIES);
        let longest = self.functions.values().map(|function| function.timeout).max().unwrap_or_default();
        let settling = (visible.max(again) + longest.min(LONGEST_SETTLING)).min(LONGEST_SETTLING);
        let warm = self.functions.keys().map(|name| (name.clone(), WARM)).collect();
        Wave { settling, polled: self.queues.keys().cloned().collect(), warm }
    }
}

fn read(template: &deployment::Template) -> Result<Template, TemplateError> {
    let parameters = template.parameters.iter().map(|(name, value)| (name.clone(), value.text(NOWHERE.0, NOWHERE.1))).collect();
    match &template.folder {
        Some(folder) => {
            Template::read_source(template::Source { text: &template.text, parameters: &parameters, files: &Folder::new(folder) })
        }
        None => Template::read(&template.text, &parameters),
    }
}

fn queues(blueprint: &Blueprint) -> BTreeMap<String, (Duration, Duration)> {
    let visibility = |name: &str| blueprint.queues.iter().find(|queue| queue.name == name).map(|queue| queue.visibility);
    let timeout = |name: &str| blueprint.functions.iter().find(|function| function.name == name).map(|function| function.timeout);
    let mut all: BTreeMap<String, (Duration, Duration)> = BTreeMap::new();
    for mapping in &blueprint.mappings {
        let Source::Queue { name, .. } = &mapping.source else { continue };
        let (Some(visibility), Some(timeout)) = (visibility(name), timeout(&mapping.function)) else { continue };
        let known = all.entry(name.clone()).or_insert((visibility, timeout));
        known.1 = known.1.max(timeout);
    }
    all
}

/// A wave waits for at most three receives.
fn receives(blueprint: &Blueprint) -> u32 {
    let most = |queue: &Queue| queue.redrive.as_ref().map(|redrive| redrive.max_receives);
    let polled: BTreeSet<String> = queues(blueprint).into_keys().collect();
    blueprint.queues.iter().filter(|queue| polled.contains(&queue.name)).filter_map(most).max().unwrap_or(1).clamp(1, 3)
}

#[cfg(test)]
impl Ground {
    /// Gives a function another name.
    pub fn rename(&mut self, from: &str, to: &str) {
        let function = self.functions.remove(from).unwrap_or_else(|| panic!("no function `{from}`"));
        self.functions.insert(to.to_owned(), function);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ground(queues: &[(u64, u64)]) -> Ground {
        let seconds = Duration::from_secs;
        let queues = queues.iter().enumerate().map(|(n, (visibility, timeout))| (n.to_string(), (seconds(*visibility), seconds(*timeout))));
        let function = Function { triggers: vec![Trigger::Queue], timeout: seconds(10) };
        Ground { functions: [("f".to_owned(), function)].into(), queues: queues.collect(), receives: 3 }
    }

    #[test]
    fn retries_come_sooner_but_never_while_a_function_may_still_work() {
        let as_set = Compressed::default();
        for (queues, factor) in [(&[][..], 30), (&[(60, 10)], 5), (&[(60, 10), (30, 10)], 2), (&[(10, 10)], 1), (&[(43_200, 3)], 30)] {
            assert_eq!(ground(queues).compressed(as_set).queues, factor, "{queues:?}");
        }
        let fast = Compressed { queues: 100, ..as_set };
        assert_eq!(ground(&[(60, 10)]).compressed(fast), fast, "as the file has it");
    }

    #[test]
    fn a_wave_waits_for_all_retries_and_not_for_ever() {
        let settling = |queues: &[(u64, u64)], factor| ground(queues).wave(Compressed { queues: factor, expiry: 1 }).settling.as_secs();
        assert_eq!((settling(&[(60, 10)], 5), settling(&[], 30), settling(&[(60, 10)], 1)), (46, 16, 90));
    }

    #[test]
    fn the_functions_of_a_shipped_system_are_known_with_their_triggers() {
        let (name, text) = crate::shipped::find("blast-radius").unwrap();
        let ground = Ground::of(&crate::check(&name, &text).unwrap()).unwrap();
        assert_eq!(ground.function("users-all").unwrap().triggers, [Trigger::Http]);
        assert!(ground.names().count() >= 8 && ground.function("users-all").unwrap().timeout > Duration::ZERO);
    }
}
