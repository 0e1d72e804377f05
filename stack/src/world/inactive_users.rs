//! The inactive users' world: the names that template, services, traffic and oracles share.

/// The user pool, as [`crate::Addresses::pool`] names it.
pub const POOL: &str = "members";

/// The table of the latest sign-ins; key `sub`.
pub const TABLE: &str = "LatestPostAuthRecordsDDB";

/// The table by which `prune-users` keeps to the quota and remembers what it did.
pub const DISABLES_TABLE: &str = "DisablesTable";

/// The queue for records that could not be processed.
pub const FAILED: &str = "prune-users-failed";

/// After so many days without a sign-in a user is disabled.
pub const THRESHOLD_DAYS: u32 = 30;

/// AdminDisableUser calls a second for an account and Region, not adjustable. Source: Amazon Cognito, quotas for user pool APIs.
pub const DISABLES_A_SECOND: u32 = 25;

/// The name of member `n`.
pub fn member(n: u32) -> String {
    format!("member-{n:05}")
}

/// The `sub` of a member: a UUID made of the name alone, so that harness and services know it without asking.
pub fn sub(user: &str) -> String {
    let n = user.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    format!("00000000-0000-4000-8000-{:012x}", n & 0xffff_ffff_ffff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_member_has_a_sub_of_its_own() {
        let subs: std::collections::BTreeSet<_> = (0..20_000).map(|n| sub(&member(n))).collect();
        assert_eq!(subs.len(), 20_000);
        assert_eq!(sub(&member(0)).len(), 36);
    }
}
