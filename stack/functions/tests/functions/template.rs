//! The template gives the functions the variables that they need.

use audit_functions::{archive_record, close_record, describe_record, ingest_record};
use clinic_functions::{appointments, authorizer};
use inactive_users_functions::{prune_users, record_sign_in};
use mail_functions::email_processor;
use std::cell::RefCell;
use std::collections::BTreeSet;
use thermostat_functions::thermostat_api;
use users_api_functions::users_api;

const TEMPLATE: &str = concat!(
    include_str!("../../../../scenarios/src/systems/thermostat/template.yaml"),
    include_str!("../../../../scenarios/src/systems/clinic/template.yaml"),
    include_str!("../../../../scenarios/src/systems/mail/template.yaml"),
    include_str!("../../../../scenarios/src/systems/inactive_users/template.yaml"),
    include_str!("../../../../scenarios/src/systems/users_api/template.yaml"),
    include_str!("../../../../scenarios/src/systems/audit/template.yaml"),
);

/// The names under `Variables:` of a resource.
fn variables_of(resource: &str) -> BTreeSet<String> {
    let start = format!("\n  {resource}:\n");
    let section = TEMPLATE.split_once(&start).unwrap_or_else(|| panic!("no resource `{resource}`")).1;
    let variables = section.split_once("        Variables:\n").unwrap().1;
    let lines = variables.lines().take_while(|line| line.starts_with("          "));
    lines.filter(|line| !line.starts_with("           ")).filter_map(|line| Some(line.split_once(':')?.0.trim().to_owned())).collect()
}

#[test]
fn each_function_is_given_exactly_the_variables_it_reads() {
    let asked = RefCell::new(BTreeSet::new());
    let lookup = |name: &str| {
        asked.borrow_mut().insert(name.to_owned());
        let value = match name {
            "WEAKNESSES" => "",
            "CACHE_URL" => "redis://127.0.0.1:1",
            _ => "1",
        };
        Some(value.to_owned())
    };
    thermostat_api::Settings::read(lookup).unwrap();
    assert_eq!(variables_of("ThermostatApiFunction"), asked.take());
    authorizer::Settings::read(lookup).unwrap();
    assert_eq!(variables_of("AuthorizerFunction"), asked.take());
    appointments::Settings::read(lookup).unwrap();
    assert_eq!(variables_of("AppointmentsFunction"), asked.take());
    email_processor::Settings::read(lookup).unwrap();
    assert_eq!(variables_of("EmailProcessorFunction"), asked.take());
    record_sign_in::Settings::read(lookup).unwrap();
    assert_eq!(variables_of("RecordSignInFunction"), asked.take());
    prune_users::Settings::read(lookup).unwrap();
    assert_eq!(variables_of("PruneUsersFunction"), asked.take());
    ingest_record::Settings::read(lookup).unwrap();
    assert_eq!(variables_of("IngestRecordFunction"), asked.take());
    archive_record::Settings::read(lookup).unwrap();
    assert_eq!(variables_of("ArchiveRecordFunction"), asked.take());
    describe_record::Settings::read(lookup).unwrap();
    assert_eq!(variables_of("DescribeRecordFunction"), asked.take());
    close_record::Settings::read(lookup).unwrap();
    assert_eq!(variables_of("CloseRecordFunction"), asked.take());
    users_api::Settings::read(lookup).unwrap();
    let asked = asked.take();
    for of in ["List", "Get", "Create", "Update", "Delete", "All", "Read", "Write"] {
        assert_eq!(variables_of(&format!("Users{of}Function")), asked, "{of}");
    }
}

#[test]
fn intrinsics_are_in_their_long_form() {
    for tag in ["!Ref", "!Sub", "!GetAtt", "!Join", "!If"] {
        assert!(!TEMPLATE.contains(tag), "{tag}");
    }
}
