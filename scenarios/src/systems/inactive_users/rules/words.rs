//! How a member's history is described to people, and how to look the member up.

use std::time::Duration;

use super::book::MemberBook;
use crate::invariants::Breach;

/// A breach about a member; `$SERVICES` and `$POOL` are placeholders for the services' address and
/// the members' pool.
pub(crate) fn breach(book: &MemberBook, sub: &str, at: Duration, answered: impl Into<String>, expected: impl Into<String>) -> Breach {
    let name = book.name(sub);
    Breach {
        at,
        root: None,
        asked: format!("the member {name}, row {sub}"),
        answered: answered.into(),
        expected: expected.into(),
        repeat: format!(
            r#"curl -s -X POST -H "Content-Type: application/x-amz-json-1.1" -H "X-Amz-Target: AWSCognitoIdentityProviderService.AdminGetUser" -d '{{"UserPoolId":"'$POOL'","Username":"{name}"}}' "http://$SERVICES/""#
        ),
    }
}

/// For example `2.5 s after it`.
pub(crate) fn after(at: Duration, since: Duration) -> String {
    format!("{:.1} s after it", at.saturating_sub(since).as_secs_f64())
}
