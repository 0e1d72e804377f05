//! `AWS::Cognito::UserPool`.

use super::physical::Kind;
use super::section::Section;
use crate::blueprint::UserPool;

pub(super) fn read(pool: &Section<'_>, resource: &str) -> UserPool {
    let triggers = pool.within("LambdaConfig");
    triggers.only(&["PostAuthentication"], &[]);
    let name = pool.text("UserPoolName").unwrap_or_else(|| resource.to_owned());
    UserPool { name, post_authentication: triggers.resource(Kind::Function, "PostAuthentication") }
}
