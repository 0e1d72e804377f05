//! Creates what an FIS experiment needs: the faults in a parameter, the document, the template.
//! What the exported stack contains is used; what is made beside it is the run's own.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_fis::types::{
    AccountTargeting, CreateExperimentTemplateActionInput, CreateExperimentTemplateExperimentOptionsInput,
    CreateExperimentTemplateLogConfigurationInput, CreateExperimentTemplateStopConditionInput,
    ExperimentTemplateCloudWatchLogsLogConfigurationInput,
};
use aws_sdk_ssm::types::{DocumentFormat, DocumentType, ParameterTier, ParameterType, Tag};
use serde_json::Value;

use super::client::{Fis, FisError, failed};
use crate::call::{CallError, Meaning};
use exports::{Experiment, Mark, run_document, run_template, version_name};

/// What FIS needs to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    /// The template's id.
    pub template: String,
    /// What was created or found, in sentences.
    pub said: Vec<String>,
}

impl Fis {
    /// Creates what is missing, with faults that stay in force for `hold`. The template is the run's
    /// own, and so is a version of the document if the stack's is of another experiment; both carry
    /// `mark`. It strikes nothing.
    ///
    /// # Errors
    /// The call that failed; [`Fis::leftovers`] finds what was created until then.
    pub async fn prepare(&self, experiment: &Experiment, hold: Duration, mark: &Mark) -> Result<Prepared, FisError> {
        let faults = self.faults(experiment).await?;
        let (version, document) = self.document(experiment, mark).await?;
        let template = self.make_template(&run_template(experiment, hold, &version, mark)).await?;
        let said = vec![faults, document, format!("the experiment template `{template}` was made")];
        Ok(Prepared { template, said })
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

    /// The number of a version of the document with this content: the stack's, or one for this run.
    async fn document(&self, experiment: &Experiment, mark: &Mark) -> Result<(String, String), FisError> {
        let name = experiment.named("strike");
        if let Some(number) = self.version_called(&name, &version_name(experiment)).await? {
            let said = format!("version {number} of the document `{name}` is there already");
            return Ok((number, said));
        }
        self.make_version(&name, experiment, mark).await?;
        let made = self.version_called(&name, &mark.version_name()).await?;
        let number = made.ok_or_else(|| FisError::Template(format!("version {} of the document {name}", mark.version_name())))?;
        let said = format!("version {number} of the document `{name}` was made");
        Ok((number, said))
    }

    async fn version_called(&self, name: &str, version: &str) -> Result<Option<String>, CallError> {
        let described = self.patience.insist(|| async {
            let described = self.ssm.describe_document().name(name).version_name(version).send().await;
            described.map_err(|error| failed("DescribeDocument", name, &error))
        });
        let described = unless_missing(described.await)?;
        Ok(described.and_then(|found| found.document()?.document_version().map(str::to_owned)))
    }

    async fn make_version(&self, name: &str, experiment: &Experiment, mark: &Mark) -> Result<(), FisError> {
        let (content, version) = (run_document(experiment, mark), mark.version_name());
        let tags = mark.tags().map(|(key, value)| Tag::builder().key(key).value(value).build());
        let tags = tags.into_iter().collect::<Result<Vec<_>, _>>().map_err(|error| FisError::Template(error.to_string()))?;
        let created = self.patience.insist(|| async {
            let call = self.ssm.create_document().name(name).version_name(&version).content(&content).set_tags(Some(tags.clone()));
            let call = call.document_type(DocumentType::Automation).document_format(DocumentFormat::Yaml);
            call.send().await.map_err(|error| failed("CreateDocument", name, &error))
        });
        match created.await {
            Err(error) if error.code == "DocumentAlreadyExists" => (),
            created => return Ok(created.map(drop)?),
        }
        let updated = self.patience.insist(|| async {
            let call = self.ssm.update_document().name(name).version_name(&version).content(&content);
            let call = call.document_version("$LATEST").document_format(DocumentFormat::Yaml);
            call.send().await.map_err(|error| failed("UpdateDocument", name, &error))
        });
        match updated.await {
            // An earlier call created it, and its answer was lost.
            Err(error) if error.code.starts_with("DuplicateDocument") => Ok(()),
            updated => Ok(updated.map(drop)?),
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
        let tags = texts(wish, "/tags")?;
        let made = self.patience.insist(|| async {
            let call = self.fis.create_experiment_template().client_token(&token).description(&description).role_arn(&role);
            let call = call.actions("strike", action.clone()).set_stop_conditions(Some(stops.clone())).log_configuration(log.clone());
            let call = call.experiment_options(options.clone()).set_tags(Some(tags.clone()));
            call.send().await.map_err(|error| failed("CreateExperimentTemplate", &token, &error))
        });
        let id = made.await?.experiment_template.and_then(|template| template.id);
        id.ok_or_else(|| FisError::Template("id".into()))
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

fn stop_conditions(wish: &Value) -> Result<Vec<CreateExperimentTemplateStopConditionInput>, FisError> {
    let stops = wish.pointer("/stopConditions").and_then(Value::as_array).into_iter().flatten();
    let condition = |stop: &Value| {
        let value = stop.get("value").and_then(Value::as_str).map(str::to_owned);
        let condition = CreateExperimentTemplateStopConditionInput::builder().source(text(stop, "/source")?).set_value(value);
        condition.build().map_err(|error| FisError::Template(error.to_string()))
    };
    stops.map(condition).collect()
}
