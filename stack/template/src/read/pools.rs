//! `AWS::Cognito::UserPool`.

use super::physical::Kind;
use super::section::Section;
use crate::blueprint::UserPool;

pub(crate) fn read(pool: &Section<'_>, name: String) -> UserPool {
    let triggers = pool.within("LambdaConfig");
    triggers.only(&["PostAuthentication"], &[]);
    UserPool { name, post_authentication: triggers.resource(Kind::Function, "PostAuthentication") }
}
