//! Commands with which a person tries a system that is up. It only words.

use run_folder::Addresses;
use run_folder::addresses::Pool;

/// A request to an API with the token of a user of a pool; `None` where these are not up.
pub(crate) fn asked(a: &Addresses, (api, pool): (&str, &str), user: &str, token: &str, request: &str) -> Option<String> {
    let (api, sign_in) = (a.api(api)?, sign_in(a, a.pool(pool)?, user));
    let at = format!("http://{}{}{request}", api.address, api.stage);
    Some(format!("  TOKEN=$({sign_in} | sed 's/.*\"{token}\":\"\\([^\"]*\\)\".*/\\1/')\n  curl -i {at}\n\n"))
}

/// A sign-in with the password.
pub(crate) fn sign_in(a: &Addresses, pool: &Pool, user: &str) -> String {
    format!(
        "curl -s http://{} -H 'X-Amz-Target: AWSCognitoIdentityProviderService.InitiateAuth' -H 'Content-Type: application/x-amz-json-1.1' \\\n    \
         -d '{{\"AuthFlow\":\"USER_PASSWORD_AUTH\",\"ClientId\":\"{}\",\"AuthParameters\":{{\"USERNAME\":\"{user}\",\"PASSWORD\":\"{}\"}}}}'",
        a.sign_in, pool.client_id, a.password
    )
}
