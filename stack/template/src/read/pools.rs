//! `AWS::Cognito::UserPool`.

use std::collections::BTreeMap;

use super::physical::Kind;
use super::section::Section;
use crate::blueprint::{PoolEvent, UserPool};

/// Properties without effect here: what Cognito would send, ask for or store besides.
const WITHOUT_EFFECT: [&str; 20] = [
    "AccountRecoverySetting",
    "AdminCreateUserConfig",
    "AliasAttributes",
    "AutoVerifiedAttributes",
    "DeletionProtection",
    "DeviceConfiguration",
    "EmailConfiguration",
    "EmailVerificationMessage",
    "EmailVerificationSubject",
    "EnabledMfas",
    "MfaConfiguration",
    "SmsConfiguration",
    "SmsVerificationMessage",
    "UserAttributeUpdateSettings",
    "UserPoolAddOns",
    "UserPoolTags",
    "UserPoolTier",
    "UsernameAttributes",
    "UsernameConfiguration",
    "VerificationMessageTemplate",
];

pub(crate) fn read(pool: &Section<'_>, name: String) -> UserPool {
    pool.only(&["UserPoolName", "LambdaConfig", "Policies", "Schema"], &WITHOUT_EFFECT);
    for key in ["Policies", "Schema"].into_iter().filter(|key| pool.has(key)) {
        pool.notice(key, "rules for passwords and attributes are not served here");
    }
    if pool.text("MfaConfiguration").is_some_and(|mode| mode != "OFF") {
        pool.notice("MfaConfiguration", "a second factor is not served here");
    }
    UserPool { name, triggers: triggers(&pool.within("LambdaConfig")) }
}

/// The functions of a pool. Source: CloudFormation, `AWS::Cognito::UserPool LambdaConfig`.
fn triggers(config: &Section<'_>) -> BTreeMap<PoolEvent, String> {
    let plain = ["PreAuthentication", "PostAuthentication", "UserMigration", "PreTokenGeneration"];
    config.only(&[&plain[..], &["PreTokenGenerationConfig"]].concat(), &[]);
    let events = [PoolEvent::PreAuthentication, PoolEvent::PostAuthentication, PoolEvent::UserMigration, PoolEvent::PreTokenGeneration];
    let function = |section: &Section<'_>, key: &str| section.target(key, &[Kind::Function]).map(|target| target.name().to_owned());
    let mut all: BTreeMap<_, _> = plain.into_iter().zip(events).filter_map(|(key, event)| Some((event, function(config, key)?))).collect();
    if config.has("PreTokenGenerationConfig") {
        let tokens = config.within("PreTokenGenerationConfig");
        tokens.only(&["LambdaArn", "LambdaVersion"], &[]);
        let event = match tokens.one_of("LambdaVersion", &["V1_0", "V2_0", "V3_0"]).as_deref() {
            Some("V1_0") => PoolEvent::PreTokenGeneration,
            // Version 3 is version 2, also for tokens of machines, which are not served here.
            _ => PoolEvent::PreTokenGenerationV2,
        };
        all.remove(&PoolEvent::PreTokenGeneration);
        all.extend(function(&tokens, "LambdaArn").map(|function| (event, function)));
    }
    all
}
