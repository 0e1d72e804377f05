//! FIS's templates and experiments. A test plays the document: it takes what was started, and
//! reports how it ended. A dry run advances with each look.

use serde_json::{Value, json};

use crate::answer::{Answer, Request};
use crate::experiment::{Experiment, Status, Template};
use crate::state::ControlPlane;

/// An execution to play.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Play {
    /// The experiment.
    pub experiment: String,
    /// The document as it was given.
    pub document: String,
    /// The values of its parameters.
    pub parameters: Value,
}

/// The limit on a parameter, in characters. Source: AWS FIS API Reference,
/// `ExperimentTemplateActionParameter`.
const LONGEST_PARAMETER: usize = 1024;

impl ControlPlane {
    /// One call of FIS; `None` if the path is not FIS's.
    pub(crate) fn fis(&mut self, request: &Request<'_>, parts: &[&str]) -> Option<Result<Answer, Answer>> {
        match (request.method, parts) {
            ("POST", ["experimentTemplates"]) => Some(self.create_template(&request.json())),
            ("GET", ["experimentTemplates"]) => Some(Ok(self.list_templates(request.parameter("nextToken").as_deref()))),
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
        let long = |value: &Value| value.as_str().is_none_or(|text| text.is_empty() || text.len() > LONGEST_PARAMETER);
        let actions = wish["actions"].as_object().into_iter().flat_map(|actions| actions.values());
        if actions.flat_map(|action| action["parameters"].as_object()).flat_map(|parameters| parameters.values()).any(long) {
            return Err(invalid("a parameter of an action has 1 to 1024 characters"));
        }
        // Calls with the same token create one template.
        let there = self.templates.iter().find(|there| *there.of("clientToken") == wish["clientToken"]);
        let id = match there {
            Some(there) => there.id.clone(),
            None => {
                let id = format!("EXT{:015}", self.templates.len() + 1);
                self.templates.push(Template { id: id.clone(), wish: wish.clone() });
                id
            }
        };
        Ok(Answer::ok(200, json!({"experimentTemplate": {"id": id, "tags": wish["tags"], "roleArn": wish["roleArn"]}})))
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
        if !self.templates.iter().any(|there| there.id == template) {
            return Err(Answer::refused(404, "ResourceNotFoundException", format!("Experiment template {template} does not exist.")));
        }
        if let Some(there) = self.experiments.iter().find(|there| there.token == token) {
            return Ok(Answer::ok(200, json!({"experiment": there.shown()})));
        }
        let experiment = Experiment {
            id: format!("EXP{:015}", self.experiments.len() + 1),
            template: template.to_owned(),
            skips: wish.pointer("/experimentOptions/actionsMode").is_some_and(|mode| mode == "skip-all"),
            status: Status::Pending,
            reason: String::new(),
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
                other @ (Status::Stopping | Status::Stopped | Status::Completed | Status::Failed) => other,
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
        (experiment.status, experiment.reason) = (Status::Stopping, reason.to_owned());
        true
    }

    /// An experiment that was started and is not played yet; from now on it is running.
    pub fn to_play(&mut self) -> Option<Play> {
        let experiment = self.experiments.iter_mut().find(|it| !it.skips && it.status == Status::Pending)?;
        experiment.status = Status::Running;
        let (id, template) = (experiment.id.clone(), experiment.template.clone());
        let template = self.templates.iter().find(|there| there.id == template)?;
        let parameters = template.wish.pointer("/actions/strike/parameters")?;
        let document = parameters["documentArn"].as_str().and_then(|arn| arn.rsplit('/').next()).unwrap_or_default();
        let document = self.documents.get(document).and_then(|document| document.content()).unwrap_or_default().to_owned();
        let parameters = parameters["documentParameters"].as_str().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        Some(Play { experiment: id, document, parameters })
    }

    /// Reports that it was played to its end, with or without an error.
    pub fn played(&mut self, id: &str, outcome: Result<(), String>) {
        let Ok(experiment) = self.experiment(id) else { return };
        match (experiment.status, outcome) {
            (Status::Stopping, _) => experiment.status = Status::Stopped,
            (_, Ok(())) => (experiment.status, experiment.reason) = (Status::Completed, "Experiment completed.".to_owned()),
            (_, Err(why)) => (experiment.status, experiment.reason) = (Status::Failed, why),
        }
    }
}

fn invalid(message: impl Into<String>) -> Answer {
    Answer::refused(400, "ValidationException", message)
}
