//! FIS's templates and experiments. A test plays the documents: it takes what was started, action by
//! action in FIS's order, and reports how it ended. A dry run advances with each look.

use serde_json::{Value, json};

use crate::answer::{Answer, Request};
use crate::experiment::{Action, Experiment, Status, Template, WAIT, seconds};
use crate::state::ControlPlane;

/// An execution to play.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Play {
    /// The experiment.
    pub experiment: String,
    /// The action.
    pub action: String,
    /// The document as it was given.
    pub document: String,
    /// The values of its parameters.
    pub parameters: Value,
}

/// The limit on a parameter, in characters. Source: AWS FIS API Reference,
/// `ExperimentTemplateActionParameter`.
const LONGEST_PARAMETER: usize = 1024;

/// Actions and stop conditions of a template, and the hours that an action lasts at most. Source: AWS
/// FIS User Guide, "Quotas".
const MOST_ACTIONS: usize = 20;
const MOST_STOPS: usize = 5;
const LONGEST_ACTION_S: u64 = 12 * 3600;

impl ControlPlane {
    /// One call of FIS; `None` if the path is not FIS's.
    pub(crate) fn fis(&mut self, request: &Request<'_>, parts: &[&str]) -> Option<Result<Answer, Answer>> {
        match (request.method, parts) {
            ("POST", ["experimentTemplates"]) => Some(self.create_template(&request.json())),
            ("GET", ["experimentTemplates"]) => Some(Ok(self.list_templates(request.parameter("nextToken").as_deref()))),
            ("DELETE", ["experimentTemplates", id]) => Some(self.delete_template(id)),
            ("POST", ["experiments"]) => Some(self.start_experiment(&request.json())),
            ("GET", ["experiments", id]) => Some(self.look_at_experiment(id)),
            ("DELETE", ["experiments", id]) => Some(self.stop_experiment(id)),
            _ => None,
        }
    }

    fn create_template(&mut self, wish: &Value) -> Result<Answer, Answer> {
        for key in ["clientToken", "description", "stopConditions", "actions", "roleArn"] {
            if wish.get(key).is_none_or(Value::is_null) {
                return Err(invalid(format!("{key} must not be null")));
            }
        }
        check_actions(wish)?;
        if wish["stopConditions"].as_array().is_none_or(|stops| stops.is_empty() || stops.len() > MOST_STOPS) {
            return Err(invalid(format!("a template has 1 to {MOST_STOPS} stop conditions")));
        }
        let token = wish["clientToken"].as_str().unwrap_or_default().to_owned();
        // Calls with the same token create one template, also if that was deleted since.
        let next = format!("EXT{:015}", self.template_tokens.len() + 1);
        let is_new = !self.template_tokens.contains_key(&token);
        let id = self.template_tokens.entry(token).or_insert(next).clone();
        if is_new {
            self.templates.push(Template { id: id.clone(), wish: wish.clone() });
        }
        Ok(Answer::ok(200, json!({"experimentTemplate": {"id": id, "tags": wish["tags"], "roleArn": wish["roleArn"]}})))
    }

    /// Experiments that were started from it go on.
    fn delete_template(&mut self, id: &str) -> Result<Answer, Answer> {
        let at = self.templates.iter().position(|there| there.id == id).ok_or_else(|| no_template(id))?;
        self.templates.remove(at);
        Ok(Answer::ok(200, json!({"experimentTemplate": {"id": id}})))
    }

    /// One template a page, so that a caller that reads only the first page fails its test.
    fn list_templates(&self, next: Option<&str>) -> Answer {
        let from = next.and_then(|next| next.parse::<usize>().ok()).unwrap_or(0);
        let shown: Vec<_> = self.templates.iter().skip(from).take(1).map(|it| json!({"id": it.id, "tags": it.of("tags")})).collect();
        let more = (from + 1 < self.templates.len()).then(|| (from + 1).to_string());
        Answer::ok(200, json!({"experimentTemplates": shown, "nextToken": more}))
    }

    fn start_experiment(&mut self, wish: &Value) -> Result<Answer, Answer> {
        let (template, token) =
            (wish["experimentTemplateId"].as_str().unwrap_or_default(), wish["clientToken"].as_str().unwrap_or_default());
        if token.is_empty() || token.len() > 1024 {
            return Err(invalid("clientToken has 1 to 1024 characters"));
        }
        let found = self.templates.iter().find(|there| there.id == template).ok_or_else(|| no_template(template))?;
        if let Some(there) = self.experiments.iter().find(|there| there.token == token) {
            return Ok(Answer::ok(200, json!({"experiment": there.shown()})));
        }
        let actions = found.of("actions").as_object().into_iter().flatten();
        let experiment = Experiment {
            id: format!("EXP{:015}", self.experiments.len() + 1),
            template: template.to_owned(),
            skips: wish.pointer("/experimentOptions/actionsMode").is_some_and(|mode| mode == "skip-all"),
            status: Status::Pending,
            reason: String::new(),
            actions: actions.map(|(name, action)| (name.clone(), Action::new(action))).collect(),
            token: token.to_owned(),
        };
        let answer = Answer::ok(200, json!({"experiment": experiment.shown()}));
        self.experiments.push(experiment);
        Ok(answer)
    }

    fn experiment(&mut self, id: &str) -> Result<&mut Experiment, Answer> {
        let found = self.experiments.iter_mut().find(|there| there.id == id);
        found.ok_or_else(|| Answer::refused(404, "ResourceNotFoundException", format!("Experiment {id} does not exist.")))
    }

    fn look_at_experiment(&mut self, id: &str) -> Result<Answer, Answer> {
        let experiment = self.experiment(id)?;
        let answer = Answer::ok(200, json!({"experiment": experiment.shown()}));
        if experiment.skips {
            experiment.status = match experiment.status {
                Status::Pending => Status::Initiating,
                Status::Initiating => Status::Running,
                Status::Running => Status::Completed,
                ended => ended,
            };
        }
        Ok(answer)
    }

    fn stop_experiment(&mut self, id: &str) -> Result<Answer, Answer> {
        self.experiment(id)?;
        if !self.halt(id, "Experiment stopped by user.") {
            return Err(invalid(format!("Experiment {id} is not running")));
        }
        Ok(Answer::ok(200, json!({"experiment": self.experiment(id).map(|it| it.shown())?})))
    }

    /// Stops an experiment for this reason, as a stop condition would; false if it has ended.
    pub fn halt(&mut self, id: &str, reason: &str) -> bool {
        let Ok(experiment) = self.experiment(id) else { return false };
        if !matches!(experiment.status, Status::Pending | Status::Initiating | Status::Running) {
            return false;
        }
        let has_begun = experiment.status == Status::Running;
        (experiment.status, experiment.reason) = (Status::Stopping, reason.to_owned());
        for action in experiment.actions.values_mut().filter(|action| action.until_ms.is_some() && action.status == Status::Running) {
            action.status = Status::Stopped;
        }
        if has_begun {
            experiment.settle();
        }
        true
    }

    /// An action that is to be played; from now on it is running.
    pub fn to_play(&mut self) -> Option<Play> {
        let clock = self.clock_ms;
        for experiment in self.experiments.iter_mut().filter(|it| !it.skips && matches!(it.status, Status::Pending | Status::Running)) {
            experiment.status = Status::Running;
            let Some(action) = experiment.advance(clock) else {
                experiment.settle();
                continue;
            };
            let parameters = experiment.actions.get(&action)?.of("parameters");
            let name = parameters["documentArn"].as_str().and_then(|arn| arn.rsplit('/').next()).unwrap_or_default();
            let version = parameters["documentVersion"].as_str().and_then(|number| number.parse().ok());
            let document = self.documents.get(name).and_then(|document| document.content(version)).unwrap_or_default().to_owned();
            let parameters = parameters["documentParameters"].as_str().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
            return Some(Play { experiment: experiment.id.clone(), action, document, parameters });
        }
        None
    }

    /// Reports that it was played to its end, with or without an error. An action that fails ends the
    /// experiment.
    pub fn played(&mut self, play: &Play, outcome: Result<(), String>) {
        let Ok(experiment) = self.experiment(&play.experiment) else { return };
        let is_stopping = experiment.status == Status::Stopping;
        let Some(action) = experiment.actions.get_mut(&play.action) else { return };
        (action.status, action.reason) = match outcome {
            _ if is_stopping => (Status::Stopped, String::new()),
            Ok(()) => (Status::Completed, String::new()),
            Err(why) => (Status::Failed, why),
        };
        experiment.settle();
    }
}

/// Refuses what FIS would refuse in a template's actions.
fn check_actions(wish: &Value) -> Result<(), Answer> {
    let Some(actions) = wish["actions"].as_object() else { return Err(invalid("actions is not an object")) };
    if actions.is_empty() || actions.len() > MOST_ACTIONS {
        return Err(invalid(format!("a template has 1 to {MOST_ACTIONS} actions")));
    }
    let long = |value: &Value| value.as_str().is_none_or(|text| text.is_empty() || text.len() > LONGEST_PARAMETER);
    for (name, action) in actions {
        let parameters = action["parameters"].as_object();
        if parameters.is_some_and(|parameters| parameters.values().any(long)) {
            return Err(invalid("a parameter of an action has 1 to 1024 characters"));
        }
        let duration = match action["actionId"].as_str().unwrap_or_default() {
            WAIT => "/parameters/duration",
            "aws:ssm:start-automation-execution" => "/parameters/maxDuration",
            other => return Err(invalid(format!("the action {other} does not exist"))),
        };
        let lasts = action.pointer(duration).and_then(Value::as_str).and_then(seconds);
        if lasts.is_none_or(|lasts| !(60..=LONGEST_ACTION_S).contains(&lasts)) {
            return Err(invalid(format!("the duration of the action {name} is one minute to 12 hours")));
        }
        let before: Vec<_> = Action::new(action).starts_after().map(str::to_owned).collect();
        if before.iter().any(|other| other == name || !actions.contains_key(other)) {
            return Err(invalid(format!("the action {name} starts after one that is not there")));
        }
    }
    Ok(())
}

fn no_template(id: &str) -> Answer {
    Answer::refused(404, "ResourceNotFoundException", format!("Experiment template {id} does not exist."))
}

fn invalid(message: impl Into<String>) -> Answer {
    Answer::refused(400, "ValidationException", message)
}
