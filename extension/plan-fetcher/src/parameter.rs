//! A plan in a parameter of Systems Manager: `GetParameter`, decrypted if it is a SecureString.
//! `LastModifiedDate` gives its age.

use std::sync::Arc;

use aws_config::SdkConfig;
use aws_sdk_ssm::Client;
use aws_sdk_ssm::config::interceptors::BeforeDeserializationInterceptorContextMut;
use aws_sdk_ssm::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_ssm::error::BoxError;
use aws_smithy_types::body::SdkBody;
use faults::plan::LARGEST_PLAN;
use http_body_util::Limited;

use crate::age::{Asked, Clock};
use crate::reading::Reading;

/// A parameter has at most 8 KB. A much longer answer does not come from Systems Manager and is not
/// read completely.
const LONGEST_ANSWER: usize = 2 * LARGEST_PLAN;

/// The parameter, and its value when it was last read.
#[derive(Debug)]
pub struct Parameter {
    client: Client,
    name: String,
    clock: Clock,
    seen: Option<Arc<str>>,
}

impl Parameter {
    /// The parameter called `name`.
    pub fn new(config: &SdkConfig, name: String) -> Self {
        let clock = Clock::default();
        let config = aws_sdk_ssm::config::Builder::from(config).interceptor(ShortAnswers).interceptor(clock.clone()).build();
        Self { client: Client::from_conf(config), name, clock, seen: None }
    }

    /// Reads it once.
    pub async fn read(&mut self) -> Reading {
        let asked = Asked::now();
        let answer = self.client.get_parameter().name(&self.name).with_decryption(true).send().await;
        let value = match answer {
            Ok(answer) => {
                answer.parameter.and_then(|parameter| Some((parameter.value?, self.clock.taken(asked, parameter.last_modified_date))))
            }
            Err(error) => {
                let reading = Reading::of_error(&error);
                if matches!(reading, Reading::Missing(_)) {
                    self.seen = None;
                }
                return reading;
            }
        };
        let Some((value, taken)) = value else { return Reading::Unanswered("the plan's service answers without a value".to_owned()) };
        if self.seen.as_deref() == Some(&value) {
            return Reading::Same;
        }
        self.seen = Some(value.as_str().into());
        let mut plan = value.into_bytes();
        plan.truncate(LARGEST_PLAN + 1);
        Reading::Found { plan, taken }
    }
}

/// Limits the size of answers, which could otherwise fill the memory.
#[derive(Debug)]
struct ShortAnswers;

impl Intercept for ShortAnswers {
    fn name(&self) -> &'static str {
        "ShortAnswers"
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let body = context.response_mut().take_body();
        *context.response_mut().body_mut() = SdkBody::from_body_1_x(Limited::new(body, LONGEST_ANSWER));
        Ok(())
    }
}
