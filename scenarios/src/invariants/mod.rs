//! What must always hold, one file a rule. Pure: they are told what happened and say what was wrong with it.

mod a1_never_opens;
mod a2_one_change_one_request;
mod a3_acknowledged_is_desired;
mod a4_agrees_when_quiet;
mod a5_outage_is_no_denial;
mod a6_no_token_no_answer;
mod a7_device_goes_on;
mod b1_never_opens;
mod b2_never_wrongly_closes;
mod b3_no_amplification;
mod b4_revoked_right_ends;
mod b5_namesakes;
mod b6_rotated_key_heals;
mod c1_nothing_lost;
mod c2_one_end;
mod c3_no_duplicates;
mod c4_right_readers;
mod c5_own_object_working_link;
mod c6_no_blocking;
mod c7_none_expires;
mod c8_list_stays_inside;
mod c9_dead_letters;
pub mod cedar;
mod d1_expired_is_disabled;
mod d2_active_stays_enabled;
mod d3_sign_in_is_recorded;
mod d4_only_expiry_disables;
mod d5_bad_record_blocks_none;
mod d6_re_enable_stands;
mod d7_newest_wins;
mod d8_within_quota;
mod denials;
mod e1_nothing_lost;
mod e2_refused_is_refused;
mod e3_failure_is_no_success;
mod e4_byte_for_byte;
mod e5_once;
mod e6_cache_holds_it;
mod e7_never_more_than_four;
mod expiries;
mod f1_acknowledged_is_kept;
mod f2_outage_is_no_absence;
mod f3_no_write_twice;
mod mail_book;
mod mail_rule;
mod mail_words;
mod member_book;
mod member_words;
mod r1_right_statuses;
mod record_book;
mod record_rule;
mod record_words;
mod register;
mod users_book;
mod users_rule;
mod wording;

#[cfg(test)]
mod cross;
#[cfg(test)]
mod cross_mail;
#[cfg(test)]
mod cross_records;
#[cfg(test)]
mod cross_users;
#[cfg(test)]
mod cross_users_api;
#[cfg(test)]
mod dead_stack;
#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod fixtures_mail;
#[cfg(test)]
mod fixtures_records;
#[cfg(test)]
mod fixtures_users;
#[cfg(test)]
mod fixtures_users_api;

use std::sync::Arc;
use std::time::Duration;

use crate::systems::{clinic, thermostat};

use crate::Event;
use cedar::{ClinicOracle, OracleError, ThermostatOracle};

/// Why an exchange, or its absence, broke a rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Breach {
    /// When: where an exchange is to blame, when that was due, so that the timeline tells its phase.
    pub at: Duration,
    /// The trace root, where a single exchange is to blame.
    pub root: Option<String>,
    /// What was asked.
    pub asked: String,
    /// What came back, or was found.
    pub answered: String,
    /// What should have been, and why.
    pub expected: String,
    /// A command that repeats it; `$GATEWAY`, `$SMTP` and `$SERVICES` stand for addresses, `$TOKEN` for a token, `$POOL` for a pool.
    pub repeat: String,
}

/// A rule that must always hold.
pub trait Invariant: Send {
    /// Such as `A-1`.
    fn id(&self) -> &'static str;
    /// The rule in a sentence.
    fn rule(&self) -> &'static str;
    /// Looks at one event; the second value is how many checks that was.
    fn see(&mut self, event: &Event) -> (Vec<Breach>, u64);
    /// Looks back once everything has settled.
    fn settled(&mut self, _quiet: &Quiet) -> (Vec<Breach>, u64) {
        NOTHING
    }
}

/// No breach, no check.
const NOTHING: (Vec<Breach>, u64) = (Vec::new(), 0);

/// One check, and the breach if it found one.
fn checked(breach: Option<Breach>) -> (Vec<Breach>, u64) {
    (breach.into_iter().collect(), 1)
}

/// The state of the world once everything has settled, and when the faults were calmed.
#[derive(Debug, Clone, Default)]
pub struct Quiet {
    /// When it was looked at.
    pub at: Duration,
    /// When the faults were calmed, where they were struck.
    pub calmed: Option<Duration>,
    /// Every thing's shadow: desired, reported, version.
    pub shadows: Vec<(String, crate::exchange::ThermostatState, crate::exchange::ThermostatState, i64)>,
    /// Every user of the members' pool and whether the user is enabled; `None` where nobody asked.
    pub users: Option<Vec<(String, bool)>>,
    /// Every row of the table of latest sign-ins: its key and its time to live; `None` where nobody asked.
    pub rows: Option<Vec<(String, Option<i64>)>>,
}

/// The systems that are up, as far as what is right depends on them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WorldUnderTest {
    /// How many homes there are, where the thermostats are up.
    pub homes: Option<u32>,
    /// Whether the clinic is up.
    pub clinic: bool,
    /// How long the gateway keeps what the authorizer said.
    pub authorizer_cache: Duration,
    /// Whether mail is up.
    pub mail: bool,
    /// How long a member's row lives here, where the inactive users are up.
    pub row_life: Option<Duration>,
    /// Whether the users API is up.
    pub users_api: bool,
    /// Whether the audit is up.
    pub audit: bool,
    /// Whether endpoints are asked that somebody else runs.
    pub requests: bool,
    /// How many times faster queues and expiry go.
    pub compressed: run_folder::Compressed,
}

/// Every rule about the systems that are up, in the order of their ids.
///
/// # Errors
/// Where the policies cannot be read: without them nothing can be called right.
pub fn all(world: &WorldUnderTest) -> Result<Vec<Box<dyn Invariant>>, OracleError> {
    let mut rules: Vec<Box<dyn Invariant>> = Vec::new();
    if let Some(homes) = world.homes {
        let oracle = Arc::new(ThermostatOracle::new(homes, &thermostat::policies(homes))?);
        rules.push(Box::new(a1_never_opens::NeverOpens::new(Arc::clone(&oracle))));
        rules.push(Box::new(a2_one_change_one_request::OneChangeOneRequest::new(Arc::clone(&oracle))));
        rules.push(Box::new(a3_acknowledged_is_desired::AcknowledgedIsDesired::new(Arc::clone(&oracle))));
        rules.push(Box::new(a4_agrees_when_quiet::AgreesWhenQuiet::new(Arc::clone(&oracle))));
        rules.push(Box::new(a5_outage_is_no_denial::OutageIsNoDenial::new(oracle)));
        rules.push(Box::new(a6_no_token_no_answer::NoTokenNoAnswer));
        rules.push(Box::new(a7_device_goes_on::DeviceGoesOn::default()));
    }
    if world.clinic {
        let oracle = Arc::new(ClinicOracle::new(&clinic::policies())?);
        rules.push(Box::new(b1_never_opens::NeverOpens::new(Arc::clone(&oracle))));
        rules.push(Box::new(b2_never_wrongly_closes::NeverWronglyCloses::new(Arc::clone(&oracle))));
        rules.push(Box::new(b3_no_amplification::NoAmplification::new(oracle)));
        rules.push(Box::new(b4_revoked_right_ends::RevokedRightEnds::new(world.authorizer_cache)));
        rules.push(Box::new(b5_namesakes::Namesakes));
        rules.push(Box::new(b6_rotated_key_heals::RotatedKeyHeals));
    }
    if world.mail {
        rules.push(Box::new(c1_nothing_lost::nothing_lost()));
        rules.push(Box::new(c2_one_end::one_end()));
        rules.push(Box::new(c3_no_duplicates::no_duplicates()));
        rules.push(Box::new(c4_right_readers::right_readers()));
        rules.push(Box::new(c5_own_object_working_link::OwnObjectWorkingLink::default()));
        rules.push(Box::new(c6_no_blocking::NoBlocking::default()));
        rules.push(Box::new(c7_none_expires::none_expires()));
        rules.push(Box::new(c8_list_stays_inside::list_stays_inside()));
        rules.push(Box::new(c9_dead_letters::dead_letters()));
    }
    if let Some(life) = world.row_life {
        rules.push(Box::new(d1_expired_is_disabled::ExpiredIsDisabled::default()));
        rules.push(Box::new(d2_active_stays_enabled::ActiveStaysEnabled::new(life)));
        rules.push(Box::new(d3_sign_in_is_recorded::SignInIsRecorded::new(life)));
        rules.push(Box::new(d4_only_expiry_disables::OnlyExpiryDisables::default()));
        rules.push(Box::new(d5_bad_record_blocks_none::BadRecordBlocksNone::default()));
        rules.push(Box::new(d6_re_enable_stands::ReEnableStands::default()));
        rules.push(Box::new(d7_newest_wins::NewestWins::default()));
        rules.push(Box::new(d8_within_quota::WithinQuota::default()));
    }
    if world.audit {
        rules.push(Box::new(e1_nothing_lost::nothing_lost()));
        rules.push(Box::new(e2_refused_is_refused::refused_is_refused()));
        rules.push(Box::new(e3_failure_is_no_success::failure_is_no_success()));
        rules.push(Box::new(e4_byte_for_byte::byte_for_byte()));
        rules.push(Box::new(e5_once::once()));
        rules.push(Box::new(e6_cache_holds_it::cache_holds_it()));
        rules.push(Box::new(e7_never_more_than_four::never_more_than_four()));
    }
    if world.users_api {
        rules.push(Box::new(f1_acknowledged_is_kept::AcknowledgedIsKept::default()));
        rules.push(Box::new(f2_outage_is_no_absence::OutageIsNoAbsence::default()));
        rules.push(Box::new(f3_no_write_twice::NoWriteTwice::default()));
    }
    if world.requests {
        rules.push(Box::new(r1_right_statuses::RightStatuses));
    }
    Ok(rules)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_of_the_folder_is_in_the_list() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/invariants");
        let mut files: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
            .filter(|name| name.as_bytes().get(1).is_some_and(u8::is_ascii_digit))
            .map(|name| format!("{}-{}", name[..1].to_uppercase(), &name[1..2]))
            .collect();
        files.sort();
        let ids: Vec<_> = all(&fixtures::world()).unwrap().iter().map(|rule| rule.id().to_owned()).collect();
        assert_eq!(files, ids);
    }

    #[test]
    fn a_system_that_is_not_up_has_no_rules() {
        let up = |letter: char, world: WorldUnderTest| {
            let rules = all(&world).unwrap();
            let (of_it, others): (Vec<_>, Vec<_>) = rules.iter().map(|rule| rule.id()).partition(|id| id.starts_with(letter));
            (of_it.len(), others.len())
        };
        let world = fixtures::world();
        assert_eq!(up('A', WorldUnderTest { homes: world.homes, ..WorldUnderTest::default() }), (7, 0));
        assert_eq!(up('B', WorldUnderTest { clinic: true, ..WorldUnderTest::default() }), (6, 0));
        assert_eq!(up('C', WorldUnderTest { mail: true, ..WorldUnderTest::default() }), (9, 0));
        assert_eq!(up('D', WorldUnderTest { row_life: world.row_life, ..WorldUnderTest::default() }), (8, 0));
        assert_eq!(up('E', WorldUnderTest { audit: true, ..WorldUnderTest::default() }), (7, 0));
        assert_eq!(up('F', WorldUnderTest { users_api: true, ..WorldUnderTest::default() }), (3, 0));
        assert_eq!(up('R', WorldUnderTest { requests: true, ..WorldUnderTest::default() }), (1, 0));
        assert_eq!(all(&WorldUnderTest::default()).unwrap().len(), 0);
    }

    #[test]
    fn policies_that_cannot_be_read_are_an_error_and_not_an_open_door() {
        let mut store = thermostat::policies(2);
        store.policies.push(("broken".into(), "permit(".into()));
        assert!(ThermostatOracle::new(2, &store).is_err());
    }
}
