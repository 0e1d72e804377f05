//! `AWS::Cognito::UserPool`.

use super::physical::Kind;
use super::section::Section;
use crate::blueprint::{Target, UserPool};

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
    let triggers = pool.within("LambdaConfig");
    triggers.only(&["PostAuthentication"], &[]);
    let function = triggers.target("PostAuthentication", &[Kind::Function]);
    UserPool { name, post_authentication: function.as_ref().map(Target::name).map(str::to_owned) }
}
