//! Every function of the sample systems in one program: they share most of their code, so that it is
//! a small part of what they are together. It is the function by whose name it is called, such as by a link;
//! `brownout-functions list` prints the names.

use std::error::Error;
use std::path::Path;

use functions::serve::Program;

/// Those of each system.
const SYSTEMS: [&[Program]; 6] = [
    &audit_functions::programs::PROGRAMS,
    &clinic_functions::programs::PROGRAMS,
    &inactive_users_functions::programs::PROGRAMS,
    &mail_functions::programs::PROGRAMS,
    &thermostat_functions::programs::PROGRAMS,
    &users_api_functions::programs::PROGRAMS,
];

fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut arguments = std::env::args();
    let called = arguments.next().unwrap_or_default();
    let programs = || SYSTEMS.into_iter().flatten();
    if arguments.next().as_deref() == Some("list") {
        programs().for_each(|(name, _)| println!("{name}"));
        return Ok(());
    }
    let wanted = Path::new(&called).file_name().unwrap_or_default();
    let Some((_, serve)) = programs().find(|(name, _)| wanted == *name) else {
        return Err(format!("`{called}` is no function of a sample system; `brownout-functions list` prints them").into());
    };
    serve()
}
