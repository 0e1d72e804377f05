//! Commands with which a person tries a system that is up. It only words.

use run_folder::Addresses;
use run_folder::addresses::{PASSWORD, Pool};

/// A request through the gateway with the token of a user.
pub(crate) fn asked(a: &Addresses, pool: &Pool, user: &str, token: &str, request: &str) -> String {
    let sign_in = sign_in(a, pool, user);
    format!("  TOKEN=$({sign_in} | sed 's/.*\"{token}\":\"\\([^\"]*\\)\".*/\\1/')\n  curl -i http://{}/{request}\n\n", a.gateway)
}

/// A sign-in with the password.
pub(crate) fn sign_in(a: &Addresses, pool: &Pool, user: &str) -> String {
    format!(
        "curl -s http://{} -H 'X-Amz-Target: AWSCognitoIdentityProviderService.InitiateAuth' -H 'Content-Type: application/x-amz-json-1.1' \\\n    \
         -d '{{\"AuthFlow\":\"USER_PASSWORD_AUTH\",\"ClientId\":\"{}\",\"AuthParameters\":{{\"USERNAME\":\"{user}\",\"PASSWORD\":\"{PASSWORD}\"}}}}'",
        a.services, pool.client_id
    )
}
