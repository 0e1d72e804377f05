//! Creates what an FIS experiment needs: the faults in a parameter, the document, the template.
//! What already exists is reused.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_fis::types::{
    AccountTargeting, CreateExperimentTemplateActionInput, CreateExperimentTemplateExperimentOptionsInput,
    CreateExperimentTemplateLogConfigurationInput, CreateExperimentTemplateStopConditionInput,
    ExperimentTemplateCloudWatchLogsLogConfigurationInput,
};
use aws_sdk_ssm::operation::describe_document::DescribeDocumentOutput;
use aws_sdk_ssm::types::{DocumentFormat, DocumentType, ParameterTier, ParameterType};
use serde_json::Value;

use super::{Fis, FisError, failed};
use crate::call::{CallError, Meaning};
use exports::{Experiment, FINGERPRINT, create_document, run_template, version_name};

/// What FIS needs to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    /// The template's id.
    pub template: String,
    /// What was created or found, in sentences.
    pub said: Vec<String>,
}

impl Fis {
    /// Creates what is missing, with faults that stay in force for `hold`. It strikes nothing.
    ///
    /// # Errors
    /// The call that failed; what was created until then is used the next time.
    pub async fn prepare(&self, experiment: &Experiment, hold: Duration) -> Result<Prepared, FisError> {
        let said = vec![self.faults(experiment).await?, self.document(experiment).await?];
        let wish = run_template(experiment, hold);
        let (template, made) = match self.template_that_is_there(&wish).await? {
            Some(template) => (template, "is there already"),
            None => (self.make_template(&wish).await?, "was made"),
        };
        let template_said = format!("the experiment template `{template}` {made}");
        Ok(Prepared { said: said.into_iter().chain([template_said]).collect(), template })
    }

    async fn faults(&self, experiment: &Experiment) -> Result<String, CallError> {
        let (name, text) = (experiment.faults_parameter(), experiment.plan.to_json());
        let there = self.patience.insist(|| async {
            let read = self.ssm.get_parameter().name(&name).send().await;
            read.map_err(|error| failed("GetParameter", &name, &error))
        });
        let there = unless_missing(there.await)?;
        if there.and_then(|read| read.parameter).and_then(|parameter| parameter.value).is_some_and(|value| value == text) {
            return Ok(format!("the faults in `{name}` are there already"));
        }
        let put = self.patience.insist(|| async {
            let call = self.ssm.put_parameter().name(&name).value(&text).overwrite(true);
            let call = call.r#type(ParameterType::String).tier(ParameterTier::IntelligentTiering);
            call.send().await.map_err(|error| failed("PutParameter", &name, &error))
        });
        put.await?;
        Ok(format!("the faults were written to `{name}`"))
    }

    /// Makes sure that the document has this version and that it is the default.
    async fn document(&self, experiment: &Experiment) -> Result<String, FisError> {
        let (name, version) = (experiment.named("strike"), version_name(experiment));
        let (found, made) = match self.version_that_is_there(&name, &version).await? {
            Some(found) => (found, "is there already"),
            None => {
                self.make_document(&name, &version, experiment).await?;
                let made = self.version_that_is_there(&name, &version).await?;
                (made.ok_or_else(|| FisError::Template(format!("version {version} of the document {name}")))?, "was made")
            }
        };
        if !found.is_default {
            let promoted = self.patience.insist(|| async {
                let call = self.ssm.update_document_default_version().name(&name).document_version(&found.number);
                call.send().await.map_err(|error| failed("UpdateDocumentDefaultVersion", &name, &error))
            });
            promoted.await?;
        }
        Ok(format!("version {} of the document `{name}` {made}", found.number))
    }

    async fn version_that_is_there(&self, name: &str, version: &str) -> Result<Option<Version>, CallError> {
        let described = self.patience.insist(|| async {
            let described = self.ssm.describe_document().name(name).version_name(version).send().await;
            described.map_err(|error| failed("DescribeDocument", name, &error))
        });
        Ok(unless_missing(described.await)?.and_then(|found| Version::read(&found)))
    }

    async fn make_document(&self, name: &str, version: &str, experiment: &Experiment) -> Result<(), CallError> {
        let content = create_document(experiment).get("Content").and_then(Value::as_str).unwrap_or_default().to_owned();
        let created = self.patience.insist(|| async {
            let call = self.ssm.create_document().name(name).version_name(version).content(&content);
            let call = call.document_type(DocumentType::Automation).document_format(DocumentFormat::Yaml);
            call.send().await.map_err(|error| failed("CreateDocument", name, &error))
        });
        match created.await {
            Err(error) if error.code == "DocumentAlreadyExists" => (),
            created => return created.map(drop),
        }
        let updated = self.patience.insist(|| async {
            let call = self.ssm.update_document().name(name).version_name(version).content(&content);
            let call = call.document_version("$LATEST").document_format(DocumentFormat::Yaml);
            call.send().await.map_err(|error| failed("UpdateDocument", name, &error))
        });
        match updated.await {
            // An earlier call created it, and its answer was lost.
            Err(error) if error.code.starts_with("DuplicateDocument") => Ok(()),
            updated => updated.map(drop),
        }
    }

    async fn template_that_is_there(&self, wish: &Value) -> Result<Option<String>, FisError> {
        let (mine, mut next) = (tags(wish), None);
        loop {
            let listed = self.patience.insist(|| async {
                let listed = self.fis.list_experiment_templates().set_next_token(next.clone()).send().await;
                listed.map_err(|error| failed("ListExperimentTemplates", "FIS", &error))
            });
            let listed = listed.await?;
            let same = |there: &HashMap<String, String>| mine.iter().all(|(key, value)| there.get(key) == Some(value));
            let found = listed.experiment_templates().iter().find(|template| template.tags().is_some_and(same));
            if let Some(found) = found {
                return Ok(found.id().map(str::to_owned));
            }
            next = listed.next_token;
            if next.is_none() {
                return Ok(None);
            }
        }
    }

    async fn make_template(&self, wish: &Value) -> Result<String, FisError> {
        let action = CreateExperimentTemplateActionInput::builder()
            .action_id(text(wish, "/actions/strike/actionId")?)
            .description(text(wish, "/actions/strike/description")?)
            .set_parameters(Some(texts(wish, "/actions/strike/parameters")?))
            .build()
            .map_err(|error| FisError::Template(error.to_string()))?;
        let log = ExperimentTemplateCloudWatchLogsLogConfigurationInput::builder()
            .log_group_arn(text(wish, "/logConfiguration/cloudWatchLogsConfiguration/logGroupArn")?)
            .build()
            .map_err(|error| FisError::Template(error.to_string()))?;
        let log = CreateExperimentTemplateLogConfigurationInput::builder().cloud_watch_logs_configuration(log).log_schema_version(2);
        let log = log.build().map_err(|error| FisError::Template(error.to_string()))?;
        let options = CreateExperimentTemplateExperimentOptionsInput::builder().account_targeting(AccountTargeting::SingleAccount).build();
        let (token, description) = (text(wish, "/clientToken")?, text(wish, "/description")?);
        let (role, stops) = (text(wish, "/roleArn")?, stop_conditions(wish)?);
        let made = self.patience.insist(|| async {
            let call = self.fis.create_experiment_template().client_token(&token).description(&description).role_arn(&role);
            let call = call.actions("strike", action.clone()).set_stop_conditions(Some(stops.clone())).log_configuration(log.clone());
            let call = call.experiment_options(options.clone()).set_tags(Some(tags(wish)));
            call.send().await.map_err(|error| failed("CreateExperimentTemplate", &token, &error))
        });
        let id = made.await?.experiment_template.and_then(|template| template.id);
        id.ok_or_else(|| FisError::Template("id".into()))
    }
}

/// A version of a document.
struct Version {
    number: String,
    is_default: bool,
}

impl Version {
    fn read(described: &DescribeDocumentOutput) -> Option<Self> {
        let document = described.document()?;
        let number = document.document_version()?;
        Some(Self { number: number.to_owned(), is_default: document.default_version() == Some(number) })
    }
}

/// Turns SSM's "does not exist" errors into `None`.
fn unless_missing<T>(answer: Result<T, CallError>) -> Result<Option<T>, CallError> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.meaning == Meaning::Missing || error.code.starts_with("InvalidDocument") => Ok(None),
        Err(error) => Err(error),
    }
}

fn text(wish: &Value, at: &str) -> Result<String, FisError> {
    wish.pointer(at).and_then(Value::as_str).map(str::to_owned).ok_or_else(|| FisError::Template(at.to_owned()))
}

fn texts(wish: &Value, at: &str) -> Result<HashMap<String, String>, FisError> {
    let map = wish.pointer(at).and_then(Value::as_object).ok_or_else(|| FisError::Template(at.to_owned()))?;
    Ok(map.iter().filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect())
}

fn tags(wish: &Value) -> HashMap<String, String> {
    let mut tags = texts(wish, "/tags").unwrap_or_default();
    tags.retain(|key, _| key == "Name" || key == FINGERPRINT);
    tags
}

fn stop_conditions(wish: &Value) -> Result<Vec<CreateExperimentTemplateStopConditionInput>, FisError> {
    let stops = wish.pointer("/stopConditions").and_then(Value::as_array).into_iter().flatten();
    let condition = |stop: &Value| {
        let value = stop.get("value").and_then(Value::as_str).map(str::to_owned);
        let condition = CreateExperimentTemplateStopConditionInput::builder().source(text(stop, "/source")?).set_value(value);
        condition.build().map_err(|error| FisError::Template(error.to_string()))
    };
    stops.map(condition).collect()
}
